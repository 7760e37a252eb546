//! Sizes that the codec enforces, and those that the specification names.

/// The smallest `frame-max` that a peer may negotiate (specification, section 4.9).
pub const FRAME_MIN_BYTES: u32 = 4096;

/// What RabbitMQ proposes as `frame-max`, and we do.
pub const FRAME_MAX_DEFAULT_BYTES: u32 = 131_072;

/// Octets of a frame beside its payload: type, channel, size, end.
pub const FRAME_OVERHEAD_BYTES: u32 = 8;

/// How far a payload may exceed `frame-max` less the overhead. Clients are known to count the
/// overhead wrongly, and RabbitMQ lets them.
pub const FRAME_TOLERANCE_BYTES: u32 = FRAME_OVERHEAD_BYTES;

/// How deep tables and arrays may nest. Decoding recurses, so without a limit a frame of 128 KiB
/// could hold 20,000 levels and overflow the stack.
pub const NESTING_MAX: usize = 32;

/// The longest short string, set by its length octet.
pub const SHORT_STRING_MAX_BYTES: usize = 255;
