//! Limits of event stores, the same for all of them, so that an application that works with one
//! works with the others.

/// The most bytes of a stream's name.
pub const STREAM_BYTES_MAX: usize = 255;

/// The most events of one append.
pub const APPEND_EVENTS_MAX: usize = 1_000;

/// The most bytes of one append, as JSON with the envelopes. It is one record of a log, and a Kafka
/// broker takes 1 MiB with everything around it by default (`message.max.bytes`).
pub const APPEND_BYTES_MAX: usize = 900_000;
