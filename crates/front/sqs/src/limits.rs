//! The front's limits, each with its reason. Those of the protocol are in `stele_wire_sqs`.

use std::{ops::RangeInclusive, time::Duration};

/// The longest request body. A message is at most 1 MiB, but JSON may write each of its
/// characters as `\uXXXX` and a form as `%XX`, which triples it.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A body up to this length takes nothing of the memory for requests, so that it need not wait for
/// longer ones: every connection may have one.
pub(crate) const BODY_UNCOUNTED_BYTES_MAX: usize = 16 * 1024;

/// A response up to this length takes nothing of the memory for responses.
pub(crate) const RESPONSE_UNCOUNTED_BYTES_MAX: usize = 16 * 1024;

/// Once the messages of a response have more bytes than this, the others go back to their queue:
/// ten of SQS's own are shorter, and those of another protocol may be as long as its own limits let
/// them.
pub(crate) const RECEIVED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest head of a request: line and headers. A presigned URL has about 1 KiB.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long a head may take, where the settings don't say: as long as load balancers keep an idle
/// connection.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a body may take, where the settings don't say: the largest at 140 kB/s.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How far the clock of a signer may be off, as AWS allows.
pub(crate) const SIGNATURE_SKEW_MS_MAX: u64 = 15 * 60 * 1000;

/// The longest life of a presigned request, in seconds: seven days.
pub(crate) const PRESIGNED_LIFE_S_MAX: u64 = 7 * 24 * 60 * 60;

/// How many messages one receive may ask for.
pub(crate) const RECEIVE_MESSAGES: RangeInclusive<i32> = 1..=10;

/// Seconds that a receive may wait.
pub(crate) const RECEIVE_WAIT_S: RangeInclusive<i32> = 0..=20;

/// Seconds of a visibility timeout: up to twelve hours.
pub(crate) const VISIBILITY_TIMEOUT_S: RangeInclusive<i32> = 0..=43_200;

/// Seconds that a message may be delayed.
pub(crate) const DELAY_S: RangeInclusive<i32> = 0..=900;

/// Seconds that a message is kept.
pub(crate) const RETENTION_S: RangeInclusive<i32> = 60..=1_209_600;

/// Seconds for which a data key is used again.
pub(crate) const KMS_REUSE_S: RangeInclusive<i32> = 60..=86_400;

/// Values of `MaximumMessageSize`.
pub(crate) const MESSAGE_SIZE_BYTES: RangeInclusive<i32> = 1_024..=1_048_576;

/// How many URLs ListQueues gives at once.
pub(crate) const LIST_RESULTS: RangeInclusive<i32> = 1..=1_000;

/// The longest deduplication id, group id or attempt id, in characters.
pub(crate) const FIFO_ID_LENGTH_MAX: usize = 128;

/// How many tags a queue may have, and how long their keys and values may be, in characters.
pub(crate) const TAGS_MAX: usize = 50;
pub(crate) const TAG_KEY_LENGTH_MAX: usize = 128;
pub(crate) const TAG_VALUE_LENGTH_MAX: usize = 256;

/// A queue can be purged once in this time, where the settings don't say.
pub(crate) const PURGE_INTERVAL: Duration = Duration::from_secs(60);

/// How many messages of a queue may be in flight, where the settings don't say.
pub(crate) const IN_FLIGHT_MAX: u64 = 120_000;

/// How often a receive that waits for room among the messages in flight looks for it.
pub(crate) const IN_FLIGHT_LOOK: Duration = Duration::from_secs(1);
