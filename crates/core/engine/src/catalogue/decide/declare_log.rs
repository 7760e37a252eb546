//! Declares a log through one protocol: makes it, adopts it, or finds it there.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Timestamp};

use super::{change, partitions_allowed, same, unchanged};
use crate::{
    CatalogueRecord, Decision, Durability, Error, Facet, Lifetime, LogConfig, LogDefinition,
    QueueConfig, Reply, Retention, Settings, catalogue::Catalogue, command::DeclareLog,
    reply::Declared,
};

/// What a declaration asks of a log that another protocol has made. What it doesn't name, the log
/// keeps as its maker chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adopt {
    /// Adopts this log and no other, and creates none.
    pub only: Option<LogId>,
    /// The class that it has at least. Volatile and durable contradict each other.
    pub durability: Option<Durability>,
    /// The lifetime that it has.
    pub lifetime: Option<Lifetime>,
    /// The delay that its queue gets.
    pub delay_ms: Option<u64>,
    /// The expiry that its queue gets.
    pub expiry_ms: Option<u64>,
}

impl Adopt {
    /// Asks for what `config` says of a new log.
    pub fn same_as(config: &LogConfig) -> Self {
        Self {
            durability: Some(config.durability),
            lifetime: Some(config.lifetime),
            ..Self::default()
        }
    }
}

impl DeclareLog {
    /// Opens `log` as a queue for a protocol that uses it without having declared it: it is a
    /// queue, whose messages don't expire, beside what it is.
    pub fn opening(log: &LogDefinition, facet: Facet, settings: Settings) -> Self {
        Self {
            vhost: log.vhost.clone(),
            name: log.name.clone(),
            config: LogConfig {
                retention: Retention::QUEUE,
                queue: Some(log.config.queue.unwrap_or_default()),
                ..log.config
            },
            adopt: Adopt {
                only: Some(log.id),
                ..Adopt::default()
            },
            facet,
            settings,
        }
    }
}

impl Catalogue {
    pub(super) fn declare_log(
        &self,
        declaration: DeclareLog,
        now: Timestamp,
    ) -> Result<Decision, Error> {
        self.host(&declaration.vhost)?;
        partitions_allowed(declaration.config.partitions, 0)?;
        let existing = self.log(&declaration.vhost, &declaration.name);
        let only = declaration.adopt.only;
        if only.is_some() && only != existing.map(|existing| existing.id) {
            return Err(Error::NoSuchLog);
        }
        let (definition, reply) = match existing {
            None => {
                let created = self.created(declaration, now);
                (created.clone(), Declared::Created(created))
            }
            Some(existing) if existing.facets.contains_key(&declaration.facet) => {
                let exists = Declared::Exists(existing.clone());
                return Ok(unchanged(Reply::Declared(Box::new(exists))));
            }
            Some(existing) => {
                let adopted = adopted(existing.clone(), declaration, now)?;
                (adopted.clone(), Declared::Adopted(adopted))
            }
        };
        Ok(change(
            CatalogueRecord::LogDefined(Box::new(definition)),
            Reply::Declared(Box::new(reply)),
        ))
    }

    fn created(&self, declaration: DeclareLog, now: Timestamp) -> LogDefinition {
        LogDefinition {
            id: self.logs.next(),
            vhost: declaration.vhost,
            name: declaration.name,
            config: declaration.config,
            facets: BTreeMap::from([(declaration.facet, declaration.settings)]),
            created: now,
            modified: now,
        }
    }
}

fn adopted(
    mut definition: LogDefinition,
    declaration: DeclareLog,
    now: Timestamp,
) -> Result<LogDefinition, Error> {
    let (current, wanted) = (definition.config, declaration.config);
    let adopt = declaration.adopt;
    contradicts_nothing(&declaration, &current)?;
    definition.config = LogConfig {
        partitions: current.partitions.max(wanted.partitions),
        durability: current
            .durability
            .max(adopt.durability.unwrap_or(current.durability)),
        retention: current.retention.union(wanted.retention),
        lifetime: current.lifetime,
        queue: match current.queue {
            Some(queue) => Some(rescheduled(queue, &adopt)),
            None => wanted.queue,
        },
    };
    definition
        .facets
        .insert(declaration.facet, declaration.settings);
    definition.modified = now;
    Ok(definition)
}

fn rescheduled(queue: QueueConfig, adopt: &Adopt) -> QueueConfig {
    QueueConfig {
        delay_ms: adopt.delay_ms.unwrap_or(queue.delay_ms),
        expiry_ms: adopt.expiry_ms.or(queue.expiry_ms),
        ..queue
    }
}

fn contradicts_nothing(declaration: &DeclareLog, current: &LogConfig) -> Result<(), Error> {
    if let Some(wanted) = declaration.adopt.durability {
        let durable = |durability: Durability| durability != Durability::Volatile;
        same("durable", &durable(wanted), &durable(current.durability))?;
    }
    if let Some(wanted) = declaration.adopt.lifetime {
        same_lifetime(&wanted, &current.lifetime)?;
    }
    match (declaration.config.queue, current.queue) {
        (Some(wanted), Some(current)) => same("fifo", &wanted.fifo, &current.fifo),
        _ => Ok(()),
    }
}

fn same_lifetime(wanted: &Lifetime, current: &Lifetime) -> Result<(), Error> {
    let exclusive = |lifetime: &Lifetime| lifetime.exclusive.is_some();
    same("exclusive", &exclusive(wanted), &exclusive(current))?;
    if wanted.exclusive != current.exclusive {
        return Err(Error::Exclusive);
    }
    same("auto_delete", &wanted.auto_delete, &current.auto_delete)?;
    let expires = |lifetime: &Lifetime| match lifetime.unused_ms_max {
        Some(ms) => ms.to_string(),
        None => "none".to_owned(),
    };
    same("expires", &expires(wanted), &expires(current))
}
