//! What the front is set to.

use std::fmt;

/// Who may ask for more than health.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The users, one of whom must log in; `None` lets anybody in, for a port on loopback.
    pub users: Option<Vec<User>>,
}

/// A name with its password.
#[derive(Clone)]
pub struct User {
    /// Their name.
    pub name: String,
    /// Their password.
    pub password: String,
}

/// Without the password.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
