//! Limits of envelopes.

/// The most bytes of a message's id, type, source and correlation id. AMQP 0-9-1 carries three of
/// them in properties of at most 255 octets (section 4.2.5.3).
pub const NAME_BYTES_MAX: usize = 255;

/// The most members of a `tracestate` (W3C Trace Context, section 3.3.1.1).
pub const TRACE_STATE_MEMBERS_MAX: usize = 32;

/// The most characters of a `tracestate` that are kept (W3C Trace Context, section 3.3.1.5).
pub const TRACE_STATE_CHARS_MAX: usize = 512;

/// A member of a `tracestate` of more characters is the first to go when it is too long (W3C Trace
/// Context, section 3.3.1.5).
pub const TRACE_STATE_MEMBER_CHARS_MAX: usize = 128;
