//! Why a command to a log is refused.

use stele_base_types::{Offset, PartitionId, ProducerEpoch, Sequence};

use crate::{Contradiction, limits::POOL_CONSUMERS_MAX};

/// A refusal by a log or its ledger: nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The log doesn't exist (any more). The caller looks up the name again.
    #[error("no such log")]
    NoSuchLog,
    /// The log has fewer partitions.
    #[error("no such partition")]
    NoSuchPartition,
    /// The log has no such ledger: no queue protocol has opened it yet.
    #[error("no such ledger")]
    NoSuchLedger,
    /// The log has consumers and was to be deleted only if it has none.
    #[error("in use")]
    InUse,
    /// The log has ready records and was to be deleted only if it has none.
    #[error("not empty")]
    NotEmpty,
    /// The log has an exclusive consumer, or one was requested while there are others.
    #[error("exclusive access refused")]
    Exclusive,
    /// The session already has a consumer with this id.
    #[error("consumer exists")]
    ConsumerExists,
    /// A pool (an AMQP channel) has the maximum number of consumers.
    #[error("reached maximum ({POOL_CONSUMERS_MAX}) of consumers")]
    TooManyConsumers,
    /// The offset is before the partition's start or after its end.
    #[error("offset {offset} is outside {start}..={end}")]
    OffsetOutOfRange {
        /// The requested offset.
        offset: Offset,
        /// The first one kept.
        start: Offset,
        /// One after the last.
        end: Offset,
    },
    /// The ledger has as many leased records as the request allows. The caller retries when some
    /// are settled.
    #[error("too many records are leased")]
    TooManyLeased,
}

/// A refusal to open a named ledger: nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenLedgerError {
    /// The log, or the offset where the ledger is to begin, doesn't exist.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log has the maximum number of ledgers.
    #[error("a log has at most {} ledgers", crate::limits::LEDGERS_MAX)]
    TooMany,
    /// Whether records of a ledger are listed by group can't change after the first one.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}

/// A refusal to append: nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The log doesn't exist (any more). The caller looks up the name again.
    #[error("no such log")]
    NoSuchLog,
    /// The log has fewer partitions.
    #[error("no such partition")]
    NoSuchPartition,
    /// The append is malformed: no targets, no records, or columns for more records than it has.
    #[error("malformed append: {0}")]
    Malformed(&'static str),
    /// The log delays new records, and this is the maximum number in a batch. The caller splits the
    /// batch.
    #[error(
        "at most {} delayed records in a batch",
        crate::limits::DELAYED_RECORDS_MAX
    )]
    TooManyDelayed,
    /// Its records would be listed one by one, hidden for a time or by their deduplication ids, and
    /// such take as much memory as they may. The caller tries again later.
    #[error("no room for more messages that are delayed or deduplicated (a part of limits.memory)")]
    Full,
    /// The queue has as many ready records as it may have, and refuses new ones. The caller tries
    /// again when some have been consumed.
    #[error("the queue is full")]
    TooLong,
    /// Not the producer's next sequence number (KIP-98): a batch before it is missing, or it was
    /// appended so long ago that its offset is no longer known.
    #[error("partition {partition}: sequence {got}, expected {expected}")]
    OutOfOrderSequence {
        /// The partition.
        partition: PartitionId,
        /// The number sent.
        got: Sequence,
        /// The number expected.
        expected: Sequence,
    },
    /// A newer producer of this id has taken over (KIP-98).
    #[error("producer epoch {got} is fenced by {current}")]
    ProducerFenced {
        /// The epoch sent.
        got: ProducerEpoch,
        /// The current epoch.
        current: ProducerEpoch,
    },
    /// The batch's records can't be appended together: those before this position (from 1) can, but
    /// not the one at it. Its key belongs to another partition, or one of the two is already there
    /// and the other isn't, or the queue has no room for it. The caller appends the
    /// records before it first, then the rest.
    #[error("the records from position {0} on can't be appended with those before")]
    Divided(u32),
}

/// A refusal to move records: nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The record's log or ledger doesn't exist.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The first record isn't leased by the given lease; or, if none is given, it is settled or
    /// already moving. Someone else has it, so the caller forgets it.
    #[error("the record isn't held by this lease")]
    NotLeased,
    /// The target log refuses the records. Only reported if both are on one shard; otherwise they
    /// return to their place.
    #[error("refused by the target: {0}")]
    Target(AppendError),
    /// The records can't be moved together: so many of them can, but not the one after them. It
    /// isn't held by its lease, or the target log has no room for it. The caller moves those first.
    #[error("only the first {0} of the records can be moved together")]
    Divided(u32),
    /// Too many records to be moved at once, or none.
    #[error("{0} records to be moved at once")]
    Count(u32),
    /// The header changes are too large.
    #[error("header changes of {size_bytes} bytes, but at most {size_bytes_max} are allowed")]
    Headers {
        /// Their size.
        size_bytes: usize,
        /// The maximum size.
        size_bytes_max: usize,
    },
}

/// A refusal to open a log: nothing has changed. The catalogue's definitions are never refused,
/// except for a log that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The log is closed, and its definition is about to be removed.
    #[error("the log is closed")]
    Closed,
    /// Fewer partitions than there are, none, or too many.
    #[error("can't change the number of partitions from {existing} to {requested}")]
    Partitions {
        /// The current number.
        existing: u32,
        /// The requested number.
        requested: u32,
    },
    /// The queue is FIFO and should no longer be, or the reverse. Whether records are listed by
    /// group can't change after the first one.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}
