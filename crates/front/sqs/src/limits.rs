//! The limits of this front, with reasons. Those of the protocol are in `stele_wire_sqs`.

use std::{ops::RangeInclusive, time::Duration};

/// Maximum size of a request body. A message is at most 1 MiB, but JSON may write a character as
/// `\uXXXX` and a form as `%XX`, which triples the size.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A body up to this size takes no memory from the pool for requests, so that it doesn't wait for
/// larger ones: every connection may have one.
pub(crate) const BODY_UNCOUNTED_BYTES_MAX: usize = 16 * 1024;

/// A response up to this size takes no memory from the pool for responses.
pub(crate) const RESPONSE_UNCOUNTED_BYTES_MAX: usize = 16 * 1024;

/// When the messages of a response exceed this size, the rest returns to the queue. Ten messages of
/// SQS are smaller; those of other protocols may be as large as their own limits.
pub(crate) const RECEIVED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Maximum size of a request head (request line and headers). A presigned URL has about 1 KiB.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Default timeout for a request head: as long as load balancers keep an idle connection.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Default timeout for a request body: the largest body at 140 kB/s.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum clock skew of a signer, as in AWS.
pub(crate) const SIGNATURE_SKEW_MS_MAX: u64 = 15 * 60 * 1000;

/// Maximum validity of a presigned request: seven days, in seconds.
pub(crate) const PRESIGNED_LIFE_S_MAX: u64 = 7 * 24 * 60 * 60;

/// Number of messages that a receive may request.
pub(crate) const RECEIVE_MESSAGES: RangeInclusive<i32> = 1..=10;

/// Wait time of a receive, in seconds.
pub(crate) const RECEIVE_WAIT_S: RangeInclusive<i32> = 0..=20;

/// Visibility timeout in seconds: up to twelve hours.
pub(crate) const VISIBILITY_TIMEOUT_S: RangeInclusive<i32> = 0..=43_200;

/// Delay of a message, in seconds.
pub(crate) const DELAY_S: RangeInclusive<i32> = 0..=900;

/// Retention period of a message, in seconds.
pub(crate) const RETENTION_S: RangeInclusive<i32> = 60..=1_209_600;

/// Reuse period of a data key, in seconds.
pub(crate) const KMS_REUSE_S: RangeInclusive<i32> = 60..=86_400;

/// Values of `MaximumMessageSize`.
pub(crate) const MESSAGE_SIZE_BYTES: RangeInclusive<i32> = 1_024..=1_048_576;

/// After how many receives a message may go to a dead-letter queue.
pub(crate) const RECEIVES: RangeInclusive<u32> = 1..=1_000;

/// Maximum number of source queues in a RedriveAllowPolicy.
pub(crate) const SOURCE_QUEUES_MAX: usize = 10;

/// Number of tasks that are kept per queue, as in AWS.
pub(crate) const MOVE_TASKS_MAX: usize = 10;

/// Number of messages that a task may move per second.
pub(crate) const MOVE_RATE: RangeInclusive<u32> = 1..=500;

/// Number of messages that a task moves at once.
pub(crate) const MOVE_BATCH_MAX: u32 = 100;

/// How long a task leases the messages that it is about to move.
pub(crate) const MOVE_LEASE: Duration = Duration::from_secs(10);

/// How long a task waits when messages can't be moved.
pub(crate) const MOVE_RETRY: Duration = Duration::from_secs(1);

/// Maximum number of URLs in a response of ListQueues.
pub(crate) const LIST_RESULTS: RangeInclusive<i32> = 1..=1_000;

/// Maximum length of a deduplication id, group id or attempt id, in characters.
pub(crate) const FIFO_ID_LENGTH_MAX: usize = 128;

/// Maximum number of tags per queue, and the maximum lengths of their keys and values, in
/// characters.
pub(crate) const TAGS_MAX: usize = 50;
pub(crate) const TAG_KEY_LENGTH_MAX: usize = 128;
pub(crate) const TAG_VALUE_LENGTH_MAX: usize = 256;

/// Default minimum time between two purges of a queue.
pub(crate) const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// Default maximum number of in-flight messages per queue.
pub(crate) const IN_FLIGHT_MAX: u64 = 120_000;

/// How often a receive that waits for the in-flight limit checks it.
pub(crate) const IN_FLIGHT_LOOK: Duration = Duration::from_secs(1);
