//! The state in a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use stele_base_types::{LogId, Name, PartitionIndex, ProcessEpoch, ProducerId, Timestamp};

use super::{
    config::{LogConfig, QueueConfig},
    record::{Exchange, LogDefinition},
};
use crate::{
    Binding, LeaseId, LedgerId, Partition,
    catalogue::WholeCatalogue,
    group::Group,
    log::{Attempts, Deduplication, LogsHeader, Part},
};

#[derive(Deserialize)]
pub(in crate::stored) struct State {
    catalogue: Catalogue,
    logs: Logs,
    groups: BTreeMap<Name, Group>,
    producer_next: ProducerId,
}

#[derive(Deserialize)]
struct Catalogue {
    version: u64,
    log_next: LogId,
    logs: Vec<LogDefinition>,
    vhosts: Vec<(Name, Vec<BoundExchange>)>,
}

/// An exchange by name, with its bindings.
type BoundExchange = (Name, Exchange, Vec<Binding>);

#[derive(Deserialize)]
struct Logs {
    logs: BTreeMap<LogId, Log>,
    lease_last: LeaseId,
    closed: BTreeSet<LogId>,
}

#[derive(Deserialize)]
struct Log {
    config: LogConfig,
    partitions: Vec<Partition>,
    ledgers: Vec<Ledger>,
    spread: PartitionIndex,
    deduplication: Deduplication,
    forget_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Ledger {
    id: LedgerId,
    config: QueueConfig,
    parts: Vec<Part>,
    rotation: PartitionIndex,
    attempts: Attempts,
}

impl From<State> for crate::State {
    fn from(stored: State) -> Self {
        let mut state = Self {
            catalogue: WholeCatalogue::from(stored.catalogue).into(),
            producer_next: stored.producer_next,
            latest: Timestamp::PAST,
            ..Self::default()
        };
        state.logs.load_header(LogsHeader {
            epoch: ProcessEpoch(0),
            lease_last: stored.logs.lease_last,
            closed: stored.logs.closed,
        });
        for (id, log) in stored.logs.logs {
            state.logs.load(id, Box::new(log.into()));
        }
        state.groups.load(stored.groups);
        state
    }
}

impl From<Catalogue> for WholeCatalogue {
    fn from(stored: Catalogue) -> Self {
        let exchanges = |exchanges: Vec<BoundExchange>| {
            let exchanges = exchanges.into_iter();
            exchanges
                .map(|(name, exchange, bindings)| (name, exchange.into(), bindings))
                .collect()
        };
        let vhosts = stored.vhosts.into_iter();
        Self {
            version: stored.version,
            log_next: stored.log_next,
            logs: stored.logs.into_iter().map(Into::into).collect(),
            vhosts: vhosts
                .map(|(name, declared)| (name, exchanges(declared)))
                .collect(),
        }
    }
}

impl From<Log> for crate::Log {
    fn from(stored: Log) -> Self {
        let mut log = Self::new(stored.config.into());
        log.partitions = stored.partitions;
        log.ledgers = stored.ledgers.into_iter().map(Into::into).collect();
        log.spread = stored.spread;
        log.deduplication = stored.deduplication;
        log.forget_at = stored.forget_at;
        log
    }
}

impl From<Ledger> for crate::Ledger {
    fn from(stored: Ledger) -> Self {
        let mut ledger = Self::new(stored.id, stored.config.into());
        ledger.parts = stored.parts;
        ledger.rotation = stored.rotation;
        ledger.attempts = stored.attempts;
        ledger
    }
}
