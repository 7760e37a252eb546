//! Declares a log through one protocol: makes it, adopts it, or finds it there.

use std::collections::BTreeMap;

use stele_base_types::Timestamp;

use super::{change, partitions_allowed, same, unchanged};
use crate::{
    CatalogueRecord, Decision, Durability, Error, LogConfig, LogDefinition, Reply,
    catalogue::Catalogue, command::DeclareLog, reply::Declared,
};

impl Catalogue {
    pub(super) fn declare_log(
        &self,
        declaration: DeclareLog,
        now: Timestamp,
    ) -> Result<Decision, Error> {
        self.host(&declaration.vhost)?;
        partitions_allowed(declaration.config.partitions, 0)?;
        let (definition, reply) = match self.log(&declaration.vhost, &declaration.name) {
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
    contradicts_nothing(&wanted, &current)?;
    definition.config = LogConfig {
        partitions: current.partitions.max(wanted.partitions),
        durability: current.durability.max(wanted.durability),
        retention: current.retention.union(wanted.retention),
        lifetime: current.lifetime,
        queue: current.queue.or(wanted.queue),
    };
    definition
        .facets
        .insert(declaration.facet, declaration.settings);
    definition.modified = now;
    Ok(definition)
}

fn contradicts_nothing(wanted: &LogConfig, current: &LogConfig) -> Result<(), Error> {
    let durable = |config: &LogConfig| config.durability != Durability::Volatile;
    same("durable", &durable(wanted), &durable(current))?;
    let exclusive = |config: &LogConfig| config.lifetime.exclusive.is_some();
    same("exclusive", &exclusive(wanted), &exclusive(current))?;
    if wanted.lifetime.exclusive != current.lifetime.exclusive {
        return Err(Error::Exclusive);
    }
    let auto_delete = |config: &LogConfig| config.lifetime.auto_delete;
    same("auto_delete", &auto_delete(wanted), &auto_delete(current))?;
    let expires = |config: &LogConfig| match config.lifetime.unused_ms_max {
        Some(ms) => ms.to_string(),
        None => "none".to_owned(),
    };
    same("expires", &expires(wanted), &expires(current))?;
    match (wanted.queue, current.queue) {
        (Some(wanted), Some(current)) => same("fifo", &wanted.fifo, &current.fifo),
        _ => Ok(()),
    }
}
