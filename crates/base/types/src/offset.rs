//! Positions in a partition.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A record's position in its partition: dense, from 0, never reused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Offset(pub u64);

impl Offset {
    /// The first offset of every partition.
    pub const ZERO: Self = Self(0);

    /// The offset `count` records later.
    pub fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }

    /// The offset right after this one.
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// The number of records from `earlier` up to this offset; 0 if `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
