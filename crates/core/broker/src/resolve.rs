//! Looks up a log for an operation on it.
//!
//! This is the one place that decides, for clients of any protocol, whether a log exists and
//! whether the client may do what it wants with it. Each front decides which parts of the namespace
//! its protocol shows.

use parking_lot::{MappedRwLockReadGuard, RwLockReadGuard};
use stele_base_types::{LogId, Principal, VHOST_INTERNAL};
use stele_core_engine::{Catalogue, LogDefinition};

use crate::Broker;

/// What a client wants to do with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Learn that it exists, and its configuration.
    Describe,
    /// Read its records without consuming them, as Kafka's fetch does.
    Read,
    /// Append to it, or route messages to it.
    Write,
    /// Take messages from it: lease, settle, purge.
    Consume,
    /// Declare it, or change its configuration.
    Configure,
    /// Delete it, or some of its records.
    Delete,
    /// Inspect it as an operator, whoever owns it.
    Inspect,
}

/// Why a name leads to no log that the client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The virtual host doesn't exist.
    #[error("no such virtual host")]
    NoSuchVirtualHost,
    /// The log doesn't exist.
    #[error("no such log")]
    NoSuchLog,
    /// The log is exclusive to another session.
    #[error("exclusive to another session")]
    Exclusive,
}

/// A log's definition. The catalogue stays locked for reading, so this must not be held across an
/// `.await` or while another name is looked up.
pub type Resolved<'a> = MappedRwLockReadGuard<'a, LogDefinition>;

impl Broker {
    /// Finds the log `name` of a virtual host for `client` to do `action`.
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

    /// Finds the log with an id for `client` to do `action`.
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

/// Checks whether `client` may do `action` with a log.
fn check(
    client: &Principal,
    definition: &LogDefinition,
    action: Action,
) -> Result<(), ResolveError> {
    if &*definition.vhost == VHOST_INTERNAL && action != Action::Inspect {
        return Err(ResolveError::NoSuchLog);
    }
    let owner = definition.config.lifetime.exclusive;
    if owner.is_some() && owner != client.session && action != Action::Inspect {
        return Err(ResolveError::Exclusive);
    }
    Ok(())
}
