//! Why a command to a log is refused.

use stele_base_types::{Offset, PartitionId, ProducerEpoch, Sequence};

use crate::{Contradiction, limits::POOL_CONSUMERS_MAX};

/// A refusal of what is asked of a log or its ledger: nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The log doesn't exist (any more). The caller looks the name up again.
    #[error("no such log")]
    NoSuchLog,
    /// The log hasn't so many partitions.
    #[error("no such partition")]
    NoSuchPartition,
    /// The log has no such ledger: no queue protocol has opened it yet.
    #[error("no such ledger")]
    NoSuchLedger,
    /// It has consumers and was to be closed only without.
    #[error("in use")]
    InUse,
    /// It has ready records and was to be closed only without.
    #[error("not empty")]
    NotEmpty,
    /// It has an exclusive consumer, or was to get one while it has others.
    #[error("exclusive access refused")]
    Exclusive,
    /// A session's consumer of that id exists already.
    #[error("consumer exists")]
    ConsumerExists,
    /// A pool (an AMQP channel) has as many consumers as it may have.
    #[error("reached maximum ({POOL_CONSUMERS_MAX}) of consumers")]
    TooManyConsumers,
    /// The offset is before the partition's start or after its end.
    #[error("offset {offset} is outside {start}..={end}")]
    OffsetOutOfRange {
        /// Asked.
        offset: Offset,
        /// First one there.
        start: Offset,
        /// One after the last.
        end: Offset,
    },
    /// As many records of the ledger are leased as the request allows. The caller asks again once
    /// some are settled.
    #[error("too many records are leased")]
    TooManyLeased,
}

/// A refusal to open a named ledger: nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenLedgerError {
    /// The log, or where the ledger is to begin, isn't there.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log has as many as it may have.
    #[error("a log has at most {} ledgers", crate::limits::LEDGERS_MAX)]
    TooMany,
    /// Records of a ledger are listed by group, or not, from the first one on.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}

/// A refusal to append: nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The log doesn't exist (any more). The caller looks the name up again.
    #[error("no such log")]
    NoSuchLog,
    /// The log hasn't so many partitions.
    #[error("no such partition")]
    NoSuchPartition,
    /// An append is malformed: no targets, no records, columns of more records than it has.
    #[error("malformed append: {0}")]
    Malformed(&'static str),
    /// The log hides new records for a time, and a batch may hold so many of them. The caller
    /// appends it in parts.
    #[error(
        "at most {} records that are delayed",
        crate::limits::DELAYED_RECORDS_MAX
    )]
    TooManyDelayed,
    /// The producer's next sequence number was expected (KIP-98): one before is missing, or this
    /// one was appended so long ago that its offset is no longer known.
    #[error("partition {partition}: sequence {got} where {expected} was expected")]
    OutOfOrderSequence {
        /// Where.
        partition: PartitionId,
        /// Sent.
        got: Sequence,
        /// The one that was expected.
        expected: Sequence,
    },
    /// A newer producer of this id has taken over (KIP-98).
    #[error("producer epoch {got} is fenced by {current}")]
    ProducerFenced {
        /// Sent.
        got: ProducerEpoch,
        /// In force.
        current: ProducerEpoch,
    },
    /// The batch's records don't go together: those before this place (from 1) do, and the one at
    /// it doesn't go with them. It belongs to another partition by its key, or one of the two is
    /// there already and the other isn't. The caller appends the ones before it alone, then the
    /// rest.
    #[error("the records from place {0} on don't go with those before")]
    Divided(u32),
}

/// A refusal to move a record: nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The log that it lies in, or its ledger, isn't there.
    #[error(transparent)]
    Log(#[from] LogError),
    /// It isn't leased by the lease that is named; or, where none is, it is settled or on its way
    /// already. Somebody else has it: the caller forgets it.
    #[error("the record isn't leased so")]
    NotLeased,
    /// The log that it was to go to doesn't take it. Told where both lie on one shard; elsewhere
    /// the record returns to its place.
    #[error("the target doesn't take it: {0}")]
    Target(AppendError),
    /// What it says of the record's headers takes more than may be kept for it.
    #[error("headers of {size_bytes} bytes are changed, {size_bytes_max} may be")]
    Headers {
        /// What they take.
        size_bytes: usize,
        /// The most that they may.
        size_bytes_max: usize,
    },
}

/// A refusal to take a log up: nothing has changed. The catalogue defines no log that is refused
/// so, but for one that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The log was closed: its definition is about to go.
    #[error("the log is closed")]
    Closed,
    /// Fewer partitions than there are, none, or too many.
    #[error("a log of {existing} partitions can't become one of {requested}")]
    Partitions {
        /// What it has.
        existing: u32,
        /// What was asked.
        requested: u32,
    },
    /// The queue is FIFO and is to be none, or the other way round: its records are listed by
    /// group from the first one on, or never.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}
