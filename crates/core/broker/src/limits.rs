//! The broker's limits and the reasons for them.

/// Requests that wait in a shard's inbox: enough to fill a group commit, few enough that a flood of
/// requests slows its producers down.
pub(crate) const INBOX_REQUESTS_MAX: usize = 4_096;

/// Requests that a shard handles before it checks its other events.
pub(crate) const TURN_REQUESTS_MAX: usize = 256;

/// How long a queue's dead records are left alone after one couldn't be moved, in milliseconds.
pub(crate) const DEAD_PUT_OFF_MS: u64 = 1_000;

/// Queues that a shard remembers for that: those beyond are tried again at once.
pub(crate) const DEAD_PUT_OFF_MAX: usize = 10_000;

/// How long the dead records that wait for room in a queue wait once there is some, in
/// milliseconds: a consumer makes room message by message, and each attempt reads many of them.
pub(crate) const DEAD_ROOM_MS: u64 = 20;

/// Full queues that a shard watches for that: each is looked at after every request. What waits for
/// others is tried again after a second.
pub(crate) const DEAD_FULL_MAX: usize = 100;

/// News that wait for a shard: two for each block in flight, and the checkpointer's.
pub(crate) const NEWS_MAX: usize = 64;

/// Blocks at the writer: the one being written, and those sealed because of their size.
pub(crate) const BLOCKS_IN_FLIGHT_MAX: usize = 4;

/// A block is sealed when the next batch would take it past this size: larger blocks make the disk
/// no faster and delay the first reply in them.
pub(crate) const BLOCK_SIZE_BYTES_TARGET: usize = 4 << 20;

/// The size of the buffer for the stored form of records that is kept between decisions.
pub(crate) const SCRATCH_BYTES: usize = 64 << 10;

/// Blocks that don't need the disk are synced together after this many, which bounds what is kept
/// in memory for them.
pub(crate) const UNSYNCED_BLOCKS_MAX: usize = 64;

/// How long the writer waits before it retries when the disk had no space, in milliseconds.
pub(crate) const WANT_RETRY_MS: u64 = 50;

/// How many times it retries while the process stops: five seconds in total. What is given up then
/// was never acknowledged.
pub(crate) const STOP_ATTEMPTS_MAX: u32 = 100;

/// How long a block that nobody waits for is filled before it is written anyway, in milliseconds. A
/// crash loses the leases and acknowledgements of that time, as it does those since the last write.
pub(crate) const UNAWAITED_MS_MAX: u64 = 5;

/// For how long the disk may have to do with what waits for it, in milliseconds, as fast as it was
/// lately: whatever comes next waits for that, however small it is.
pub(crate) const DISK_WAIT_MS: usize = 500;

/// So much may wait for it at least: blocks of this size are what it is given at once.
pub(crate) const DISK_WAIT_BYTES_MIN: usize = BLOCK_SIZE_BYTES_TARGET;

/// Fewer bytes that are written at once say more of how long a sync takes than of how fast a disk
/// is.
pub(crate) const PACE_BYTES_MIN: usize = 1 << 20;

/// While this much waits for the writer, the shard takes no more requests.
pub(crate) const BACKLOG_BYTES_MAX: usize = 16 << 20;

/// While another shard has this many commands to acknowledge, the shard takes no more requests,
/// which bounds what it keeps for the other one. It still takes the commands of that shard.
pub(crate) const LINK_BACKLOG_MAX: usize = 4_096;

/// The same limit for the bodies of records that are moved to other shards, in bytes: after a
/// restart all of them are read at once.
pub(crate) const LINK_BODIES_BYTES_MAX: u64 = 16 << 20;

/// The size of records that are moved together, in bytes: of a batch that holds several.
pub(crate) const MOVED_RUN_BYTES_MAX: usize = 1 << 20;

/// The largest record that can be moved to another log. Every message that was published can be: at
/// most 512 MiB (AMQP), with headers that fit a frame. It must fit a journal block together with
/// what the block adds.
pub(crate) const MOVED_SIZE_BYTES_MAX: usize = 536 << 20;

/// Jobs of one shard that may wait for the checkpointer: as many as a shard can have at a time, so
/// that it never waits to submit one (a checkpoint, the files left over from the one before, and
/// spare files to be removed).
pub(crate) const CHECKPOINTER_JOBS_PER_SHARD_MAX: usize = 3;

/// How many records a shard changes for deadlines, ended sessions and closed logs, and how many it
/// hands out, before it returns to its clients' requests: well under a millisecond of work.
pub(crate) const PIECE_RECORDS: u32 = 2_000;

/// How often retention, disk space and checkpoints are checked, in milliseconds.
pub(crate) const MAINTENANCE_MS: u64 = 1_000;

/// The same while disk space is short or may soon be, and something can be freed, so that it is
/// freed and used soon.
pub(crate) const MAINTENANCE_WHILE_SHORT_MS: u64 = 100;

/// How long records are kept at least, in milliseconds, whatever their timestamps, unless the log's
/// own retention is shorter. Kafka checks the age of records as rarely.
pub(crate) const AGE_GRACE_MS: u64 = 5 * 60_000;

/// How many partitions a shard handles for a checkpoint (taking their floors, or applying its
/// result) before it returns to its clients' requests: well under a millisecond of work.
pub(crate) const CHECKPOINT_PIECE_MAX: usize = 1_000;

/// How long a queue keeps records that a consumer group hasn't read, in milliseconds, by default: a
/// week, as Kafka's default retention.
pub(crate) const UNREAD_KEPT_MS: u64 = 7 * 24 * 60 * 60_000;

/// How many partitions one maintenance run checks for retention; bounds how long it holds the
/// shard.
pub(crate) const MAINTAINED_PARTITIONS_MAX: usize = 1_000;

/// How many pairs of a log and a group with offsets on it, and how many offsets of deleted logs,
/// one maintenance run handles, for the same reason.
pub(crate) const MAINTAINED_OFFSETS_MAX: usize = 1_000;

/// How many logs a status request counts before the shard returns to its clients' requests.
pub(crate) const COUNTED_LOGS_MAX: usize = 1_000;

/// The content of the messages that a look returns, in bytes, besides the last one.
pub(crate) const PEEKED_BYTES_MAX: usize = 1 << 20;

/// The part of a body that a look returns.
pub(crate) const PEEKED_BODY_BYTES_MAX: usize = 64 << 10;

/// What a look reads at once, or a single batch.
pub(crate) const PEEKED_PIECE_BYTES: usize = 64 << 10;
