//! Looking a log up, to do something with it.
//!
//! What holds for a client of any protocol is decided here, once: whether there is such a log, and
//! whether this client may do with it what it wants. What a protocol's own grammar doesn't show of
//! the namespace is its front's business.

use parking_lot::{MappedRwLockReadGuard, RwLockReadGuard};
use stele_base_types::{LogId, Principal};
use stele_core_engine::{Catalogue, LogDefinition};

use crate::Broker;

/// What a client wants to do with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Learn that it is there, and what it is.
    Describe,
    /// Read its records, which leaves them there: Kafka's fetch.
    Read,
    /// Append to it, or route messages to it.
    Write,
    /// Take messages from it: lease, settle, purge.
    Consume,
    /// Declare it, or change what it is.
    Configure,
    /// Delete it, or records of it.
    Delete,
    /// Look at it as an operator does, whoever's it is.
    Inspect,
}

/// Why a name leads to nothing that the client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The virtual host doesn't exist.
    #[error("no such virtual host")]
    NoSuchVirtualHost,
    /// The log doesn't exist.
    #[error("no such log")]
    NoSuchLog,
    /// The log is another session's alone.
    #[error("exclusive to another session")]
    Exclusive,
}

/// A log's definition, in the catalogue that is locked for reading meanwhile. Not to be held
/// across an `.await`, nor while another name is looked up.
pub type Resolved<'a> = MappedRwLockReadGuard<'a, LogDefinition>;

impl Broker {
    /// The log `name` of a virtual host, for `client` to do `action` with.
    pub fn resolve(
        &self,
        client: &Principal,
        vhost: &str,
        name: &str,
        action: Action,
    ) -> Result<Resolved<'_>, ResolveError> {
        self.resolve_by(client, action, |catalogue| {
            let found = catalogue.log(vhost, name);
            found.ok_or_else(|| {
                if catalogue.has_vhost(vhost) {
                    ResolveError::NoSuchLog
                } else {
                    ResolveError::NoSuchVirtualHost
                }
            })
        })
    }

    /// The log of an id, for `client` to do `action` with.
    pub fn resolve_id(
        &self,
        client: &Principal,
        log: LogId,
        action: Action,
    ) -> Result<Resolved<'_>, ResolveError> {
        self.resolve_by(client, action, |catalogue| {
            catalogue.log_by_id(log).ok_or(ResolveError::NoSuchLog)
        })
    }

    fn resolve_by(
        &self,
        client: &Principal,
        action: Action,
        find: impl FnOnce(&Catalogue) -> Result<&LogDefinition, ResolveError>,
    ) -> Result<Resolved<'_>, ResolveError> {
        let resolved = RwLockReadGuard::try_map_or_err(self.catalogue(), |catalogue| {
            let definition = find(catalogue)?;
            check(client, definition, action)?;
            Ok(definition)
        });
        resolved.map_err(|(_, error)| error)
    }
}

/// Whether `client` may do `action` with a log.
fn check(
    client: &Principal,
    definition: &LogDefinition,
    action: Action,
) -> Result<(), ResolveError> {
    let owner = definition.config.lifetime.exclusive;
    if owner.is_some() && owner != client.session && action != Action::Inspect {
        return Err(ResolveError::Exclusive);
    }
    Ok(())
}
