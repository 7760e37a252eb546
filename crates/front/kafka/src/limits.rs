//! The front's limits, each with its reason.

use std::time::Duration;

/// Bytes that a connection reads at once.
pub(crate) const READ_SIZE_BYTES: usize = 64 * 1024;

/// Room made for a frame whose bytes are still to come, beyond what has come: what a client claims
/// without sending it costs this at most.
pub(crate) const READ_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that are read while a request waits (a long poll, a rebalance), so that a client that has
/// gone is noticed.
pub(crate) const READ_WHILE_WAITING_BYTES_MAX: usize = 64 * 1024;

/// The largest request other than Produce: a SyncGroup of a very large group is a few megabytes.
pub(crate) const CONTROL_REQUEST_SIZE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Produce requests of one connection on their way at once. Clients send 5 by default (Java) up to
/// some dozens (librdkafka, whose default is a million).
pub(crate) const PRODUCES_IN_FLIGHT_MAX: usize = 64;

/// Bytes of them: a few blocks' worth keeps the writer busy, and more would only wait in memory
/// here instead of with the client.
pub(crate) const PRODUCES_IN_FLIGHT_BYTES_MAX: usize = 16 << 20;

/// A client that takes no byte of a response for this long is closed, as Kafka does it
/// (`connections.max.idle.ms`): a consumer reads nothing while its application works off what it
/// has. Where memory is short, it isn't waited for.
pub(crate) const WRITE_STALL: Duration = IDLE;

/// Responses above this size count as soon as they are there; smaller ones once the client lets
/// them wait.
pub(crate) const UNCOUNTED_RESPONSE_SIZE_BYTES_MAX: usize = 16 * 1024;

/// A connection without requests for this long is closed: Kafka's `connections.max.idle.ms`.
pub(crate) const IDLE: Duration = Duration::from_secs(600);

/// How long a stopping server waits for produce requests that are on their way.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Chunks written with one system call.
pub(crate) const CHUNKS_PER_WRITE_MAX: usize = 64;

/// Bytes of records in one Fetch response, whatever the client allows: Kafka's broker-side
/// `fetch.max.bytes` is 55 MiB; this bounds what a client that reads slowly holds.
pub(crate) const FETCH_SIZE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Partitions of one fetch session: Kafka caches sessions of any size but few of them.
pub(crate) const FETCH_SESSION_PARTITIONS_MAX: usize = 10_000;

/// The longest group id, client id or member id: they are kept as long as the group lives.
pub(crate) const ID_SIZE_BYTES_MAX: usize = 255;

/// The longest topic name (Kafka's `Topic.MAX_NAME_LENGTH`).
pub(crate) const TOPIC_NAME_SIZE_BYTES_MAX: usize = 249;

/// Partitions in one DescribeTopicPartitions response (Kafka's
/// `max.request.partition.size.limit`).
pub(crate) const DESCRIBED_PARTITIONS_MAX: i32 = 2_000;
