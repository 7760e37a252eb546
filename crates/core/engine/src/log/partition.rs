//! A partition: its start, its committed and actual end, and its producers.

use std::ops::Range;

use stele_base_types::{Offset, PartitionId};

use super::{Logs, ledger::Site, producer::Producers, sizes::Sizes};
use crate::{Decision, Record, stored::stored_fields};

/// A partition. `start` ≤ `committed` ≤ `end`, except between a crash and the recovery from it.
#[derive(Debug, Default, PartialEq)]
pub struct Partition {
    /// The first offset kept.
    pub start: Offset,
    /// One after the last record that is visible. Not stored.
    pub committed: Offset,
    /// One after the last record.
    pub end: Offset,
    /// The average size of recent records, from before sizes were kept.
    pub(crate) average_bytes: u32,
    pub(crate) producers: Producers,
    /// Deduplication ids of records before this one are forgotten, because the log's queue was
    /// purged.
    pub(crate) purged: Offset,
    pub(crate) sizes: Sizes,
}

stored_fields! {
    Partition {
        Start start: Offset,
        End end: Offset,
        AverageBytes average_bytes: u32,
        Producers producers: Producers,
        Purged purged: Offset,
        Sizes sizes: Sizes,
    }
}

impl Partition {
    /// Adds new records.
    pub(super) fn append(&mut self, base: Offset, count: u32, size_bytes: u32) {
        self.end = base.plus(u64::from(count));
        self.sizes.note(base, size_bytes.div_ceil(count.max(1)));
    }

    /// About the sizes of records, as numbers of records of one size.
    pub(super) fn sizes_of(&self, records: Range<Offset>) -> impl Iterator<Item = (u64, u32)> {
        self.sizes.pieces(records, self.average_bytes)
    }
}

#[cfg(test)]
impl Logs {
    /// Initializes the sizes from the average that older versions stored.
    pub(crate) fn tell_sizes_by_average(&mut self, log: stele_base_types::LogId, average: u32) {
        let open = self.logs.get_mut(&log).into_iter();
        for partition in open.flat_map(|log| &mut log.partitions) {
            partition.sizes = Sizes::default();
            partition.average_bytes = average;
        }
    }
}

impl Logs {
    /// Advances the durable ends of partitions: the records before them become visible.
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
