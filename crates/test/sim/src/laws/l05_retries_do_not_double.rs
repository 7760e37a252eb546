//! Law 5: an idempotent producer's retries never duplicate or reorder records; a fenced producer's
//! writes fail.

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{Offset, PartitionId, ProducerEpoch, ProducerId, Sequence};
use stele_core_engine::{AppendError, Appended};

use super::{Law, ensure};
use crate::{
    event::{Event, PublishId, Read, RecordId},
    model::Model,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct RetriesDoNotDouble {
    /// The newest epoch that a partition has acknowledged, and the next sequence number in it.
    newest: BTreeMap<Key, (ProducerEpoch, Sequence)>,
    /// The first and the last offset of each epoch.
    epochs: BTreeMap<Key, BTreeMap<ProducerEpoch, (Offset, Offset)>>,
}

type Key = (PartitionId, ProducerId);

impl Law for RetriesDoNotDouble {
    fn name(&self) -> &'static str {
        "5: retries neither double nor reorder, fenced writes fail"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Audited(read) => {
                each_once(read)?;
                in_sequence(read, model)
            }
            Event::Acknowledged {
                publish, places, ..
            } => places
                .iter()
                .try_for_each(|place| self.is_not_fenced(*publish, place, model)),
            Event::Refused(publish, Some(error)) => self.is_rightly_refused(*publish, error, model),
            _ => Ok(()),
        }
    }
}

impl RetriesDoNotDouble {
    fn is_not_fenced(
        &mut self,
        publish: PublishId,
        place: &Appended,
        model: &Model,
    ) -> Result<(), String> {
        let publish = &model.publishes[&publish];
        let Some(stamp) = publish.stamp else {
            return Ok(());
        };
        let Appended {
            partition,
            base,
            duplicate: is_duplicate,
            ..
        } = *place;
        let key = (partition, stamp.id);
        let next = stamp.sequence.plus(publish.records.len() as u32);
        let newest = self.newest.entry(key).or_insert((stamp.epoch, next));
        *newest = (*newest).max((stamp.epoch, next));
        if is_duplicate {
            return Ok(());
        }
        let epochs = self.epochs.entry(key).or_default();
        let (first, last) = epochs.entry(stamp.epoch).or_insert((base, base));
        (*first, *last) = ((*first).min(base), (*last).max(base));
        // Answers may arrive in another order than they were given in.
        let mut pairs = epochs.iter().zip(epochs.iter().skip(1));
        let turned = pairs.find(|((_, (_, last)), (_, (first, _)))| last > first);
        ensure(turned.is_none(), || {
            format!("{stamp:?} was taken at {base} of {partition}: {turned:?}")
        })
    }

    /// A batch that follows the acknowledged ones is accepted; so is the first batch of a producer
    /// that the broker doesn't know, whatever its sequence number.
    fn is_rightly_refused(
        &self,
        publish: PublishId,
        error: &AppendError,
        model: &Model,
    ) -> Result<(), String> {
        let publish = &model.publishes[&publish];
        let Some(stamp) = publish.stamp else {
            return Ok(());
        };
        let AppendError::OutOfOrderSequence { partition, .. } = error else {
            return Ok(());
        };
        let mut all = model.publishes.values();
        let has_others = all.any(|other| {
            let is_same = other.stamp.is_some_and(|other| other.id == stamp.id);
            is_same && other.id != publish.id
        });
        ensure(has_others, || {
            format!("{stamp:?} is all that was sent of it, and was refused: {error}")
        })?;
        let known = self.newest.get(&(*partition, stamp.id));
        ensure(known != Some(&(stamp.epoch, stamp.sequence)), || {
            format!("{stamp:?} follows what was acknowledged, and was refused: {error}")
        })
    }
}

fn each_once(read: &Read) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for (offset, record) in &read.records {
        ensure(seen.insert(*record), || {
            format!("{}: {} is at {offset} and before", read.partition, record.0)
        })?;
    }
    Ok(())
}

/// Sequence numbers of an epoch ascend, and epochs ascend.
fn in_sequence(read: &Read, model: &Model) -> Result<(), String> {
    let mut last = BTreeMap::<ProducerId, (ProducerEpoch, RecordId)>::new();
    for (offset, record) in &read.records {
        let Some(stamp) = model.origin(*record).and_then(|publish| publish.stamp) else {
            continue;
        };
        // A producer numbers its records in the order in which it creates them.
        let here = (stamp.epoch, *record);
        let before = last.insert(stamp.id, here);
        ensure(before.is_none_or(|before| before < here), || {
            format!(
                "{}: {here:?} at {offset} comes after {before:?}",
                read.partition
            )
        })?;
    }
    Ok(())
}
