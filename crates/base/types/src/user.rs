//! Users, who log in by name and password.

use subtle::{Choice, ConstantTimeEq as _};

use crate::{Login, Name, Proof, Secret};

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Their name.
    pub name: Name,
    /// Their password.
    pub password: Secret,
}

/// Why nobody is logged in. It is for the log alone: a client isn't told which of the two was
/// wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Nobody has that name.
    #[error("no such user")]
    NoSuchUser,
    /// Somebody has that name, and another password.
    #[error("wrong password")]
    WrongPassword,
    /// What came is no name and password.
    #[error("name and password can't be read")]
    Unreadable,
}

impl User {
    /// The login of the one of `users` who has this name and this password. Takes as long whether
    /// the name or the password is wrong, so that the time doesn't tell which names exist.
    pub fn log_in(users: &[Self], name: &[u8], password: &[u8]) -> Result<Login, LoginError> {
        let mut found = None;
        let mut is_known = Choice::from(0);
        for user in users {
            let own = user.password.expose().as_bytes();
            let is_named = user.name.as_bytes().ct_eq(name);
            is_known |= is_named;
            if bool::from(is_named & own.ct_eq(password)) {
                found = Some(user);
            }
        }
        match found {
            Some(user) => Ok(Login {
                user: user.name.clone(),
                proof: Proof::Password,
            }),
            None if bool::from(is_known) => Err(LoginError::WrongPassword),
            None => Err(LoginError::NoSuchUser),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_users_own_password_logs_in() {
        let user = |name: &str, password: &str| User {
            name: Name::new(name).unwrap(),
            password: Secret::new(password),
        };
        let users = [user("ann", "a"), user("bob", "b")];
        let login = User::log_in(&users, b"bob", b"b").unwrap();
        assert_eq!((login.user.as_str(), login.proof), ("bob", Proof::Password));
        for (name, password, why) in [
            ("bob", "a", LoginError::WrongPassword),
            ("bob", "", LoginError::WrongPassword),
            ("eve", "b", LoginError::NoSuchUser),
            ("", "", LoginError::NoSuchUser),
        ] {
            let refused = User::log_in(&users, name.as_bytes(), password.as_bytes());
            assert_eq!(refused, Err(why));
        }
    }
}
