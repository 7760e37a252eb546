//! The engine's limits and the reasons for them.

/// Records leased to one consumer in one decision: bounds how long a dispatch holds the shard.
pub const RUN_RECORDS_MAX: u32 = 256;

/// Size of the records handed out in one decision, in bytes, whatever the credit, because they are
/// all read at once. At least one record is handed out. Ten of SQS's largest fit.
pub const RUN_BYTES_MAX: u64 = 16 << 20;

/// Size of the dead records that are taken up to be moved at once, in bytes, for the same reason.
/// At least one record is.
pub const DEAD_BYTES_MAX: u64 = 1 << 20;

/// Stretches of records with a time to live of their own that are kept for a partition, at 32 bytes
/// each.
pub const LIFETIMES_MAX: usize = 4_096;

/// How many stretches of equal-sized records are kept for a partition, at 16 bytes each. Beyond
/// that, neighbouring stretches are merged and count as the larger of their sizes.
pub const SIZE_STRETCHES_MAX: usize = 128;

/// The fixed cost of a run (leasing, reading, handing over), in records: a consumer that gets every
/// second record gets as many runs as records.
pub const RUN_WEIGHT: u32 = 64;

/// Records of a page when a ledger is looked at: a page is one answer.
pub const PEEK_RECORDS_MAX: usize = 1_000;

/// Partitions that a page looks at, each with a few lookups.
pub const PEEK_PARTITIONS_MAX: u32 = 1_000;

/// Queued records of a FIFO queue that a page examines: many of them may be delayed.
pub const PEEK_EXAMINED_MAX: usize = 10_000;

/// Remains of a closed log removed in one decision, for the same reason.
pub const SWEEP_MAX: usize = RUN_RECORDS_MAX as usize;

/// Expired entries removed in one decision, for the same reason. Replaying a journal with another
/// number keeps entries somewhat longer, or less long.
pub const FORGET_MAX: usize = RUN_RECORDS_MAX as usize;

/// Ledgers of a log: every append is passed to each of them.
pub const LEDGERS_MAX: usize = 256;

/// Size of a move's header changes, in bytes: they are kept, also in every snapshot, until the
/// other log has the record.
pub const MOVE_HEADERS_BYTES_MAX: usize = 16 << 10;

/// Records of a batch: bounds what one append can make the engine list, whatever the batch's header
/// says. Seven times what fits 1 MiB with the smallest records.
pub const APPEND_RECORDS_MAX: u32 = 1 << 20;

/// Delayed records of a batch: each is listed until its time, and a compressed batch of a few
/// hundred bytes may hold a million. More than Kafka clients put into a batch by default.
pub const DELAYED_RECORDS_MAX: u32 = 1 << 14;

/// Logs, or exchanges, that one decision drops after a restart.
pub const FLEETING_MAX: usize = 1_000;

/// How many logs' definitions are stored together, with the bindings to them: a new definition
/// causes a write of a few KiB, and 100,000 logs are 1,600 parts. Stored snapshots depend on it.
pub const LOGS_IN_CATALOGUE_PART: u64 = 64;

/// Producers remembered for each partition, and so the number of clients that can write to one at
/// once. A batch of a few bytes can name a new producer, which is kept for a day. Beyond this
/// number, the longest inactive ones are dropped early.
pub const PRODUCERS_MAX: usize = 10_000;

/// Receive attempts remembered for each ledger, for the same reason: more than SQS lets a FIFO
/// queue have in flight.
pub const ATTEMPTS_MAX: usize = 20_000;

/// Size of a definition besides its name, in bytes: the arguments of an exchange or a binding, or
/// one protocol's settings of a log. They are kept on two threads and in each snapshot. Fifty of
/// SQS's largest tags fit.
pub const DEFINITION_BYTES_MAX: usize = 256 << 10;

/// Consumers of a pool (an AMQP channel) on one shard: each takes about 500 bytes, and all are
/// examined when the pool's limit allows more deliveries.
pub const POOL_CONSUMERS_MAX: usize = 10_000;

/// Partitions of a log: bounds what one declaration can make the engine allocate.
pub const PARTITIONS_MAX: u32 = 10_000;

/// Batches remembered for each idempotent producer and partition: Kafka clients have at most five
/// in flight (`max.in.flight.requests.per.connection` with idempotence, KIP-98).
pub const PRODUCER_BATCHES: usize = 5;

/// How long a deduplication id is remembered, in milliseconds (SQS FIFO: five minutes).
pub const DEDUPLICATION_MS: u64 = 5 * 60 * 1000;

/// An inactive producer is forgotten after this time, in milliseconds (Kafka
/// `producer.id.expiration.ms`): one day.
pub const PRODUCER_EXPIRY_MS: u64 = 24 * 60 * 60 * 1000;

/// Exchanges that one message may pass: bounds routing through many exchange bindings. Cycles are
/// handled by the set of exchanges already visited.
pub const ROUTE_EXCHANGES_MAX: usize = 256;

/// Session timeouts of group members, in milliseconds (Kafka `group.min.session.timeout.ms`,
/// `group.max.session.timeout.ms`).
pub const GROUP_SESSION_TIMEOUT_MS: std::ops::RangeInclusive<u32> = 6_000..=1_800_000;

/// Members of a group: bounds the memory that unauthenticated joins could take.
pub const GROUP_MEMBERS_MAX: usize = 10_000;

/// Memory for the metadata and assignments of one group's members, in bytes: they are journalled
/// together, and sent to their leader. Kafka's own bound is its message size limit, by default 1
/// MiB.
pub const GROUP_BYTES_MAX: usize = 16 << 20;

/// The same for all groups of a shard: enough for 100,000 members of common clients.
pub const GROUPS_MEMBERS_BYTES_MAX: usize = 128 << 20;

/// Memory for the committed offsets of a shard's groups, in bytes: enough for more than a million.
/// An offset that exists can always be committed again.
pub const GROUPS_OFFSETS_BYTES_MAX: usize = 256 << 20;

/// The longest metadata of a committed offset, in bytes (Kafka `offset.metadata.max.bytes`).
pub const OFFSET_METADATA_BYTES_MAX: usize = 4_096;

/// Offsets of a deleted log that a group forgets in one decision: bounds how long it holds the
/// shard, as a commit of as many offsets does.
pub const OFFSETS_FORGOTTEN_MAX: usize = 1_000;

/// The shortest time that a rebalance waits for members, in milliseconds: without a minimum, a
/// client could make a group rebalance in a tight loop.
pub const GROUP_REBALANCE_TIMEOUT_MS_MIN: u32 = 1_000;

/// How long a new member may wait for its first rebalance to end, in milliseconds: nothing else
/// detects that its client has gone (Kafka has the same five minutes).
pub const GROUP_JOIN_MS_MAX: u64 = 5 * 60 * 1000;

/// How long a group without members keeps its offsets, in milliseconds (Kafka
/// `offsets.retention.minutes`): seven days.
pub const GROUP_RETENTION_MS: u64 = 7 * 24 * 60 * 60 * 1000;
