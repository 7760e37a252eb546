//! Limits of this crate.

/// The most list elements that one request may hold, over all its lists. Each costs up to some
/// 200 bytes once decoded while it may take a single one on the wire.
pub const LIST_ELEMENTS_MAX: usize = 200_000;
