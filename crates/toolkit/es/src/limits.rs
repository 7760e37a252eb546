//! Limits of event stores, the same for all of them, so that an application that works with one
//! works with the others.

/// The most bytes of a stream's name.
pub const STREAM_BYTES_MAX: usize = 255;

/// The most bytes of an event, as JSON with its envelope. A Kafka broker takes records of 1 MiB
/// with everything around them by default (`message.max.bytes`).
pub const EVENT_BYTES_MAX: usize = 900_000;

/// The most events of one append.
pub const APPEND_EVENTS_MAX: usize = 1_000;

/// The most bytes of one append.
pub const APPEND_BYTES_MAX: usize = 8_000_000;
