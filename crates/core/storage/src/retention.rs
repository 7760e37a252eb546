//! Determines what retention drops, by age and by size.

use stele_base_types::{Offset, PartitionId, Timestamp};

use crate::{ReadIndex, limits::AHEAD_MS_MAX};

/// How long data is kept for consumers that read by cursor. Without a bound everything is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Drops data by age.
    pub age: Option<Age>,
    /// Drops the oldest data while at least this much is left.
    pub size_bytes_max: Option<u64>,
}

/// What is too old. Data without a credible timestamp is dropped together with the data that
/// follows it, so that a record with a wrong timestamp delays retention no longer than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Data is too old if its latest timestamp is longer ago than this.
    pub ms_max: u64,
    /// Only data below this offset is dropped by age.
    pub of_those_below: Offset,
}

impl ReadIndex {
    /// The offset below which `policy` drops the data of `partition`. Data is dropped in whole
    /// segments and whole runs of the journal: a bit more is kept than the policy asks for, never
    /// less.
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
            let is_old = policy.age.is_some_and(|age| chunk.is_old(&age, now));
            let is_over = policy
                .size_bytes_max
                .is_some_and(|max| size_bytes - chunk.size_bytes >= max);
            size_bytes -= chunk.size_bytes;
            if is_old || is_over {
                start = start.max(chunk.next_offset);
            } else if policy.age.is_none() || chunk.is_dated(now) {
                break;
            }
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

impl Chunk {
    fn is_old(&self, age: &Age, now: Timestamp) -> bool {
        let is_past = now.since_ms(self.max_timestamp) > age.ms_max;
        is_past && self.next_offset <= age.of_those_below && self.is_dated(now)
    }

    /// Whether there is a latest timestamp and it is credible: not far in the future.
    fn is_dated(&self, now: Timestamp) -> bool {
        self.max_timestamp >= Timestamp(0) && self.max_timestamp.since_ms(now) <= AHEAD_MS_MAX
    }
}
