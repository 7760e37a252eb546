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

/// Why a login failed. For log messages only: the client isn't told which of the two was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// No user has that name.
    #[error("no such user")]
    NoSuchUser,
    /// The user exists, but has another password.
    #[error("wrong password")]
    WrongPassword,
    /// The client didn't send a name and a password.
    #[error("name and password can't be read")]
    Unreadable,
}

impl User {
    /// Logs in the user with this name and password. Takes the same time whether the name or the
    /// password is wrong, so that the time doesn't reveal which names exist.
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
