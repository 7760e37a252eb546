//! Law 7: a FIFO queue delivers a message of a group only once those before it are settled, and
//! accepts one message per deduplication id within its window, across restarts.
//!
//! A receiver may get several messages of a group together. Nobody gets any of the following ones
//! before it has settled them; a message that it returns may be received again at once.

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{LogId, Offset, PartitionId, Timestamp};
use stele_core_engine::{Appended, Durability, limits::DEDUPLICATION_MS};

use super::{Law, ensure};
use crate::{
    event::{Event, Leased, Publish, PublishId},
    model::{Model, Standing},
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct GroupsInTurn {
    /// Where the last message of each deduplication id was accepted, and when it was requested.
    accepted: BTreeMap<(LogId, u128), (PartitionId, Offset, Timestamp)>,
    /// Requests with a deduplication id, with the time of the latest tick since.
    asked: BTreeMap<PublishId, Timestamp>,
    /// Requests in flight when a queue was purged: whether the purge freed their ids is unknown.
    caught: BTreeSet<PublishId>,
    /// Queues being purged, once for each request.
    purging: Vec<LogId>,
}

impl Law for GroupsInTurn {
    fn name(&self) -> &'static str {
        "7: messages of a group in turn, one per deduplication id"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Leased(leased) => no_other_is_out(leased, model),
            Event::Published(publish) => {
                let mut schedules = publish.schedules.iter();
                if schedules.any(|it| it.deduplication.is_some()) {
                    self.asked.insert(publish.id, publish.at);
                }
                Ok(())
            }
            Event::Acknowledged {
                publish, places, ..
            } => {
                let publish = &model.publishes[publish];
                let is_purging = places
                    .iter()
                    .any(|it| self.purging.contains(&it.partition.log));
                if is_purging || self.caught.contains(&publish.id) {
                    self.forget(publish);
                    return Ok(());
                }
                // It may be forgotten by the time of the answer.
                let latest = self.asked.remove(&publish.id).unwrap_or(publish.at);
                places
                    .iter()
                    .try_for_each(|place| self.are_accepted_once(publish, place, latest, model))
            }
            // Setting the clock back later doesn't bring back forgotten ids.
            Event::Ticked(now) => {
                let is_within = |at: Timestamp| now.since_ms(at) < DEDUPLICATION_MS;
                self.accepted.retain(|_, accepted| is_within(accepted.2));
                for latest in self.asked.values_mut() {
                    *latest = (*latest).max(*now);
                }
                Ok(())
            }
            Event::Refused(publish, _) => {
                self.asked.remove(publish);
                Ok(())
            }
            // A request in flight when the process ended may have been accepted.
            Event::Unanswered(publish) => {
                self.asked.remove(publish);
                self.forget(&model.publishes[publish]);
                Ok(())
            }
            // A purge frees the deduplication ids of the messages it removes.
            Event::Purging(log) => {
                self.purging.push(*log);
                self.purge();
                Ok(())
            }
            Event::Purged(log) => {
                self.purge();
                let place = self.purging.iter().position(|purging| purging == log);
                place.map(|place| self.purging.swap_remove(place));
                Ok(())
            }
            Event::Crashed(_) => {
                self.purge();
                self.purging.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl GroupsInTurn {
    /// Everything accepted so far may have been purged.
    fn purge(&mut self) {
        let purging = &self.purging;
        self.accepted.retain(|(log, _), _| !purging.contains(log));
        if !purging.is_empty() {
            self.caught.extend(self.asked.keys());
        }
    }

    /// Forgets the ids of a publish whose outcome is unknown.
    fn forget(&mut self, publish: &Publish) {
        for target in &publish.targets {
            for (_, id) in ids(publish) {
                self.accepted.remove(&(target.log, id));
            }
        }
    }

    fn are_accepted_once(
        &mut self,
        publish: &Publish,
        place: &Appended,
        latest: Timestamp,
        model: &Model,
    ) -> Result<(), String> {
        let log = place.partition.log;
        let config = model.log(log);
        let is_judged = config.is_some_and(|config| {
            config.durability == Durability::Synced && config.queue.is_some_and(|queue| queue.fifo)
        });
        if !is_judged {
            return Ok(());
        }
        ids(publish).try_for_each(|(index, id)| {
            let here = Appended {
                base: place.base.plus(index),
                ..*place
            };
            self.is_accepted_once(publish, (log, id), &here, latest)
        })
    }

    fn is_accepted_once(
        &mut self,
        publish: &Publish,
        key: (LogId, u128),
        place: &Appended,
        latest: Timestamp,
    ) -> Result<(), String> {
        let here = (place.partition, place.base, publish.at);
        let is_current = latest.since_ms(publish.at) < DEDUPLICATION_MS;
        // The original of a duplicate may never have been answered; its time and the end of its
        // window are then unknown.
        let Some(known) = self.accepted.get(&key).copied() else {
            if !place.duplicate && is_current {
                self.accepted.insert(key, here);
            }
            return Ok(());
        };
        let is_within = publish.at.since_ms(known.2) < DEDUPLICATION_MS;
        let is_same = (known.0, known.1) == (here.0, here.1);
        if place.duplicate {
            return ensure(is_within || known == here, || {
                format!("{publish:?} was taken for {known:?}, whose window is over")
            });
        }
        if !is_same {
            ensure(!is_within, || {
                format!("{publish:?} was accepted beside {known:?}")
            })?;
            self.accepted.remove(&key);
            if is_current {
                self.accepted.insert(key, here);
            }
        }
        Ok(())
    }
}

/// The deduplication ids of a batch's records, with their indexes.
fn ids(publish: &Publish) -> impl Iterator<Item = (u64, u128)> + use<'_> {
    let each = (0..).zip(&publish.schedules);
    each.filter_map(|(index, schedule)| Some((index, schedule.deduplication?)))
}

fn no_other_is_out(leased: &Leased, model: &Model) -> Result<(), String> {
    let Some(queue) = model.log(leased.partition.log).and_then(|log| log.queue) else {
        return Ok(());
    };
    if !queue.fifo {
        return Ok(());
    }
    for one in &leased.records {
        let group = model.ledgers.group(leased.partition, one.offset);
        if group.is_none() {
            continue;
        }
        let records = model.ledgers.records(leased.partition);
        let earlier = records.take_while(|(offset, _)| *offset < one.offset);
        let mut of_group = earlier.filter(|(_, known)| known.group == group);
        let out = of_group.find(|(offset, known)| match known.standing {
            Standing::Leased { session, .. } => {
                let is_together = leased.beside.contains(leased.partition, *offset);
                session != leased.session || !is_together
            }
            _ => false,
        });
        ensure(out.is_none(), || {
            let at = leased.partition;
            format!(
                "{at}: {} was handed out while {out:?} of its group is",
                one.offset
            )
        })?;
    }
    Ok(())
}
