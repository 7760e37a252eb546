//! What commands to the catalogue change.

mod alter_log;
mod bind;
mod declare_exchange;
mod declare_log;
mod delete_exchange;
mod delete_log;
mod drop_fleeting;

use stele_base_types::{Name, Timestamp};

pub use self::declare_log::Adopt;
use super::{Catalogue, virtual_host::VirtualHost};
use crate::{
    CatalogueRecord, Contradiction, Decision, Durability, Error, Record, Reply,
    command::CatalogueCommand, limits::PARTITIONS_MAX,
};

impl Catalogue {
    pub(crate) fn decide(&self, command: CatalogueCommand, now: Timestamp) -> Decision {
        let decision = match command {
            CatalogueCommand::DeclareLog(declaration) => self.declare_log(declaration, now),
            CatalogueCommand::AlterLog {
                log,
                partitions,
                retention,
                queue,
                settings,
            } => {
                let alteration = alter_log::Alteration {
                    partitions,
                    retention,
                    queue,
                    settings,
                };
                self.alter_log(log, alteration, now)
            }
            CatalogueCommand::DeleteLog(log) => self.decide_delete_log(log),
            CatalogueCommand::DeclareExchange(declaration) => self.declare_exchange(declaration),
            CatalogueCommand::DeleteExchange {
                vhost,
                name,
                if_unused,
            } => self.delete_exchange(vhost, name, if_unused),
            CatalogueCommand::Bind(bind) => self.bind(bind),
            CatalogueCommand::Unbind(bind) => self.unbind(bind),
        };
        decision.unwrap_or_else(Decision::refuse)
    }

    fn host(&self, vhost: &Name) -> Result<&VirtualHost, Error> {
        let host = self.vhosts.get(vhost.as_str());
        host.ok_or_else(|| Error::NoSuchVirtualHost(vhost.clone()))
    }
}

/// A change of definitions. All of them wait for the disk: an id that a crash takes back could be
/// given again, to a log that would inherit what other shards hold of the first.
fn change(record: CatalogueRecord, reply: Reply) -> Decision {
    Decision::change(Record::Catalogue(record), reply, Durability::Synced)
}

/// All is as it was asked for. The change that made it so may still be on its way to the disk: this
/// answer waits for it as well.
fn unchanged(reply: Reply) -> Decision {
    Decision {
        durability: Durability::Synced,
        ..Decision::reply(reply)
    }
}

fn same<T: PartialEq + ToString>(
    field: &'static str,
    received: &T,
    current: &T,
) -> Result<(), Error> {
    if received == current {
        return Ok(());
    }
    Err(Error::Contradiction(Contradiction {
        field,
        received: received.to_string().into(),
        current: current.to_string().into(),
    }))
}

/// Checks a number of partitions that a log of `existing` ones is to have.
fn partitions_allowed(requested: u32, existing: u32) -> Result<(), Error> {
    if requested > PARTITIONS_MAX {
        return Err(Error::Limit("partitions"));
    }
    if requested == 0 || requested < existing {
        return Err(Error::Partitions {
            existing,
            requested,
        });
    }
    Ok(())
}
