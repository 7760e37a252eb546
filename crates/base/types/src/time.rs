//! Timestamps, as the engine uses them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00Z. The engine gets the time as an argument of this type and
/// never reads a clock.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Later than every deadline.
    pub const FOREVER: Self = Self(i64::MAX);

    /// Earlier than every other timestamp: a deadline that has always passed.
    pub const PAST: Self = Self(i64::MIN);

    /// The time `duration_ms` later; saturates at [`Timestamp::FOREVER`].
    pub fn plus_ms(self, duration_ms: u64) -> Self {
        Self(self.0.saturating_add_unsigned(duration_ms))
    }

    /// Milliseconds from `earlier` to this time; 0 if `earlier` is later, for example after the
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
