//! Logs with their partitions, producers and ledgers.
//!
//! ```text
//!  Logs ── Log ─┬─ Partition: start ≤ committed ≤ end, producers
//!               └─ Ledger: consumers, waits, and for each partition what is leased, returned,
//!                          delayed or done; everything from `next` to `committed` is ready
//! ```

mod record;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Offset, PartitionId, SessionId, Timestamp};

pub use self::record::LogRecord;
use crate::{
    Decision, LogConfig, Record,
    command::{Append, LogCommand},
};

/// A ledger of a log: 0 is the default one, which AMQP and SQS consume from.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct LedgerId(pub u32);

impl LedgerId {
    /// The ledger that AMQP and SQS consume from.
    pub const DEFAULT: Self = Self(0);
}

/// A lease: unique on its shard, never reused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct LeaseId(pub u64);

/// The logs of a shard.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Logs {
    logs: HashMap<LogId, Log>,
}

/// A log on its shard.
#[derive(Debug, Serialize, Deserialize)]
pub struct Log {
    /// What it is set to be.
    pub config: LogConfig,
    /// Its partitions, by index.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Partition {
    /// The first offset that is kept.
    pub start: Offset,
    /// One after the last record that may be shown.
    #[serde(skip)]
    pub committed: Offset,
    /// One after the last record.
    pub end: Offset,
}

/// What a subscription has acknowledged of a log.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ledger {}

impl Ledger {
    /// Records that may be leased now.
    pub fn ready(&self) -> u64 {
        0
    }

    /// Records that are leased.
    pub fn leased(&self) -> u64 {
        0
    }

    /// Records that are hidden until later.
    pub fn delayed(&self) -> u64 {
        0
    }

    /// Subscribed consumers.
    pub fn consumers(&self) -> u64 {
        0
    }
}

impl Log {
    /// One of its ledgers.
    pub fn ledger(&self, _ledger: LedgerId) -> Option<&Ledger> {
        None
    }
}

impl Logs {
    /// A log.
    pub fn log(&self, log: LogId) -> Option<&Log> {
        self.logs.get(&log)
    }

    /// A partition.
    pub fn partition(&self, partition: PartitionId) -> Option<&Partition> {
        let index = usize::try_from(partition.index.0).ok()?;
        self.log(partition.log)?.partitions.get(index)
    }

    /// All logs.
    pub fn iter(&self) -> impl Iterator<Item = (LogId, &Log)> {
        self.logs.iter().map(|(id, log)| (*id, log))
    }

    /// The first offset of a partition that anyone is still entitled to, given where its retention
    /// window begins (`Offset::ZERO` keeps all; ignored where the log has no window).
    pub fn keep_from(&self, _partition: PartitionId, _window: Offset) -> Offset {
        Offset::ZERO
    }

    pub(crate) fn decide(&self, _log: LogId, _command: LogCommand, _now: Timestamp) -> Decision {
        Decision::nothing()
    }

    pub(crate) fn append(&self, _append: Append, _now: Timestamp) -> Decision {
        Decision::nothing()
    }

    pub(crate) fn committed(&self, _ends: &[(PartitionId, Offset)]) -> Decision {
        Decision::nothing()
    }

    pub(crate) fn session_closed(&self, _session: SessionId) -> Decision {
        Decision::nothing()
    }

    pub(crate) fn dispatch(&self, _log: LogId, _now: Timestamp) -> Decision {
        Decision::nothing()
    }

    pub(crate) fn tick(&self, _now: Timestamp) -> Decision {
        Decision::nothing()
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    pub(crate) fn apply(&mut self, _log: LogId, _record: &LogRecord) {}

    pub(crate) fn apply_appended(&mut self, _record: &Record) {}

    pub(crate) fn apply_committed(&mut self, _partition: PartitionId, _end: Offset) {}

    pub(crate) fn apply_session_closed(&mut self, _session: SessionId) {}

    pub(crate) fn recovered(&mut self) {}
}
