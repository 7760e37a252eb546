//! Users, who log in by name and password.

use subtle::ConstantTimeEq as _;

use crate::{Login, Name, Proof, Secret};

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Their name.
    pub name: Name,
    /// Their password.
    pub password: Secret,
}

impl User {
    /// The login of the one of `users` who has this name and this password. Takes as long whether
    /// the name or the password is wrong, so that the time doesn't tell which names exist.
    pub fn log_in(users: &[Self], name: &[u8], password: &[u8]) -> Option<Login> {
        let mut found = None;
        for user in users {
            let own = user.password.expose().as_bytes();
            let same = user.name.as_bytes().ct_eq(name) & own.ct_eq(password);
            if bool::from(same) {
                found = Some(user);
            }
        }
        found.map(|user| Login {
            user: user.name.clone(),
            proof: Proof::Password,
        })
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
        for (name, password) in [("bob", "a"), ("bob", ""), ("eve", "b"), ("", "")] {
            let refused = User::log_in(&users, name.as_bytes(), password.as_bytes());
            assert_eq!(refused, None);
        }
    }
}
