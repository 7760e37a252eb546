//! Authentication: HTTP Basic (RFC 7617). Without users, anybody is allowed except web pages of
//! other sites.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{
    Method,
    header::{self, HeaderValue},
    http::request::Parts,
};
use stele_base_types::{LoginError, Principal, User};
use stele_front_accept::{Effect, log_failed_login};

use crate::{errors::Error, settings::Settings};

/// Authenticates a request for anything but health: it must name a user, or, if there are no users,
/// must not come from a web page of another site.
pub(crate) fn log_in(
    settings: &Settings,
    client: &Principal,
    head: &Parts,
) -> Result<Principal, Error> {
    let Some(users) = &settings.users else {
        let effect = match head.method {
            Method::GET | Method::HEAD => Effect::Reads,
            _ => Effect::Changes,
        };
        settings.hosts.check(head, effect)?;
        return Ok(client.clone());
    };
    // A request without credentials gets a challenge, which makes browsers ask for a login.
    let value = head.headers.get(header::AUTHORIZATION);
    let value = value.ok_or(Error::NotLoggedIn)?;
    let refused = |name: &str, reason| {
        log_failed_login("admin", client.address, name, &reason);
        Error::NotLoggedIn
    };
    let (name, password) = credentials(value).ok_or_else(|| refused("", LoginError::Unreadable))?;
    let login = User::log_in(users, name.as_bytes(), password.as_bytes());
    Ok(Principal {
        login: Some(login.map_err(|reason| refused(&name, reason))?),
        ..client.clone()
    })
}

fn credentials(value: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use stele_base_types::{Name, Secret};

    use super::*;

    fn client() -> Principal {
        Principal::anonymous(([127, 0, 0, 1], 40_000).into())
    }

    fn head<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Parts {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
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
        let header = value.map(|value| ("authorization", value));
        let logged_in = log_in(&settings, &client(), &head(header));
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
        let entered = log_in(&Settings::default(), &client(), &head([]));
        assert_eq!(entered.unwrap(), client());
    }

    #[test]
    fn without_users_a_foreign_page_does_not() {
        for header in [("host", "example.org"), ("origin", "https://example.org")] {
            let refused = log_in(&Settings::default(), &client(), &head([header]));
            assert!(matches!(refused, Err(Error::Foreign(_))), "{header:?}");
        }
    }
}
