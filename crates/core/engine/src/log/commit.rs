//! The durable end of partitions: what is before it may be shown.

use stele_base_types::{Offset, PartitionId};

use super::Logs;
use crate::{Decision, Record};

impl Logs {
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
            ledger.show_to(id.index, end);
        }
        self.refresh_indexes(id.log);
    }
}
