//! Logs with their partitions, producers and ledgers.
//!
//! ```text
//!  Logs ── Log ─┬─ Partition: start ≤ committed ≤ end, producers
//!               └─ Ledger: consumers, waits, and for each partition what is leased, returned or
//!                          delayed; everything else from `next` to `committed` is ready
//! ```
//!
//! Each operation has one file with its decision and the resulting change.

mod append;
mod clear;
mod close;
mod columns;
mod commit;
mod cursor;
mod deduplication;
mod error;
mod forget;
mod holder;
mod index;
mod ledger;
mod named;
mod open;
mod partition;
mod producer;
mod record;
mod session;
mod sizes;
mod skip;
mod stored;
mod sweep;
mod tick;
mod trim;
mod unused;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, PartitionId, PartitionIndex, ProcessEpoch, Timestamp};

pub use self::{
    append::{Append, AppendResult, AppendTarget, Appended, partition_of_key},
    clear::Clearing,
    close::DeleteLog,
    columns::{Columns, Schedule},
    commit::{Admit, Barrier, Commit, CommitPart, PartAppend, PartBody, PartSettle},
    cursor::CursorMove,
    error::{AppendError, LogError, MoveError, OpenError, OpenLedgerError},
    forget::Remembered,
    holder::Holder,
    ledger::{
        CancelWait, ConsumerRef, Credit, DeadRun, DeathReason, DeathReasons, Delivery, Extend,
        Extension, HeaderChange, Lease, LeaseRequest, LeasedRecord, LeasedRun, Ledger, Missing,
        Move, MoveEnd, MovedRun, MovingRun, Origin, Outcome, Peek, PeekState, Peeked, PeekedRecord,
        PerRecord, Prefetch, Purge, Renewal, RoomLeft, Settle, SettleItem, Subscribe, Subscription,
        TakenBy, Unsubscribe,
    },
    named::{CloseLedger, LedgerStart, OpenLedger, OpenedLedger},
    open::OpenLog,
    partition::Partition,
    producer::{DescribeProducers, KnownProducer, ProducerStamp},
    record::{LedgerRecord, LogRecord, Run},
    skip::Skip,
    trim::{Trim, TrimReason},
    unused::UseLog,
};
pub(crate) use self::{
    columns::{Column, Fields},
    deduplication::Deduplication,
    ledger::{Attempts, Delayed, Fifo, Marks, Part, PartLease, Ranges, Seen},
    producer::Producers,
    stored::LogsHeader,
};
use self::{cursor::Cursors, index::Indexes, ledger::Site};
use crate::{LogConfig, Token, stored::stored_fields};

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
#[derive(Debug, Default)]
pub struct Logs {
    logs: BTreeMap<LogId, Box<Log>>,
    /// The current process's epoch, or before a start the last one's.
    epoch: ProcessEpoch,
    /// Leases before this one may have been given out.
    lease_last: LeaseId,
    /// Records from before this time may have been handed out without a trace: a process ended then
    /// whose last leases may not have reached the disk.
    doubted: Timestamp,
    /// The last process ended cleanly, with all its changes in the journal.
    has_stopped: bool,
    /// Closed logs whose definition may still exist. If one were opened again, it would begin at
    /// offset 0 again.
    closed: BTreeSet<LogId>,
    /// The remains of closed logs. Not in snapshots.
    closing: BTreeMap<LogId, Box<Log>>,
    /// What remains to be cleared of logs, in order. Not in snapshots.
    clearing: BTreeMap<LogId, Vec<Clearing>>,
    /// Who waits for the end of a deletion, and how many ready records were deleted.
    deleting: BTreeMap<LogId, Vec<(Token, u64)>>,
    pub(crate) indexes: Indexes,
    /// What is known of single records may take so much in memory; `None` is no bound.
    pub(crate) records_bytes_max: Option<usize>,
}

/// A log on its shard.
#[derive(Debug, Default, PartialEq)]
pub struct Log {
    /// Its configuration.
    pub config: LogConfig,
    /// Its partitions, by index.
    pub partitions: Vec<Partition>,
    pub(crate) ledgers: Vec<Ledger>,
    /// The last named ledger opened.
    ledger_last: LedgerId,
    cursors: Cursors,
    /// The partition for the next record without one.
    pub(crate) spread: PartitionIndex,
    pub(crate) deduplication: Deduplication,
    /// When to remove expired entries.
    pub(crate) forget_at: Option<Timestamp>,
    /// Where to continue with that. This and the following fields aren't stored: a new process
    /// begins at the front.
    forget_from: Remembered,
    /// Whether it is listed as having records to hand out.
    is_hot: bool,
    /// Whether it is listed as having dead records to be moved.
    is_dying: bool,
    /// Whether it is listed as having too many ready records.
    is_long: bool,
    /// Whether it is listed as limiting how many bytes are ready.
    is_sized: bool,
    /// When it was last used, apart from consumers. A new process counts from its start.
    used_at: Option<Timestamp>,
    /// How many of its deduplication ids the indexes have counted.
    ids_counted: usize,
    /// What they have counted for the sizes of its bodies.
    bodies_counted: usize,
    /// When it is deleted because it is unused, as entered in the deadlines.
    ends_at: Option<Timestamp>,
}

stored_fields! {
    Log {
        Config config: LogConfig,
        Partitions partitions: Vec<Partition>,
        Ledgers ledgers: Vec<Ledger>,
        Spread spread: PartitionIndex,
        Deduplication deduplication: Deduplication,
        ForgetAt forget_at: Option<Timestamp>,
        LedgerLast ledger_last: LedgerId,
        Cursors cursors: Cursors,
    }
}

impl Log {
    /// One of its ledgers.
    pub fn ledger(&self, ledger: LedgerId) -> Option<&Ledger> {
        self.ledgers.iter().find(|known| known.id() == ledger)
    }

    /// A log without partitions and ledgers.
    pub(crate) fn new(config: LogConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    fn known_ledger(&self, ledger: LedgerId) -> Result<&Ledger, LogError> {
        self.ledger(ledger).ok_or(LogError::NoSuchLedger)
    }

    fn ledger_mut(&mut self, ledger: LedgerId) -> Option<&mut Ledger> {
        let mut ledgers = self.ledgers.iter_mut();
        ledgers.find(|known| known.id() == ledger)
    }

    /// The ledger that a consumer is subscribed to, or was.
    fn ledger_of(&self, consumer: ConsumerRef) -> Option<&Ledger> {
        let mut ledgers = self.ledgers.iter();
        ledgers.find(|ledger| ledger.has_consumer(consumer))
    }

    /// Enters its content into indexes that don't have it yet.
    fn index(&self, id: LogId, indexes: &mut Indexes) {
        for ledger in &self.ledgers {
            let mut site = Site {
                log: id,
                ledger: ledger.id(),
                indexes,
            };
            ledger.index(&mut site);
        }
        self.index_forgetting(id, indexes);
    }

    /// Has the indexes count as many deduplication ids as there are.
    fn count_ids(&mut self, indexes: &mut Indexes) {
        let count = self.deduplication.len();
        indexes.ids = indexes.ids - self.ids_counted + count;
        self.ids_counted = count;
    }

    /// Has the indexes count what the sizes of its bodies take.
    fn count_bodies(&mut self, indexes: &mut Indexes) {
        if self.limits_bytes() || self.bodies_counted > 0 {
            let bytes = self
                .ledgers
                .iter()
                .map(|ledger| ledger.bodies_memory())
                .sum();
            indexes.bodies_bytes = indexes.bodies_bytes - self.bodies_counted + bytes;
            self.bodies_counted = bytes;
        }
    }

    /// Lists it while there is work to do for it.
    fn list(&mut self, id: LogId, indexes: &mut Indexes) {
        let mut note =
            |now: bool, listed: &mut bool, list: fn(&mut Indexes) -> &mut BTreeSet<LogId>| {
                if now != std::mem::replace(listed, now) {
                    let list = list(indexes);
                    if now {
                        list.insert(id);
                    } else {
                        list.remove(&id);
                    }
                }
            };
        let ledgers = self.ledgers.iter();
        let is_hot = ledgers.clone().any(|ledger| ledger.is_hot());
        let is_dying = ledgers.clone().any(|ledger| ledger.has_dead());
        let is_long = ledgers.clone().any(|ledger| ledger.is_too_long());
        note(is_hot, &mut self.is_hot, |indexes| &mut indexes.hot);
        note(is_dying, &mut self.is_dying, |indexes| &mut indexes.dead);
        note(is_long, &mut self.is_long, |indexes| &mut indexes.long);
        let limits_bytes = self.limits_bytes();
        let listed = &mut self.is_sized;
        note(limits_bytes, listed, |indexes| &mut indexes.sized);
    }

    fn subscribers(&self) -> impl Iterator<Item = &Subscription> + use<'_> {
        self.ledgers.iter().flat_map(|ledger| ledger.subscribers())
    }

    fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }

    fn partition_mut(&mut self, index: PartitionIndex) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index.0).ok()?)
    }

    fn is_fifo(&self) -> bool {
        self.config.queue.is_some_and(|queue| queue.fifo)
    }
}

impl Logs {
    /// A log.
    pub fn log(&self, log: LogId) -> Option<&Log> {
        self.logs.get(&log).map(|log| &**log)
    }

    /// A partition.
    pub fn partition(&self, partition: PartitionId) -> Option<&Partition> {
        self.log(partition.log)?.partition(partition.index)
    }

    /// Closed logs whose definition isn't known to be removed.
    pub fn closed(&self) -> impl Iterator<Item = LogId> {
        self.closed.iter().copied()
    }

    /// All logs, by id.
    pub fn iter(&self) -> impl Iterator<Item = (LogId, &Log)> {
        self.after(None)
    }

    /// The logs after `last`, or all, by id.
    pub fn after(&self, last: Option<LogId>) -> impl Iterator<Item = (LogId, &Log)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let logs = self.logs.range((from, Bound::Unbounded));
        logs.map(|(id, log)| (*id, &**log))
    }

    pub(crate) fn apply(&mut self, id: LogId, record: &LogRecord) {
        match record {
            LogRecord::Opened { config, at } => {
                self.sweep_all(id);
                self.apply_opened(id, *config, *at);
            }
            LogRecord::Swept => self.apply_swept(id),
            LogRecord::Clearing(left) => self.apply_clearing(id, left),
            LogRecord::Closed => self.apply_closed(id),
            LogRecord::Undefined => self.apply_undefined(id),
            LogRecord::DeletionAwaited { token, ready } => {
                self.deleting.entry(id).or_default().push((*token, *ready));
            }
            LogRecord::Trimmed { partition, to } => self.apply_cleared(id, *partition, *to),
            LogRecord::Forgotten { at } => self.apply_forgotten(id, *at),
            LogRecord::ForgottenSome { at, from } => self.apply_forgotten_some(id, *at, *from),
            LogRecord::Used { at } => self.apply_used(id, *at),
            LogRecord::Ledger(ledger, record) => self.apply_to_ledger(id, *ledger, record),
            LogRecord::LedgerOpened(opened) => self.apply_ledger_opened(id, opened),
            LogRecord::LedgerClosed(ledger) => self.apply_ledger_closed(id, *ledger),
            LogRecord::CursorMoved { group, moves } => {
                if let Some(log) = self.logs.get_mut(&id) {
                    log.apply_cursor_moved(group, moves);
                }
            }
            LogRecord::PoolLimited {
                session,
                pool,
                limit,
            } => {
                let key = (*session, *pool);
                self.indexes.change_pool(key, |pool| pool.limit = *limit);
            }
        }
        self.refresh_indexes(id);
    }

    fn apply_to_ledger(&mut self, id: LogId, ledger: LedgerId, record: &LedgerRecord) {
        if let Some(after) = record.lease_after() {
            self.lease_last = self.lease_last.max(after);
        }
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        if let Some(at) = record.attempted_at() {
            log.plan_forgetting(id, at, Some(append::IDS_PERIOD_MS), &mut self.indexes);
        }
        let bytes = record.handed_out().map_or(0, |run| log.bytes_of(*run));
        let mut site = Site {
            log: id,
            ledger,
            indexes: &mut self.indexes,
        };
        if let Some(ledger) = log.ledger_mut(ledger) {
            ledger.apply(record, bytes, &mut site);
        }
        if ledger == LedgerId::DEFAULT
            && let LedgerRecord::Purged(ends) | LedgerRecord::Cleared(ends) = record
        {
            log.forget_purged(ends);
        }
    }

    fn known(&self, log: LogId) -> Result<&Log, LogError> {
        self.log(log).ok_or(LogError::NoSuchLog)
    }

    /// Updates what depends on several logs, after one has changed.
    fn refresh_indexes(&mut self, changed: LogId) {
        for key in self.indexes.take_turned() {
            let members = self.indexes.members(key);
            for (log, ledger, consumer) in members {
                if let Some(known) = self.logs.get_mut(&log)
                    && let Some(ledger) = known.ledger_mut(ledger)
                {
                    ledger.queue(consumer, &self.indexes);
                }
                self.list(log);
            }
        }
        self.list(changed);
    }

    /// Lists a log while there is work to do for it, and enters the time of its deletion while it
    /// has one.
    fn list(&mut self, id: LogId) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        log.plan_end(id, &mut self.indexes);
        log.count_ids(&mut self.indexes);
        log.count_bodies(&mut self.indexes);
        log.list(id, &mut self.indexes);
    }

    /// Fills empty indexes from the logs.
    fn index_all(&mut self) {
        for (id, log) in &mut self.logs {
            log.index(*id, &mut self.indexes);
            log.count_ids(&mut self.indexes);
            log.count_bodies(&mut self.indexes);
            log.list(*id, &mut self.indexes);
        }
    }
}

#[cfg(test)]
mod tests;
