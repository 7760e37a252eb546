//! Up to where data is to be dropped by age and by size.

use stele_base_types::{Offset, PartitionId, Timestamp};

use crate::ReadIndex;

/// How long data is kept for those who read it by cursor. A bound that isn't set keeps all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Older data goes.
    pub age_ms_max: Option<u64>,
    /// The oldest data goes as long as what is left takes at least this much.
    pub size_bytes_max: Option<u64>,
}

impl ReadIndex {
    /// The offset below which `policy` drops the data of `partition`. Whole segments, and whole
    /// runs of the journal, go at once: a bit more is kept than the policy asks, never less.
    pub fn retention_start(
        &self,
        partition: PartitionId,
        policy: &RetentionPolicy,
        now: Timestamp,
    ) -> Offset {
        let Some(extent) = self.extent(partition) else {
            return Offset::ZERO;
        };
        let mut start = extent.start;
        let mut size_bytes = extent.size_bytes;
        for chunk in self.chunks(partition) {
            let is_old = policy
                .age_ms_max
                .is_some_and(|age_ms| now.since_ms(chunk.max_timestamp) > age_ms);
            let is_over = policy
                .size_bytes_max
                .is_some_and(|max| size_bytes - chunk.size_bytes >= max);
            if !is_old && !is_over {
                break;
            }
            size_bytes -= chunk.size_bytes;
            start = start.max(chunk.next_offset);
        }
        start
    }
}

/// Data that is dropped as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) next_offset: Offset,
    pub(crate) size_bytes: u64,
    pub(crate) max_timestamp: Timestamp,
}
