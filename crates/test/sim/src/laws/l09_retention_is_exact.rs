//! Law 9: retention and settling never remove what a reader is entitled to, and remove the rest.

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{LogId, Offset, PartitionId, Timestamp};
use stele_core_engine::{LogConfig, Window};

use super::{Law, ensure};
use crate::{
    event::{Event, Read},
    model::{Model, Place, Standing},
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct RetentionIsExact {
    /// Up to where removal was asked for.
    trimmed: BTreeMap<PartitionId, Offset>,
    /// The latest time that it ever was.
    latest: Timestamp,
    deleted: BTreeSet<LogId>,
    drained: BTreeSet<LogId>,
    swept: bool,
}

impl Law for RetentionIsExact {
    fn name(&self) -> &'static str {
        "9: retention removes what nobody is entitled to, and only that"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Trimming(partition, to) => {
                let known = self.trimmed.entry(*partition).or_default();
                *known = (*known).max(*to);
                Ok(())
            }
            Event::Ticked(now) => {
                self.latest = self.latest.max(*now);
                Ok(())
            }
            Event::Deleted(log) => {
                self.deleted.insert(*log);
                Ok(())
            }
            Event::Drained(log) => {
                self.drained.insert(*log);
                Ok(())
            }
            Event::Swept { on_disk } => {
                self.swept = true;
                let left = on_disk.iter().find(|log| self.deleted.contains(log));
                ensure(left.is_none(), || format!("log {left:?} left files behind"))
            }
            Event::Read(read) => self.nothing_needed_is_gone(read, model),
            Event::Audited(read) => {
                self.nothing_needed_is_gone(read, model)?;
                self.the_rest_is_gone(read, model)
            }
            _ => Ok(()),
        }
    }
}

impl RetentionIsExact {
    fn nothing_needed_is_gone(&self, read: &Read, model: &Model) -> Result<(), String> {
        let Some(config) = model.log(read.partition.log) else {
            return Ok(());
        };
        let trimmed = self.trimmed.get(&read.partition).copied();
        let start = trimmed.unwrap_or_default();
        let gone = model.places(read.partition);
        let gone = gone.filter(|(offset, _)| *offset < read.start && *offset >= start);
        for (offset, place) in gone {
            let is_kept = self.is_needed(read, offset, config, model)
                || self.is_in_window(read, place, config, model);
            ensure(!is_kept, || {
                format!("{}: {place:?} at {offset} is gone", read.partition)
            })?;
        }
        Ok(())
    }

    fn is_needed(&self, read: &Read, offset: Offset, config: &LogConfig, model: &Model) -> bool {
        let standing = model.ledgers.standing(read.partition, offset);
        let is_done = matches!(
            standing,
            Some(Standing::Done | Standing::DoneForever | Standing::Unknown)
        );
        config.retention.until_acknowledged && !is_done
    }

    /// A window keeps what exceeds neither of its bounds. By size: what lies from a record on, of
    /// which more may lie there than is known, but no less.
    fn is_in_window(&self, read: &Read, place: &Place, config: &LogConfig, model: &Model) -> bool {
        let Some(Window {
            time_ms,
            size_bytes,
        }) = config.retention.window
        else {
            return false;
        };
        let publish = &model.publishes[&place.publish];
        let latest = self.latest.max(read.at);
        let is_young = time_ms.is_none_or(|kept_ms| latest.since_ms(publish.at) < kept_ms);
        let is_near = size_bytes.is_none_or(|kept_bytes| {
            // Whole batches go, with what storing them takes: what is near the bound isn't judged.
            is_whole(read, model) && following_bytes(read.partition, place, model) < kept_bytes / 4
        });
        is_young && is_near
    }

    /// A queue that was consumed to its end keeps nothing once all was looked through.
    fn the_rest_is_gone(&self, read: &Read, model: &Model) -> Result<(), String> {
        let config = model.log(read.partition.log);
        let is_plain = config.is_some_and(|config| config.retention.window.is_none());
        let is_judged = self.swept && is_plain && self.drained.contains(&read.partition.log);
        ensure(!is_judged || read.start == read.committed, || {
            format!(
                "{} was consumed up to {} and begins at {}",
                read.partition, read.committed, read.start
            )
        })
    }
}

/// Whether all appends of a partition are known: else what is unknown takes space as well.
fn is_whole(read: &Read, model: &Model) -> bool {
    model.places(read.partition).count() as u64 == read.committed.0
}

/// Bytes of the batches from that of a record on.
fn following_bytes(partition: PartitionId, first: &Place, model: &Model) -> u64 {
    let places = model.places(partition);
    let batches: BTreeSet<_> = places
        .skip_while(|(_, place)| place.publish != first.publish)
        .map(|(_, place)| place.publish)
        .collect();
    let sizes = batches
        .iter()
        .map(|publish| model.publishes[publish].size_bytes);
    sizes.sum()
}
