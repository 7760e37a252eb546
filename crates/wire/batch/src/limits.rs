//! Limits of this crate.

/// The most that the records of one compressed batch may take once decompressed. A few kilobytes
/// can claim gigabytes otherwise.
pub const DECOMPRESSED_SIZE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The largest batch: its length field is a signed 32-bit number.
pub(crate) const BATCH_SIZE_BYTES_MAX: usize = i32::MAX as usize;

/// The largest zstd window, as a power of two: that of the highest level, 22. Larger ones are only
/// made on request, and would let a client choose how much memory we take.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Where decompression starts to allocate: this many times the compressed size, as a guess that
/// spares most reallocations.
pub(crate) const DECOMPRESSED_RATIO_GUESS: usize = 4;

/// How much of a compressed batch's records is opened at a time while they are checked.
pub(crate) const CHECKED_SIZE_BYTES: usize = 16 * 1024;
