//! Up to where data is to be dropped by age and by size.

use stele_base_types::{Offset, PartitionId, Timestamp};

use crate::ReadIndex;

/// How long data is kept for those who read it by cursor. A bound that isn't set keeps all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Old data goes.
    pub age: Option<Age>,
    /// The oldest data goes as long as what is left takes at least this much.
    pub size_bytes_max: Option<u64>,
}

/// What is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Data whose latest timestamp is longer ago.
    pub ms_max: u64,
    /// And that lies below this.
    pub of_those_below: Offset,
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
            let is_old = policy.age.is_some_and(|age| {
                chunk.next_offset <= age.of_those_below
                    && now.since_ms(chunk.max_timestamp) > age.ms_max
            });
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
