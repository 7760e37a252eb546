//! The decisions on commands to the catalogue.

mod alter_log;
mod bind;
mod declare_exchange;
mod declare_log;
mod delete_exchange;
mod delete_log;
mod drop_fleeting;

use stele_base_types::Name;

pub use self::{
    alter_log::{AlterLog, Altered},
    bind::{Bind, Unbind},
    declare_exchange::DeclareExchange,
    declare_log::{Adopt, DeclareLog, Declared},
    delete_exchange::DeleteExchange,
};
use super::{Catalogue, CatalogueError, Contradiction, virtual_host::VirtualHost};
use crate::{
    Arguments, CatalogueRecord, Decision, Durability, LinkCommand, LogDefinition, Record, Settings,
    bounds::arguments_bytes,
    limits::{DEFINITION_BYTES_MAX, PARTITIONS_MAX},
};

impl Catalogue {
    fn host(&self, vhost: &Name) -> Result<&VirtualHost, CatalogueError> {
        let host = self.vhosts.get(vhost.as_str());
        host.ok_or_else(|| CatalogueError::NoSuchVirtualHost(vhost.clone()))
    }
}

/// A change of definitions. All of them wait for the disk: if a crash lost an id, it could be
/// assigned again, to a log that would inherit what other shards hold of the first one.
fn change<R>(record: CatalogueRecord, reply: R) -> Decision<R> {
    Decision::change(Record::Catalogue(record), reply, Durability::Synced)
}

/// A new or changed definition, which is sent to the log's shard.
fn define<R>(definition: LogDefinition, reply: R) -> Decision<R> {
    let open = LinkCommand::Open {
        log: definition.id,
        config: definition.config,
    };
    let defined = CatalogueRecord::LogDefined(Box::new(definition));
    change(defined, reply).sending(open)
}

/// The reply if nothing changes. The change that made it so may not be on disk yet, and this reply
/// waits for that too.
fn unchanged<R>(reply: R) -> Decision<R> {
    Decision {
        durability: Durability::Synced,
        ..Decision::reply(reply)
    }
}

fn same<T: PartialEq + ToString>(
    field: &'static str,
    received: &T,
    current: &T,
) -> Result<(), Contradiction> {
    if received == current {
        return Ok(());
    }
    Err(Contradiction {
        field,
        received: received.to_string().into(),
        current: current.to_string().into(),
    })
}

/// Checks the size of an exchange's or a binding's arguments.
fn arguments_allowed(arguments: &Arguments) -> Result<(), CatalogueError> {
    size_allowed(arguments_bytes(arguments), "bytes of arguments")
}

/// Checks the size of one protocol's settings of a log.
fn settings_allowed(settings: &Settings) -> Result<(), CatalogueError> {
    let sizes = settings
        .iter()
        .map(|(name, value)| name.len() + value.len());
    size_allowed(sizes.sum(), "bytes of settings")
}

fn size_allowed(size_bytes: usize, of: &'static str) -> Result<(), CatalogueError> {
    if size_bytes > DEFINITION_BYTES_MAX {
        return Err(CatalogueError::Limit(of));
    }
    Ok(())
}

/// Checks a new number of partitions for a log that has `existing` ones.
fn partitions_allowed(requested: u32, existing: u32) -> Result<(), CatalogueError> {
    if requested > PARTITIONS_MAX {
        return Err(CatalogueError::Limit("partitions"));
    }
    if requested == 0 || requested < existing {
        return Err(CatalogueError::Partitions {
            existing,
            requested,
        });
    }
    Ok(())
}
