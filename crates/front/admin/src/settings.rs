//! What the front is set to.

use stele_base_types::{Name, Secret};

/// Who may ask for more than health.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The users, one of whom must log in; `None` lets anybody in, for a port on loopback.
    pub users: Option<Vec<User>>,
}

/// A name with its password.
#[derive(Clone, Debug)]
pub struct User {
    /// Their name.
    pub name: Name,
    /// Their password.
    pub password: Secret,
}
