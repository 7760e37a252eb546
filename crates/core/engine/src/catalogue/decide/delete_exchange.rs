//! Removes an exchange with its bindings and those to it.

use stele_base_types::{Name, Timestamp};

use super::change;
use crate::{CatalogueError, CatalogueRecord, Command, Decision, State, catalogue::predeclared};

/// Removes an exchange and its bindings.
#[derive(Clone, Debug)]
pub struct DeleteExchange {
    /// The virtual host.
    pub vhost: Name,
    /// The exchange. If it doesn't exist, the result is [`CatalogueError::NoSuchExchange`].
    pub name: Name,
    /// Fail with [`CatalogueError::InUse`] if it has bindings.
    pub if_unused: bool,
}

impl Command for DeleteExchange {
    type Reply = ();
    type Error = CatalogueError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<()>, CatalogueError> {
        let Self {
            vhost,
            name,
            if_unused,
        } = self;
        let Some(existing) = state.catalogue.host(&vhost)?.exchange(&name) else {
            return Err(CatalogueError::NoSuchExchange(name));
        };
        let is_used = if_unused && !existing.bindings.is_empty();
        if is_used || predeclared::contains(&name) {
            return Err(CatalogueError::InUse);
        }
        Ok(change(CatalogueRecord::ExchangeDeleted { vhost, name }, ()))
    }
}
