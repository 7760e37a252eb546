//! What a log holds, for operators and for protocols that count messages.

use stele_base_types::Offset;

/// Counts of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// Its partitions.
    pub partitions: Vec<PartitionStatus>,
    /// Records of the default ledger that may be leased now. Where there is no such ledger yet,
    /// those that it would begin with.
    pub ready: u64,
    /// Records of the default ledger that are leased.
    pub leased: u64,
    /// Records of the default ledger that are hidden until later.
    pub delayed: u64,
    /// Consumers of the default ledger.
    pub consumers: u64,
}

/// Bounds of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The first offset that is kept.
    pub start: Offset,
    /// One after the last record that may be shown.
    pub committed: Offset,
    /// The batches kept.
    pub size_bytes: u64,
}

impl PartitionStatus {
    /// How many offsets may be shown.
    pub(crate) fn len(&self) -> u64 {
        self.committed.0.saturating_sub(self.start.0)
    }
}
