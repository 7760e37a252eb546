//! The engine's limits, each with its reason.

/// Records leased to one consumer in one decision: bounds how long a dispatch holds the shard.
pub const RUN_RECORDS_MAX: u32 = 256;

/// Records handed out in one decision, in bytes, to whoever asked and whatever the credit: they are
/// all read at once. At least one record is, and ten of the largest that SQS takes fit.
pub const RUN_BYTES_MAX: u64 = 16 << 20;

/// Stretches of records of alike size that are known of a partition, of 16 bytes each: beyond that,
/// neighbours are taken for as large as the larger of them.
pub const SIZE_STRETCHES_MAX: usize = 128;

/// What a run costs to lease, to read and to hand over before its first record, in records: a
/// consumer that gets every second record gets as many runs as records.
pub const RUN_WEIGHT: u32 = 64;

/// Things that a closed log left which are swept in one decision, likewise.
pub const SWEEP_MAX: usize = RUN_RECORDS_MAX as usize;

/// Things remembered for a time that are looked at in one decision, likewise. A journal that is
/// replayed with another number leaves what is beyond its time for longer, or not so long.
pub const FORGET_MAX: usize = RUN_RECORDS_MAX as usize;

/// Ledgers of a log: each is told of every append.
pub const LEDGERS_MAX: usize = 256;

/// What a move may say of the headers of its record, in bytes: it is kept until the other log has
/// the record, and with it in every snapshot.
pub const MOVE_HEADERS_BYTES_MAX: usize = 16 << 10;

/// Records of a batch: bounds what one append can make the engine list, whatever a batch's header
/// says. Seven times what fits into 1 MiB of the smallest records.
pub const APPEND_RECORDS_MAX: u32 = 1 << 20;

/// Records of a batch that are hidden for a time: each is listed until then, and a compressed batch
/// of a few hundred bytes may hold a million. More than the batches of Kafka's clients hold where
/// their settings are the defaults.
pub const DELAYED_RECORDS_MAX: u32 = 1 << 14;

/// Logs, or exchanges, that one decision drops after a restart.
pub const FLEETING_MAX: usize = 1_000;

/// Logs whose definitions are stored together, and the bindings to them: what is written for a new
/// one is a few KiB, and 100,000 are 1,600 parts. Stored snapshots rely on it.
pub const LOGS_IN_CATALOGUE_PART: u64 = 64;

/// Producers that are remembered for each partition. A batch of a few bytes can name a new one,
/// which is kept for a day: beyond this the longest silent go, as after their time. So many clients
/// write to one partition at once at most.
pub const PRODUCERS_MAX: usize = 10_000;

/// Attempts to receive that are remembered for each ledger, likewise: more than SQS lets a FIFO
/// queue have in flight.
pub const ATTEMPTS_MAX: usize = 20_000;

/// What a definition may say of itself beside its name, in bytes: the arguments of an exchange or a
/// binding, one protocol's settings of a log. They are kept on two threads and in each snapshot.
/// Fifty of the largest tags that SQS has fit.
pub const DEFINITION_BYTES_MAX: usize = 256 << 10;

/// Consumers of a pool (an AMQP channel) on one shard: each takes about 500 bytes here, and all are
/// looked at when the pool's limit makes room.
pub const POOL_CONSUMERS_MAX: usize = 10_000;

/// Partitions of a log: bounds what one declaration can make the engine allocate.
pub const PARTITIONS_MAX: u32 = 10_000;

/// Batches of an idempotent producer that are remembered for each partition: Kafka clients have
/// at most five in flight (`max.in.flight.requests.per.connection` with idempotence, KIP-98).
pub const PRODUCER_BATCHES: usize = 5;

/// How long a deduplication id is remembered, in milliseconds (SQS FIFO: five minutes).
pub const DEDUPLICATION_MS: u64 = 5 * 60 * 1000;

/// A producer that has been silent for this long is forgotten (Kafka
/// `producer.id.expiration.ms`): one day, in milliseconds.
pub const PRODUCER_EXPIRY_MS: u64 = 24 * 60 * 60 * 1000;

/// Exchanges that one message may pass: bounds routing through circles of exchange bindings
/// together with the set of those already visited.
pub const ROUTE_EXCHANGES_MAX: usize = 256;

/// Session timeouts of group members, in milliseconds (Kafka `group.min.session.timeout.ms`,
/// `group.max.session.timeout.ms`).
pub const GROUP_SESSION_TIMEOUT_MS: std::ops::RangeInclusive<u32> = 6_000..=1_800_000;

/// Members of a group: bounds the memory that unauthenticated joins could take.
pub const GROUP_MEMBERS_MAX: usize = 10_000;

/// What the members of one group may take in memory with what they say of themselves and what they
/// are assigned, in bytes: they are journalled together, and sent to their leader. Kafka's own
/// bound is that of a message, 1 MiB where nothing else is set.
pub const GROUP_BYTES_MAX: usize = 16 << 20;

/// The same of all groups of a shard: 100,000 members of usual clients.
pub const GROUPS_MEMBERS_BYTES_MAX: usize = 128 << 20;

/// What the committed offsets of a shard's groups may take in memory, in bytes: more than a million
/// of them. What has been committed before may be committed anew whatever there is.
pub const GROUPS_OFFSETS_BYTES_MAX: usize = 256 << 20;

/// The longest note beside a committed offset, in bytes (Kafka `offset.metadata.max.bytes`).
pub const OFFSET_METADATA_BYTES_MAX: usize = 4_096;

/// Offsets of a deleted log that a group forgets in one decision: bounds how long it holds the
/// shard, as a commit of as many does.
pub const OFFSETS_FORGOTTEN_MAX: usize = 1_000;

/// The shortest time that a rebalance waits for members, in milliseconds: with none at all a
/// client could make a group spin.
pub const GROUP_REBALANCE_TIMEOUT_MS_MIN: u32 = 1_000;

/// How long a member that is new may wait for its first rebalance to end, in milliseconds: nothing
/// else tells of a client that has gone meanwhile (Kafka has the same five minutes).
pub const GROUP_JOIN_MS_MAX: u64 = 5 * 60 * 1000;

/// How long a group without members keeps its offsets, in milliseconds (Kafka
/// `offsets.retention.minutes`): seven days.
pub const GROUP_RETENTION_MS: u64 = 7 * 24 * 60 * 60 * 1000;
