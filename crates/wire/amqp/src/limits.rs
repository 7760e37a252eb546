//! Sizes that the codec enforces, and sizes from the specification.

/// The smallest `frame-max` that a peer may negotiate (specification, section 4.9).
pub const FRAME_MIN_BYTES: u32 = 4096;

/// The `frame-max` that RabbitMQ and Stele propose.
pub const FRAME_MAX_DEFAULT_BYTES: u32 = 131_072;

/// Octets of a frame in addition to its payload: type, channel, size, end.
pub const FRAME_OVERHEAD_BYTES: u32 = 8;

/// How far a payload may exceed `frame-max` less the overhead. Some clients count the overhead
/// wrongly, and RabbitMQ accepts that.
pub const FRAME_TOLERANCE_BYTES: u32 = FRAME_OVERHEAD_BYTES;

/// The maximum nesting of tables and arrays. Decoding recurses, so without a limit a frame of 128
/// KiB could contain 20,000 levels and overflow the stack.
pub const NESTING_MAX: usize = 32;

/// The longest short string, given by its length octet.
pub const SHORT_STRING_MAX_BYTES: usize = 255;
