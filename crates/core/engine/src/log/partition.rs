//! A partition: where it begins, how far it may be read, where it ends, who writes to it.

use stele_base_types::{Offset, PartitionId};

use super::{Logs, ledger::Site, producer::Producers};
use crate::{Decision, Record, stored::stored_fields};

/// A partition. `start` ≤ `committed` ≤ `end`, except between a crash and the recovery from it.
#[derive(Debug, Default, PartialEq)]
pub struct Partition {
    /// The first offset that is kept.
    pub start: Offset,
    /// One after the last record that may be shown. Not stored.
    pub committed: Offset,
    /// One after the last record.
    pub end: Offset,
    pub(crate) average_bytes: u32,
    pub(crate) producers: Producers,
    /// Deduplication ids of records before this one are forgotten: the log's queue was purged.
    pub(crate) purged: Offset,
}

stored_fields! {
    Partition {
        Start start: Offset,
        End end: Offset,
        AverageBytes average_bytes: u32,
        Producers producers: Producers,
        Purged purged: Offset,
    }
}

impl Partition {
    /// What a record here takes, by the latest ones.
    pub fn average_bytes(&self) -> u64 {
        u64::from(self.average_bytes)
    }

    /// Takes in new records.
    pub(super) fn append(&mut self, base: Offset, count: u32, size_bytes: u32) {
        self.end = base.plus(u64::from(count));
        let size_bytes = size_bytes / count.max(1);
        self.average_bytes = if base == Offset::ZERO {
            size_bytes
        } else {
            let sum = u64::from(self.average_bytes) * 15 + u64::from(size_bytes);
            u32::try_from(sum / 16).unwrap_or(u32::MAX)
        };
    }
}

impl Logs {
    /// Moves the durable ends of partitions: what is before them may be shown.
    pub(crate) fn committed(&self, ends: &[(PartitionId, Offset)]) -> Decision {
        let moved = ends.iter().filter_map(|(id, end)| {
            let partition = self.partition(*id)?;
            let end = (*end).min(partition.end);
            (end > partition.committed).then_some(Record::Committed(*id, end))
        });
        Decision {
            records: moved.collect(),
            ..Decision::nothing()
        }
    }

    pub(crate) fn apply_committed(&mut self, id: PartitionId, end: Offset) {
        let Some(log) = self.logs.get_mut(&id.log) else {
            return;
        };
        if let Some(partition) = log.partition_mut(id.index) {
            partition.committed = end;
        }
        for ledger in &mut log.ledgers {
            let mut site = Site {
                log: id.log,
                ledger: ledger.id(),
                indexes: &mut self.indexes,
            };
            ledger.show_to(id.index, end, &mut site);
        }
        self.refresh_indexes(id.log);
    }
}
