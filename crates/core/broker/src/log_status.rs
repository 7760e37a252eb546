//! What a log holds, for operators and for protocols that count messages.

use stele_base_types::Offset;

/// Counts of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// Its partitions.
    pub partitions: Vec<PartitionStatus>,
    /// Records of the default ledger that are ready. If the log has no default ledger yet, those
    /// that it would start with.
    pub ready: u64,
    /// Records of the default ledger that are leased.
    pub leased: u64,
    /// Records of the default ledger that are delayed.
    pub delayed: u64,
    /// Consumers of the default ledger.
    pub consumers: u64,
}

impl LogStatus {
    /// The records kept, whether or not they are settled.
    pub fn records(&self) -> u64 {
        self.partitions.iter().map(PartitionStatus::len).sum()
    }
}

/// Bounds of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The first offset kept.
    pub start: Offset,
    /// One after the last committed record.
    pub committed: Offset,
    /// The size of the batches kept.
    pub size_bytes: u64,
}

impl PartitionStatus {
    /// The number of committed offsets.
    pub(crate) fn len(&self) -> u64 {
        self.committed.0.saturating_sub(self.start.0)
    }
}
