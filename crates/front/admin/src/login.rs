//! HTTP Basic authentication (RFC 7617).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use crate::settings::Settings;

/// Whether the request may ask for more than health.
pub(crate) fn is_allowed(settings: &Settings, headers: &HeaderMap) -> bool {
    let Some(users) = &settings.users else {
        return true;
    };
    let Some((name, password)) = credentials(headers) else {
        return false;
    };
    // Every user is compared, so that the time taken doesn't tell which names exist.
    users.iter().fold(false, |found, user| {
        let same = user.name.as_bytes().ct_eq(name.as_bytes())
            & user.password.expose().as_bytes().ct_eq(password.as_bytes());
        found | bool::from(same)
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
    use stele_base_types::Secret;

    use super::*;
    use crate::settings::User;

    fn asks(value: Option<&str>) -> bool {
        let user = User {
            name: "ann".to_owned(),
            password: Secret::new("a:b"),
        };
        let settings = Settings {
            users: Some(vec![user]),
        };
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(
                header::AUTHORIZATION,
                value.parse().expect("a header value"),
            );
        }
        is_allowed(&settings, &headers)
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
        assert!(is_allowed(&Settings::default(), &HeaderMap::new()));
    }
}
