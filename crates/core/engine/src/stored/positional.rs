//! Parts of the state in forms 1 and 2, which identify the fields of a struct by position. Read,
//! never written.
//!
//! Form 1 has different configurations than form 2: `C` for a log, `L` for a ledger.

use std::collections::BTreeMap;

use serde::Deserialize;
use stele_base_types::{Name, Offset, PartitionId, PartitionIndex, ProducerId, Timestamp};

use crate::{
    GroupAssignments as Assignments, LedgerId, Links,
    group::Committed,
    log::{
        Attempts, Deduplication, Delayed, Fifo, LogsHeader, Marks, PartLease, Producers, Ranges,
        Seen,
    },
};

#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) logs: LogsHeader,
    pub(super) producer_next: ProducerId,
    pub(super) latest: Timestamp,
    pub(super) links: Links,
}

#[derive(Deserialize)]
pub(super) struct Log<C, L> {
    config: C,
    partitions: Vec<Partition>,
    ledgers: Vec<Ledger<L>>,
    spread: PartitionIndex,
    deduplication: Deduplication,
    forget_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Partition {
    start: Offset,
    end: Offset,
    average_bytes: u32,
    producers: Producers,
}

#[derive(Deserialize)]
struct Ledger<L> {
    id: LedgerId,
    config: L,
    parts: Vec<Part>,
    rotation: PartitionIndex,
    attempts: Attempts,
}

#[derive(Deserialize)]
struct Part {
    next: Offset,
    leased: BTreeMap<Offset, PartLease>,
    returned: BTreeMap<Offset, Seen>,
    delayed: BTreeMap<Offset, Delayed>,
    ahead: Ranges,
    fifo: Option<Box<Fifo>>,
    times: Marks,
    expired: Offset,
}

#[derive(Deserialize)]
struct Group {
    offsets: BTreeMap<PartitionId, Committed>,
    assignments: Assignments,
    touched: Timestamp,
}

/// The groups of a bucket, or of a shard.
#[derive(Deserialize)]
pub(super) struct Groups(BTreeMap<Name, Group>);

impl<C: Into<crate::LogConfig>, L: Into<crate::LedgerConfig>> From<Log<C, L>> for crate::Log {
    fn from(stored: Log<C, L>) -> Self {
        let mut log = Self::new(stored.config.into());
        log.partitions = stored.partitions.into_iter().map(Into::into).collect();
        log.ledgers = stored.ledgers.into_iter().map(Into::into).collect();
        log.spread = stored.spread;
        log.deduplication = stored.deduplication;
        log.forget_at = stored.forget_at;
        log
    }
}

impl From<Partition> for crate::Partition {
    fn from(stored: Partition) -> Self {
        Self {
            start: stored.start,
            end: stored.end,
            average_bytes: stored.average_bytes,
            producers: stored.producers,
            ..Self::default()
        }
    }
}

impl<L: Into<crate::LedgerConfig>> From<Ledger<L>> for crate::Ledger {
    fn from(stored: Ledger<L>) -> Self {
        let mut ledger = Self::new(stored.id, None, stored.config.into());
        ledger.parts = stored.parts.into_iter().map(Into::into).collect();
        ledger.rotation = stored.rotation;
        ledger.attempts = stored.attempts;
        ledger
    }
}

impl From<Part> for crate::log::Part {
    fn from(stored: Part) -> Self {
        let mut part = Self::default();
        part.next = stored.next;
        part.leased = stored.leased;
        part.returned = stored.returned;
        part.delayed = stored.delayed;
        part.ahead = stored.ahead;
        part.fifo = stored.fifo;
        part.times = stored.times.into();
        part.expired = stored.expired;
        part
    }
}

impl From<Groups> for BTreeMap<Name, crate::group::Group> {
    fn from(stored: Groups) -> Self {
        let groups = stored.0.into_iter();
        groups
            .map(|(name, group)| {
                let mut present = crate::group::Group::default();
                present.offsets = group.offsets;
                present.assignments = group.assignments;
                present.touched = group.touched;
                (name, present)
            })
            .collect()
    }
}
