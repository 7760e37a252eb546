//! What happens to a log.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{Name, Offset, PartitionIndex, SessionId, Timestamp};

use super::{
    Clearing, ConsumerRef, CursorMove, LeaseId, LeaseRequest, LedgerId, OpenedLedger, Remembered,
    Subscription,
};
use crate::{LogConfig, Token};

/// A change of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LogRecord {
    /// It was taken up, or its configuration changed.
    Opened {
        /// Its configuration from now on.
        config: LogConfig,
        /// When, by the engine's time.
        at: Timestamp,
    },
    /// It is gone.
    Closed,
    /// A partition begins later; what ledgers still had before is settled.
    Trimmed {
        /// The partition.
        partition: PartitionIndex,
        /// Its new start.
        to: Offset,
    },
    /// All deduplication ids, attempts and producers beyond their time were forgotten. No longer
    /// decided: [`LogRecord::ForgottenSome`] is.
    Forgotten {
        /// When, by the engine's time.
        at: Timestamp,
    },
    /// Something happened to a ledger.
    Ledger(LedgerId, LedgerRecord),
    /// A pool of a session's consumers has another limit. Not journalled.
    PoolLimited {
        /// The session.
        session: SessionId,
        /// Its pool.
        pool: u64,
        /// Unsettled records that it may hold.
        limit: Option<u32>,
    },
    /// It is gone, and so is its definition.
    Undefined,
    /// Somebody waits for the end of its deletion. Not journalled.
    DeletionAwaited {
        /// Where to answer.
        token: Token,
        /// How many records were ready.
        ready: u64,
    },
    /// It was used: it goes its time after that, unless it has consumers. Not journalled.
    Used {
        /// When, by the engine's time.
        at: Timestamp,
    },
    /// Some of what it left when it was closed is gone. Not journalled.
    Swept,
    /// This is yet to be settled of it, in order. Not journalled.
    Clearing(Vec<Clearing>),
    /// Some of the deduplication ids, attempts and producers beyond their time were forgotten.
    ForgottenSome {
        /// When, by the engine's time.
        at: Timestamp,
        /// The first that was looked at.
        from: Remembered,
    },
    /// A named ledger was opened, or its configuration changed.
    LedgerOpened(Box<OpenedLedger>),
    /// A named ledger is gone.
    LedgerClosed(LedgerId),
    /// A consumer group has moved.
    CursorMoved {
        /// Which.
        group: Name,
        /// To where.
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
    /// How many, from 1.
    pub count: u32,
}

/// A change of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LedgerRecord {
    /// Records were leased.
    Leased {
        /// Which.
        run: Run,
        /// The lease of the first one; those of the others follow it.
        lease: LeaseId,
        /// Who holds them.
        holder: ConsumerRef,
        /// When they return; `None` with the holder's session.
        until: Option<Timestamp>,
        /// When, by the engine's time.
        at: Timestamp,
        /// The attempt that a repetition names.
        attempt: Option<u128>,
    },
    /// Records were settled by handing them out.
    Taken {
        /// Which.
        run: Run,
        /// To whom.
        holder: ConsumerRef,
    },
    /// Records were settled, whatever their state.
    Settled(Run),
    /// Records that were leased, or were to be moved, went back to their places.
    Returned {
        /// Which.
        run: Run,
        /// Hidden until then; `None` is ready at once.
        until: Option<Timestamp>,
    },
    /// Leases have another deadline.
    Extended {
        /// Which.
        run: Run,
        /// When they return now.
        until: Timestamp,
    },
    /// Delayed records became ready.
    DelayEnded(Run),
    /// What is before these offsets and isn't leased was settled.
    Purged(SmallVec<[(PartitionIndex, Offset); 1]>),
    /// What is before `to` is too old: settled unless leased, and not to return from a lease.
    Expired {
        /// The partition.
        partition: PartitionIndex,
        /// The first record that isn't too old.
        to: Offset,
    },
    /// A consumer subscribed. Not journalled.
    Subscribed(Box<Subscription>),
    /// A consumer ended its subscription; what it leases it keeps. Not journalled.
    Unsubscribed(ConsumerRef),
    /// A consumer is gone with its session. Not journalled.
    Dropped(ConsumerRef),
    /// A consumer's transport took bytes. Not journalled.
    Credited {
        /// Whose.
        consumer: ConsumerRef,
        /// How many.
        bytes: u64,
    },
    /// A request waits for a record. Not journalled.
    Waiting {
        /// What is asked for.
        request: Box<LeaseRequest>,
        /// Until when.
        until: Timestamp,
        /// Where to answer.
        token: Token,
    },
    /// A wait was answered. Not journalled.
    WaitEnded(Token),
    /// What is before these offsets was settled, leased or not.
    Cleared(SmallVec<[(PartitionIndex, Offset); 1]>),
    /// Records are on their way to other logs, whatever their state was. They are settled, or
    /// return, when it is known what has become of them there.
    Moving(Run),
    /// Records whose leases had ended, and that nobody got since, are leased so again.
    Renewed {
        /// Which.
        run: Run,
        /// The lease of the first one; those of the others follow it.
        lease: LeaseId,
        /// Who holds them.
        holder: ConsumerRef,
        /// When they return.
        until: Timestamp,
    },
}

impl LogRecord {
    /// The instant that it bears, where that is journalled.
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
    /// The run that it is of.
    pub(crate) fn run(&self) -> Option<&Run> {
        match self {
            Self::Leased { run, .. }
            | Self::Taken { run, .. }
            | Self::Settled(run)
            | Self::Returned { run, .. }
            | Self::Extended { run, .. }
            | Self::DelayEnded(run)
            | Self::Moving(run)
            | Self::Renewed { run, .. } => Some(run),
            _ => None,
        }
    }

    /// Leases are, so that counts of deliveries survive; consumers and waits die with the process.
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
            | Self::Expired { .. } => true,
            Self::Subscribed(_)
            | Self::Unsubscribed(_)
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

    /// Its records.
    pub fn offsets(&self) -> impl Iterator<Item = Offset> + use<> {
        (self.first.0..self.end().0).map(Offset)
    }

    /// Adds one record to runs: to the last one, where it follows.
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

    /// Takes in the record at `offset` where it follows directly.
    pub(crate) fn extend(&mut self, partition: PartitionIndex, offset: Offset) -> bool {
        let follows = self.partition == partition && self.end() == offset;
        self.count += u32::from(follows);
        follows
    }
}
