//! HTTP Basic authentication (RFC 7617).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{HeaderMap, header};
use stele_base_types::{Principal, User};

use crate::{errors::Error, settings::Settings};

/// Who asks for more than health: where there are users, one of them; else whoever it is.
pub(crate) fn log_in(
    settings: &Settings,
    client: &Principal,
    headers: &HeaderMap,
) -> Result<Principal, Error> {
    let Some(users) = &settings.users else {
        return Ok(client.clone());
    };
    let (name, password) = credentials(headers).ok_or(Error::NotLoggedIn)?;
    let login = User::log_in(users, name.as_bytes(), password.as_bytes());
    Ok(Principal {
        login: Some(login.ok_or(Error::NotLoggedIn)?),
        ..client.clone()
    })
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use stele_base_types::{Name, Secret};

    use super::*;

    fn client() -> Principal {
        Principal::anonymous(([127, 0, 0, 1], 40_000).into())
    }

    fn asks(value: Option<&str>) -> bool {
        let user = User {
            name: Name::new("ann").unwrap(),
            password: Secret::new("a:b"),
        };
        let settings = Settings {
            users: Some(vec![user]),
            ..Settings::default()
        };
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(
                header::AUTHORIZATION,
                value.parse().expect("a header value"),
            );
        }
        let logged_in = log_in(&settings, &client(), &headers);
        logged_in.is_ok_and(|principal| principal.user() == Some("ann"))
    }

    #[test]
    fn only_the_right_name_and_password_enter() {
        assert!(asks(Some(&format!("Basic {}", STANDARD.encode("ann:a:b")))));
        assert!(!asks(Some(&format!("Basic {}", STANDARD.encode("ann:a")))));
        assert!(!asks(Some(&format!(
            "Basic {}",
            STANDARD.encode("bob:a:b")
        ))));
        assert!(!asks(Some("Basic %%%")));
        assert!(!asks(Some("Bearer x")));
        assert!(!asks(None));
    }

    #[test]
    fn without_users_anybody_enters() {
        let entered = log_in(&Settings::default(), &client(), &HeaderMap::new());
        assert_eq!(entered.unwrap(), client());
    }
}
