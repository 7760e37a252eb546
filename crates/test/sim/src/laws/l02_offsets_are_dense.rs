//! Law 2: offsets of a partition are dense and never reused; a reader never sees two different
//! records at one offset.
//!
//! A power failure may undo what isn't synced, so nothing is remembered beyond one for logs that
//! aren't synced.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Offset, PartitionId};
use stele_core_engine::Durability;

use super::{Law, ensure};
use crate::{
    event::{Crash, Event, RecordId},
    model::Model,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct OffsetsAreDense {
    seen: BTreeMap<PartitionId, BTreeMap<Offset, RecordId>>,
}

impl Law for OffsetsAreDense {
    fn name(&self) -> &'static str {
        "2: offsets are dense and never reused"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Read(read) | Event::Audited(read) => {
                for pair in read.records.windows(2) {
                    ensure(pair[0].0.next() == pair[1].0, || {
                        format!("{}: {} follows {}", read.partition, pair[1].0, pair[0].0)
                    })?;
                }
                self.see_all(read.partition, read.records.iter().copied())
            }
            Event::Leased(leased) => {
                let records = leased.records.iter().map(|one| (one.offset, one.record));
                self.see_all(leased.partition, records)
            }
            Event::Acknowledged {
                publish, places, ..
            } => {
                let records = &model.publishes[publish].records;
                for place in places.iter().filter(|place| !place.duplicate) {
                    let offsets = (place.base.0..).map(Offset);
                    self.see_all(place.partition, offsets.zip(records.iter().copied()))?;
                }
                Ok(())
            }
            Event::Crashed(crash) => {
                let forgets = |log: &LogId| {
                    let class = model.log(*log).map(|log| log.durability);
                    let is_safe = class == Some(Durability::Synced)
                        || class == Some(Durability::Flushed) && *crash == Crash::Kill;
                    !is_safe
                };
                self.seen.retain(|partition, _| !forgets(&partition.log));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl OffsetsAreDense {
    fn see_all(
        &mut self,
        partition: PartitionId,
        records: impl Iterator<Item = (Offset, RecordId)>,
    ) -> Result<(), String> {
        let seen = self.seen.entry(partition).or_default();
        for (offset, record) in records {
            let before = *seen.entry(offset).or_insert(record);
            ensure(before == record, || {
                format!(
                    "{partition}: {} at {offset} was {} before",
                    record.0, before.0
                )
            })?;
        }
        Ok(())
    }
}
