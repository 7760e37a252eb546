//! The broker's limits, each with its reason.

/// Requests that wait for a shard: enough to fill a group commit, few enough that a flood of
/// producers feels it.
pub(crate) const INBOX_REQUESTS_MAX: usize = 4_096;

/// Requests that a shard takes up before it looks at its other events.
pub(crate) const TURN_REQUESTS_MAX: usize = 256;

/// News that wait for a shard: two for each block in flight, and the checkpointer's.
pub(crate) const NEWS_MAX: usize = 64;

/// Blocks that the writer has: the one it writes, and those sealed for their size.
pub(crate) const BLOCKS_IN_FLIGHT_MAX: usize = 4;

/// A block is sealed when the next batch would take it over this: larger ones bring the disk
/// nothing and delay the first reply in them.
pub(crate) const BLOCK_SIZE_BYTES_TARGET: usize = 4 << 20;

/// Blocks without anything that needs the disk are synced together after so many, so that what is
/// kept for them here stays bounded.
pub(crate) const UNSYNCED_BLOCKS_MAX: usize = 64;

/// After how long a writer that had no room tries again, in milliseconds.
pub(crate) const WANT_RETRY_MS: u64 = 50;

/// How often it does while the process stops: for five seconds. What is given up then was never
/// acknowledged.
pub(crate) const STOP_ATTEMPTS_MAX: u32 = 100;

/// How long a block that nobody waits for is filled, in milliseconds, before it is written anyway:
/// after a crash the leases and acknowledgements of that time are gone, as those of the last write.
pub(crate) const UNAWAITED_MS_MAX: u64 = 5;

/// No more requests are taken up while so much waits for the writer.
pub(crate) const BACKLOG_BYTES_MAX: usize = 16 << 20;

/// No more requests are taken up while another shard has so many commands yet to acknowledge: what
/// is kept for it here stays bounded. What it sends itself is taken up all the same.
pub(crate) const LINK_BACKLOG_MAX: usize = 4_096;

/// The same for the bodies of records that are moved to logs of other shards, in bytes: after a
/// restart all of them are read at once.
pub(crate) const LINK_BODIES_BYTES_MAX: u64 = 16 << 20;

/// The largest record that is moved to another log: a compressed batch may hold one of 128 MiB, and
/// with its headers it must fit a journal block.
pub(crate) const MOVED_SIZE_BYTES_MAX: usize = 192 << 20;

/// Jobs of one shard that may wait for the checkpointer. There is room for all that a shard can
/// have at a time, so that handing one over never makes it wait: a checkpoint, the files that the
/// one before has left, and spares that are given up.
pub(crate) const CHECKPOINTER_JOBS_PER_SHARD_MAX: usize = 3;

/// How many records a shard may change for deadlines, for sessions that have ended and for closed
/// logs, and how many it may hand out, before it goes on with its clients' requests: well under a
/// millisecond.
pub(crate) const PIECE_RECORDS: u32 = 2_000;

/// How often retention, space and checkpoints are looked at, in milliseconds.
pub(crate) const MAINTENANCE_MS: u64 = 1_000;

/// The same while space is short: what becomes free is used at once.
pub(crate) const MAINTENANCE_WHILE_BLOCKED_MS: u64 = 100;

/// For how long records are kept at least, in milliseconds, whatever their timestamps say, unless
/// the log's own retention is shorter. Kafka looks at the age of a topic's records as seldom.
pub(crate) const AGE_GRACE_MS: u64 = 5 * 60_000;

/// Partitions whose floors are taken for a checkpoint, or that take over its result, before a
/// shard goes on with its clients' work: well under a millisecond.
pub(crate) const CHECKPOINT_PIECE_MAX: usize = 1_000;

/// For how long a queue keeps what a consumer group hasn't read, in milliseconds, where nothing
/// else is set: a week, as Kafka keeps what nobody asked to keep for longer.
pub(crate) const UNREAD_KEPT_MS: u64 = 7 * 24 * 60 * 60_000;

/// Partitions whose retention is looked at in one maintenance: bounds how long it holds the shard.
pub(crate) const MAINTAINED_PARTITIONS_MAX: usize = 1_000;

/// Logs that groups have offsets of, each with each, which are looked at in one maintenance, and
/// offsets of deleted logs that go by it: likewise.
pub(crate) const MAINTAINED_OFFSETS_MAX: usize = 1_000;

/// Logs that are counted for a status before a shard goes on with its clients' work.
pub(crate) const COUNTED_LOGS_MAX: usize = 1_000;
