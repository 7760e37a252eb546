//! The users.

use anyhow::Context as _;
use stele_app_config::Auth;
use stele_base_types::{Name, User};

/// The configured users.
pub(crate) fn of(auth: &Auth) -> anyhow::Result<Vec<User>> {
    let users = auth.users.iter().map(|(name, password)| {
        Ok(User {
            name: Name::new(name).with_context(|| format!("auth.users: {name}"))?,
            password: password.clone(),
        })
    });
    users.collect()
}
