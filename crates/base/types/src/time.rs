//! Instants, as the engine sees them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00Z. Time enters the engine as an argument of this type; it
/// never asks for it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Later than every deadline.
    pub const FOREVER: Self = Self(i64::MAX);

    /// Earlier than every instant: what is due at once.
    pub const PAST: Self = Self(i64::MIN);

    /// The instant `duration_ms` later; stays at [`Timestamp::FOREVER`] rather than overflow.
    pub fn plus_ms(self, duration_ms: u64) -> Self {
        Self(self.0.saturating_add_unsigned(duration_ms))
    }

    /// Milliseconds from `earlier` to this instant; 0 where `earlier` is later, as after the
    /// system clock was set back.
    pub fn since_ms(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}
