//! The limits of this front, with reasons.

use std::time::Duration;

/// Bytes per read of a connection.
pub(crate) const READ_SIZE_BYTES: usize = 64 * 1024;

/// Memory allocated for the missing bytes of a frame, beyond what has arrived: the maximum cost of
/// a length that a client only announces.
pub(crate) const READ_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes read while a request waits (a long poll, a rebalance), to notice when the client has
/// closed.
pub(crate) const READ_WHILE_WAITING_BYTES_MAX: usize = 64 * 1024;

/// Maximum size of requests other than Produce: a SyncGroup of a very large group has a few
/// megabytes.
pub(crate) const CONTROL_REQUEST_SIZE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Maximum number of produce requests of one connection in progress. Clients send from 5 by default
/// (Java) to some dozens (librdkafka, whose default is a million).
pub(crate) const PRODUCES_IN_FLIGHT_MAX: usize = 64;

/// Maximum bytes of them: a few blocks keep the writer busy, and more would only wait here in
/// memory instead of at the client.
pub(crate) const PRODUCES_IN_FLIGHT_BYTES_MAX: usize = 16 << 20;

/// A client that reads no byte of a response for this long is closed, as in Kafka
/// (`connections.max.idle.ms`): a consumer reads nothing while its application processes records.
/// If memory is short, the connection is closed sooner.
pub(crate) const WRITE_STALL: Duration = IDLE;

/// Larger responses count as memory immediately; smaller ones once the client leaves them unread.
pub(crate) const UNCOUNTED_RESPONSE_SIZE_BYTES_MAX: usize = 16 * 1024;

/// A connection without requests for this long is closed (Kafka's `connections.max.idle.ms`).
pub(crate) const IDLE: Duration = Duration::from_secs(600);

/// How long a stopping server waits for produce requests in progress.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Chunks written with one system call.
pub(crate) const CHUNKS_PER_WRITE_MAX: usize = 64;

/// Maximum bytes of records in a Fetch response, whatever the client allows. Kafka's broker-side
/// `fetch.max.bytes` is 55 MiB; this limits the memory that a slow reader holds.
pub(crate) const FETCH_SIZE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Maximum partitions of a fetch session. Kafka caches sessions of any size, but few of them.
pub(crate) const FETCH_SESSION_PARTITIONS_MAX: usize = 10_000;

/// Maximum length of a group id, client id or member id: they are stored as long as the group
/// exists.
pub(crate) const ID_SIZE_BYTES_MAX: usize = 255;

/// Maximum length of a topic name (Kafka's `Topic.MAX_NAME_LENGTH`).
pub(crate) const TOPIC_NAME_SIZE_BYTES_MAX: usize = 249;

/// Maximum partitions in a DescribeTopicPartitions response (Kafka's
/// `max.request.partition.size.limit`).
pub(crate) const DESCRIBED_PARTITIONS_MAX: i32 = 2_000;
