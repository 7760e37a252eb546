//! The changes of a log.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Name, Offset, PartitionIndex, SessionId, Timestamp};

use super::{
    Clearing, ConsumerRef, CursorMove, DeathReason, LeaseId, LeaseRequest, LedgerId, OpenedLedger,
    Remembered, Subscription,
};
use crate::{LogConfig, Token};

/// A change of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LogRecord {
    /// The log was opened, or its configuration changed.
    Opened {
        /// Its new configuration.
        config: LogConfig,
        /// The time, by the engine's clock.
        at: Timestamp,
    },
    /// The log was closed.
    Closed,
    /// A partition's start has moved; records before it are settled in all ledgers.
    Trimmed {
        /// The partition.
        partition: PartitionIndex,
        /// Its new start.
        to: Offset,
    },
    /// All expired deduplication ids, attempts and producers were removed. No longer written:
    /// replaced by [`LogRecord::ForgottenSome`].
    Forgotten {
        /// The time, by the engine's clock.
        at: Timestamp,
    },
    /// A change of a ledger.
    Ledger(LedgerId, LedgerRecord),
    /// The limit of a pool of a session's consumers has changed. Not journalled.
    PoolLimited {
        /// The session.
        session: SessionId,
        /// The session's pool.
        pool: u64,
        /// How many unsettled records the pool may hold.
        limit: Option<u32>,
    },
    /// A closed log's definition was removed.
    Undefined,
    /// A client waits for the end of its deletion. Not journalled.
    DeletionAwaited {
        /// The token of the answer.
        token: Token,
        /// How many records were ready.
        ready: u64,
    },
    /// It was used, which extends its life unless it has consumers. Not journalled.
    Used {
        /// The time, by the engine's clock.
        at: Timestamp,
    },
    /// A piece of what a closed log left was removed. Not journalled.
    Swept,
    /// What remains to be cleared, in order. Not journalled.
    Clearing(Vec<Clearing>),
    /// Some expired deduplication ids, attempts and producers were removed.
    ForgottenSome {
        /// The time, by the engine's clock.
        at: Timestamp,
        /// The first entry examined.
        from: Remembered,
    },
    /// A named ledger was opened, or its configuration changed.
    LedgerOpened(Box<OpenedLedger>),
    /// A named ledger was closed.
    LedgerClosed(LedgerId),
    /// A consumer group's offsets have moved.
    CursorMoved {
        /// The group.
        group: Name,
        /// Its new offsets.
        moves: Vec<CursorMove>,
    },
}

/// Consecutive records of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Run {
    /// The partition.
    pub partition: PartitionIndex,
    /// The first record.
    pub first: Offset,
    /// The number of records, at least 1.
    pub count: u32,
}

/// A change of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LedgerRecord {
    /// Records were leased.
    Leased {
        /// The records.
        run: Run,
        /// The lease of the first one; those of the others are consecutive.
        lease: LeaseId,
        /// The holder.
        holder: ConsumerRef,
        /// When they return; `None`: when the holder's session ends.
        until: Option<Timestamp>,
        /// The time, by the engine's clock.
        at: Timestamp,
        /// The attempt, by which a repeated request finds them.
        attempt: Option<u128>,
    },
    /// Records were settled on delivery.
    Taken {
        /// The records.
        run: Run,
        /// The recipient.
        holder: ConsumerRef,
    },
    /// Records were settled, whatever their state.
    Settled(Run),
    /// Leased or moving records returned to their place.
    Returned {
        /// The records.
        run: Run,
        /// How long they are delayed; `None` if they are ready at once.
        until: Option<Timestamp>,
    },
    /// Leases got a new deadline.
    Extended {
        /// The records.
        run: Run,
        /// The new deadline.
        until: Timestamp,
    },
    /// Delayed records became ready.
    DelayEnded(Run),
    /// Records before these offsets were settled, except leased ones.
    Purged(SmallVec<[(PartitionIndex, Offset); 1]>),
    /// Records before `to` have expired: they are settled unless leased, and don't return from a
    /// lease.
    Expired {
        /// The partition.
        partition: PartitionIndex,
        /// The first record that hasn't expired.
        to: Offset,
    },
    /// A consumer subscribed. Not journalled.
    Subscribed(Box<Subscription>),
    /// A consumer unsubscribed; it keeps the records that it has leased. Not journalled.
    Unsubscribed {
        /// The consumer.
        consumer: ConsumerRef,
        /// Whether the next one takes over only when its leases have ended.
        lingers: bool,
    },
    /// A consumer was removed because its session ended. Not journalled.
    Dropped(ConsumerRef),
    /// A consumer's transport has taken bytes. Not journalled.
    Credited {
        /// The consumer.
        consumer: ConsumerRef,
        /// The number of bytes.
        bytes: u64,
    },
    /// A request waits for a record. Not journalled.
    Waiting {
        /// The request.
        request: Box<LeaseRequest>,
        /// The deadline.
        until: Timestamp,
        /// The token of the answer.
        token: Token,
    },
    /// A wait was answered. Not journalled.
    WaitEnded(Token),
    /// Records before these offsets were settled, including leased ones.
    Cleared(SmallVec<[(PartitionIndex, Offset); 1]>),
    /// Records are being moved to other logs, whatever their state was. They are settled or return
    /// when the result is known.
    Moving(Run),
    /// Records whose leases had ended, and that nobody leased since, are leased again under the
    /// same leases.
    Renewed {
        /// The records.
        run: Run,
        /// The lease of the first one; those of the others are consecutive.
        lease: LeaseId,
        /// The holder.
        holder: ConsumerRef,
        /// When they return.
        until: Timestamp,
    },
    /// Records left for this reason, whatever their state was: they are dead if the ledger has
    /// dead letters for it, otherwise settled.
    Left {
        /// The records.
        run: Run,
        /// The reason.
        reason: DeathReason,
    },
    /// Dead records are being copied to these logs, and stay.
    Copying {
        /// The records.
        run: Run,
        /// The logs.
        to: SmallVec<[LogId; 1]>,
    },
    /// Dead records were copied to these logs, after `Copying` or at once.
    Copied {
        /// The records.
        run: Run,
        /// The logs.
        to: SmallVec<[LogId; 1]>,
    },
    /// The own time to live of records is over: they leave, and leased and moving ones don't
    /// return.
    LifeEnded(Run),
}

impl LogRecord {
    /// Its time, if it is journalled.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Opened { at, .. }
            | Self::Forgotten { at }
            | Self::ForgottenSome { at, .. }
            | Self::Ledger(_, LedgerRecord::Leased { at, .. }) => Some(*at),
            Self::LedgerOpened(opened) => Some(opened.at),
            _ => None,
        }
    }

    pub(crate) fn is_journalled(&self) -> bool {
        match self {
            Self::Opened { .. }
            | Self::Closed
            | Self::Undefined
            | Self::Trimmed { .. }
            | Self::Forgotten { .. }
            | Self::ForgottenSome { .. }
            | Self::LedgerOpened(_)
            | Self::LedgerClosed(_)
            | Self::CursorMoved { .. } => true,
            Self::PoolLimited { .. }
            | Self::Used { .. }
            | Self::DeletionAwaited { .. }
            | Self::Swept
            | Self::Clearing(_) => false,
            Self::Ledger(_, record) => record.is_journalled(),
        }
    }
}

impl LedgerRecord {
    /// The run that it affects.
    pub(crate) fn run(&self) -> Option<&Run> {
        match self {
            Self::Leased { run, .. }
            | Self::Taken { run, .. }
            | Self::Settled(run)
            | Self::Returned { run, .. }
            | Self::Extended { run, .. }
            | Self::DelayEnded(run)
            | Self::Moving(run)
            | Self::LifeEnded(run)
            | Self::Renewed { run, .. }
            | Self::Left { run, .. }
            | Self::Copying { run, .. }
            | Self::Copied { run, .. } => Some(run),
            _ => None,
        }
    }

    /// Leases are journalled so that delivery counts survive. Consumers and waits end with the
    /// process.
    fn is_journalled(&self) -> bool {
        match self {
            Self::Leased { .. }
            | Self::Taken { .. }
            | Self::Settled(_)
            | Self::Returned { .. }
            | Self::Extended { .. }
            | Self::DelayEnded(_)
            | Self::Purged(_)
            | Self::Cleared(_)
            | Self::Moving(_)
            | Self::Renewed { .. }
            | Self::Left { .. }
            | Self::LifeEnded(_)
            | Self::Copying { .. }
            | Self::Copied { .. }
            | Self::Expired { .. } => true,
            Self::Subscribed(_)
            | Self::Unsubscribed { .. }
            | Self::Dropped(_)
            | Self::Credited { .. }
            | Self::Waiting { .. }
            | Self::WaitEnded(_) => false,
        }
    }
}

impl Run {
    /// One after the last record.
    pub fn end(&self) -> Offset {
        self.first.plus(u64::from(self.count))
    }

    /// The offsets of its records.
    pub fn offsets(&self) -> impl Iterator<Item = Offset> + use<> {
        (self.first.0..self.end().0).map(Offset)
    }

    /// Adds a record to runs, extending the last run if it is adjacent.
    pub fn push(runs: &mut SmallVec<[Self; 2]>, partition: PartitionIndex, offset: Offset) {
        let follows = runs
            .last_mut()
            .is_some_and(|run| run.extend(partition, offset));
        if !follows {
            runs.push(Self {
                partition,
                first: offset,
                count: 1,
            });
        }
    }

    /// Adds the record at `offset` if it is adjacent.
    pub(crate) fn extend(&mut self, partition: PartitionIndex, offset: Offset) -> bool {
        let follows = self.partition == partition && self.end() == offset;
        self.count += u32::from(follows);
        follows
    }
}
