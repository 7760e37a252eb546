//! Limits of this crate.

/// The most list elements in one request, over all its lists. Each takes up to about 200 bytes once
/// decoded, but may take only one byte on the wire.
pub const LIST_ELEMENTS_MAX: usize = 200_000;
