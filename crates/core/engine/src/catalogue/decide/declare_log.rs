//! Declares a log through one protocol: creates it, adopts it, or finds it.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Name, Timestamp, VHOST_INTERNAL};

use super::{define, partitions_allowed, same, settings_allowed, unchanged};
use crate::{
    Adds, CatalogueError, Command, Decision, Durability, Facet, LedgerConfig, Lifetime, LogConfig,
    LogDefinition, Settings, State,
    catalogue::{Catalogue, own_expiry_ms},
};

/// Declares a log through one protocol.
///
/// - If there is no log with this name, it is created ([`Declared::Created`]).
/// - If there is one without this facet, it is adopted ([`Declared::Adopted`]). Retention becomes
///   the union of both, the facet is added, and so is the queue configuration if there was none. A
///   queue keeps its partitions, because its order depends on them; otherwise the larger number
///   applies. Of two durable classes, the stronger one applies; only volatile contradicts durable.
///   FIFO must not differ, nor durability and lifetime where [`Adopt`] names them, nor the number
///   of priorities if the declaration has some ([`CatalogueError::Contradiction`]); but a ledger
///   that was only opened by use becomes FIFO.
///   Another session's exclusive log is [`CatalogueError::Exclusive`].
/// - If there is one with this facet, nothing changes ([`Declared::Exists`]); the front compares
///   the two and answers as its protocol does. If the declaration adds a role (queue or topic) that
///   the log doesn't have yet, the log is adopted as above, and the facet's settings are replaced.
#[derive(Clone, Debug)]
pub struct DeclareLog {
    /// The virtual host.
    pub vhost: Name,
    /// Its name.
    pub name: Name,
    /// The configuration of a new log.
    pub config: LogConfig,
    /// What else is required of an existing log.
    pub adopt: Adopt,
    /// The declaring protocol.
    pub facet: Facet,
    /// The protocol's settings.
    pub settings: Settings,
}

/// What a declaration requires of a log created by another protocol. The log keeps its values for
/// anything that isn't named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adopt {
    /// Adopts this log only, and creates none.
    pub only: Option<LogId>,
    /// Its durability at least. Volatile and durable contradict each other.
    pub durability: Option<Durability>,
    /// Its lifetime.
    pub lifetime: Option<Lifetime>,
    /// The delay of its queue.
    pub delay_ms: Option<u64>,
    /// How long its queue keeps messages. If another protocol limits it as well, the shorter limit
    /// counts.
    pub expiry_ms: Option<u64>,
    /// Has its queue serve one consumer at a time.
    pub single_active: bool,
}

impl Adopt {
    /// Requires what `config` says of a new log.
    pub fn same_as(config: &LogConfig) -> Self {
        Self {
            durability: Some(config.durability),
            lifetime: Some(config.lifetime),
            single_active: config.queue.is_some_and(|queue| queue.single_active),
            ..Self::default()
        }
    }
}

impl DeclareLog {
    /// Opens the ledger of a log that isn't a queue, for a protocol whose client consumes from it:
    /// messages don't expire, and the log's retention stays as it is.
    pub fn opening(log: &LogDefinition, facet: Facet, settings: Settings) -> Self {
        Self {
            vhost: log.vhost.clone(),
            name: log.name.clone(),
            config: LogConfig {
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

/// The result of a declaration.
#[derive(Clone, Debug)]
pub enum Declared {
    /// The log is new.
    Created(LogDefinition),
    /// The log was created through another protocol and now serves this one too.
    Adopted(LogDefinition),
    /// The log existed through this protocol; nothing has changed.
    Exists(LogDefinition),
}

impl Declared {
    /// The log as it is now.
    pub fn definition(&self) -> &LogDefinition {
        match self {
            Self::Created(definition) | Self::Adopted(definition) | Self::Exists(definition) => {
                definition
            }
        }
    }
}

impl Command for DeclareLog {
    type Reply = Declared;
    type Error = CatalogueError;

    const ADDS: Adds = Adds::Definitions;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Declared>, CatalogueError> {
        let catalogue = &state.catalogue;
        if &*self.vhost != VHOST_INTERNAL {
            catalogue.host(&self.vhost)?;
        }
        partitions_allowed(self.config.partitions, 0)?;
        settings_allowed(&self.settings)?;
        let existing = catalogue.log(&self.vhost, &self.name);
        let only = self.adopt.only;
        if only.is_some() && only != existing.map(|existing| existing.id) {
            return Err(CatalogueError::NoSuchLog);
        }
        let declared = match existing {
            None => Declared::Created(catalogue.created(self, now)),
            Some(existing) if self.has_been_made(existing) => {
                return Ok(unchanged(Declared::Exists(existing.clone())));
            }
            Some(existing) => Declared::Adopted(adopted(existing.clone(), self, now)?),
        };
        let definition = declared.definition().clone();
        let former_bytes = existing.map_or(0, LogDefinition::bytes);
        state.definition_allowed(definition.bytes(), former_bytes)?;
        Ok(state.send(define(definition, declared), now))
    }
}

impl DeclareLog {
    fn has_been_made(&self, existing: &LogDefinition) -> bool {
        let (kept, wanted) = (existing.config.retention, self.config.retention);
        existing.facets.contains_key(&self.facet)
            && (kept.is_queue() || !wanted.is_queue())
            && (kept.is_topic() || !wanted.is_topic())
    }
}

impl Catalogue {
    fn created(&self, declaration: DeclareLog, now: Timestamp) -> LogDefinition {
        let DeclareLog { config, facet, .. } = declaration;
        let mut definition = LogDefinition {
            id: self.logs.next(),
            vhost: declaration.vhost,
            name: declaration.name,
            config,
            facets: BTreeMap::from([(facet.clone(), declaration.settings)]),
            created: now,
            modified: now,
        };
        definition.set_expiry(&facet, config.queue.and_then(|queue| queue.expiry_ms));
        definition
    }
}

fn adopted(
    mut definition: LogDefinition,
    declaration: DeclareLog,
    now: Timestamp,
) -> Result<LogDefinition, CatalogueError> {
    let (current, wanted) = (definition.config, declaration.config);
    let adopt = declaration.adopt;
    contradicts_nothing(&declaration, &current)?;
    definition.config = LogConfig {
        partitions: match current.queue {
            Some(_) => current.partitions,
            None => current.partitions.max(wanted.partitions),
        },
        durability: current
            .durability
            .max(adopt.durability.unwrap_or(current.durability)),
        retention: current.retention.union(wanted.retention),
        lifetime: current.lifetime,
        // A ledger that was only opened has no schedule yet.
        queue: match current.queue {
            Some(queue) if current.retention.is_queue() => {
                let wanted = wanted.queue.unwrap_or_default();
                Some(rescheduled(queue, wanted, &adopt))
            }
            opened => wanted.queue.or(opened),
        },
    };
    let facet = declaration.facet;
    let former = definition
        .facets
        .insert(facet.clone(), declaration.settings);
    let expiry_ms = match current.queue {
        Some(_) if current.retention.is_queue() => adopt.expiry_ms,
        _ => wanted.queue.and_then(|queue| queue.expiry_ms),
    };
    let kept = former.as_ref().and_then(own_expiry_ms);
    definition.set_expiry(&facet, expiry_ms.or(kept));
    definition.modified = now;
    Ok(definition)
}

fn rescheduled(queue: LedgerConfig, wanted: LedgerConfig, adopt: &Adopt) -> LedgerConfig {
    LedgerConfig {
        delay_ms: adopt.delay_ms.unwrap_or(queue.delay_ms),
        expiry_ms: adopt.expiry_ms.or(queue.expiry_ms),
        // The stricter of two limits applies.
        deliveries_max: match (wanted.deliveries_max, queue.deliveries_max) {
            (Some(wanted), Some(current)) => Some(wanted.min(current)),
            (wanted, current) => wanted.or(current),
        },
        dead_letters: queue.dead_letters.union(wanted.dead_letters),
        ready_max: wanted.ready_max.or(queue.ready_max),
        ready_bytes_max: wanted.ready_bytes_max.or(queue.ready_bytes_max),
        overflow: match wanted.ready_max.or(wanted.ready_bytes_max) {
            Some(_) => wanted.overflow,
            None => queue.overflow,
        },
        single_active: adopt.single_active || queue.single_active,
        ..queue
    }
}

fn contradicts_nothing(
    declaration: &DeclareLog,
    current: &LogConfig,
) -> Result<(), CatalogueError> {
    if let Some(wanted) = declaration.adopt.durability {
        let durable = |durability: Durability| durability != Durability::Volatile;
        same("durable", &durable(wanted), &durable(current.durability))?;
    }
    if let Some(wanted) = declaration.adopt.lifetime {
        same_lifetime(&wanted, &current.lifetime)?;
    }
    if let (Some(wanted), Some(queue)) = (declaration.config.queue, current.queue)
        && !current.is_order_open()
    {
        same("fifo", &wanted.fifo, &queue.fifo)?;
    }
    if declaration.config.orders_by_priority() && !takes_priorities(current) {
        let wanted = priority_max(&declaration.config);
        same("priorities", &wanted, &priority_max(current))?;
    }
    Ok(())
}

/// Whether a log that has no priorities may get some: its records then have the lowest.
fn takes_priorities(config: &LogConfig) -> bool {
    config.partitions == 1 && config.queue.is_none()
}

fn priority_max(config: &LogConfig) -> String {
    match config.orders_by_priority() {
        true => (config.partitions - 1).to_string(),
        false => "none".to_owned(),
    }
}

fn same_lifetime(wanted: &Lifetime, current: &Lifetime) -> Result<(), CatalogueError> {
    let exclusive = |lifetime: &Lifetime| lifetime.exclusive.is_some();
    same("exclusive", &exclusive(wanted), &exclusive(current))?;
    if wanted.exclusive != current.exclusive {
        return Err(CatalogueError::Exclusive);
    }
    same("auto_delete", &wanted.auto_delete, &current.auto_delete)?;
    let expires = |lifetime: &Lifetime| match lifetime.unused_ms_max {
        Some(ms) => ms.to_string(),
        None => "none".to_owned(),
    };
    Ok(same("expires", &expires(wanted), &expires(current))?)
}
