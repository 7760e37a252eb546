//! Limits of this crate.

/// The largest decompressed size of the records of one compressed batch. Without a limit a few
/// kilobytes could claim gigabytes.
pub const DECOMPRESSED_SIZE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The largest batch: its length field is a signed 32-bit number.
pub(crate) const BATCH_SIZE_BYTES_MAX: usize = i32::MAX as usize;

/// The largest zstd window, as a power of two: that of the highest level, 22. Larger windows are
/// used only on request, and would let a client choose how much memory the broker uses.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// The initial capacity for decompression, as a multiple of the compressed size: a guess that
/// avoids most reallocations.
pub(crate) const DECOMPRESSED_RATIO_GUESS: usize = 4;

/// How much of a compressed batch's records is decompressed at a time while they are checked.
pub(crate) const CHECKED_SIZE_BYTES: usize = 16 * 1024;
