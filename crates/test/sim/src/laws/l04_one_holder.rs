//! Law 4: a message is leased to at most one holder at a time; a settled message is never delivered
//! again; an unsettled one is delivered again after its holder is gone or its deadline has passed.
//!
//! In a queue that serves one consumer at a time, no other gets something until that one has been
//! cancelled or its session has ended.
//!
//! So no lease id is used twice, or a late holder could settle another's message. A receiver of a
//! message that was delivered before is told so. And time doesn't go back when a process restarts,
//! or deadlines already announced would come late.

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{LogId, PartitionId, Timestamp};
use stele_core_engine::{Appended, ConsumerRef, Durability, LeaseId, Outcome};

use super::{Law, ensure};
use crate::{
    event::{Event, Item, Leased, PublishId, RecordId, Settling},
    model::{Model, Standing},
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct OneHolder {
    /// Every lease id ever used.
    given: BTreeSet<(LogId, LeaseId)>,
    /// Every record ever delivered.
    delivered: BTreeSet<(PartitionId, RecordId)>,
    /// Which consumer was served last, in queues that serve one at a time.
    active: BTreeMap<LogId, ConsumerRef>,
    /// The latest timestamp of an append that no crash can undo.
    latest: Timestamp,
}

impl Law for OneHolder {
    fn name(&self) -> &'static str {
        "4: one holder at a time, settled for good, delivered until settled"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Leased(leased) => {
                is_free(leased, model)?;
                self.are_told_apart(leased, model)?;
                self.are_for_the_active_one(leased, model)?;
                self.are_new(leased)
            }
            Event::Acknowledged {
                publish, places, ..
            } => {
                self.note_time(*publish, places, model);
                Ok(())
            }
            Event::SessionClosed(session) => {
                self.active.retain(|_, active| active.session != *session);
                Ok(())
            }
            Event::Cancelled(consumer) => {
                self.active.retain(|_, active| active != consumer);
                Ok(())
            }
            Event::Crashed(_) => {
                self.active.clear();
                Ok(())
            }
            Event::Time(now) => ensure(*now >= self.latest, || {
                format!("it is {now:?}, after {:?}", self.latest)
            }),
            Event::Settling(settling) if !settling.is_durable => Ok(()),
            Event::Settled { asked, missing } => holds_what_it_settled(asked, missing, model),
            Event::Drained(log) => {
                let partitions = model.places.keys().filter(|it| it.log == *log);
                let left = partitions
                    .flat_map(|partition| model.ledgers.records(*partition))
                    .find(|(_, record)| {
                        let standing = record.standing;
                        matches!(standing, Standing::Waiting { .. } | Standing::Leased { .. })
                            && record.is_certainly_there()
                    });
                ensure(left.is_none(), || format!("log {log}: {left:?} never came"))
            }
            _ => Ok(()),
        }
    }
}

impl OneHolder {
    fn are_new(&mut self, leased: &Leased) -> Result<(), String> {
        let log = leased.partition.log;
        let mut leases = leased.records.iter().filter(|_| !leased.is_taken);
        let again = leases.find(|one| !self.given.insert((log, one.lease)));
        ensure(again.is_none(), || {
            format!("{}: {again:?} has a lease of before", leased.partition)
        })
    }

    fn are_for_the_active_one(&mut self, leased: &Leased, model: &Model) -> Result<(), String> {
        let log = leased.partition.log;
        let queue = model.log(log).and_then(|config| config.queue);
        let (Some(consumer), true) = (leased.consumer, queue.is_some_and(|it| it.single_active))
        else {
            return Ok(());
        };
        let consumer = ConsumerRef {
            session: leased.session,
            consumer,
        };
        let active = *self.active.entry(log).or_insert(consumer);
        ensure(active == consumer, || {
            format!(
                "{}: for {consumer:?} while {active:?} is active",
                leased.partition
            )
        })
    }

    /// A receiver of a record that was delivered before is told so, whatever has crashed in
    /// between. In a log that isn't synced, the record may have been lost in a crash and sent
    /// again.
    fn are_told_apart(&mut self, leased: &Leased, model: &Model) -> Result<(), String> {
        let at = leased.partition;
        let config = model.log(at.log);
        if config.is_none_or(|config| config.durability != Durability::Synced) {
            return Ok(());
        }
        for one in &leased.records {
            let is_new = self.delivered.insert((at, one.record));
            ensure(is_new || one.redelivered, || {
                format!("{at}: {one:?} was delivered before, which its holder isn't told")
            })?;
        }
        Ok(())
    }

    fn note_time(&mut self, publish: PublishId, places: &[Appended], model: &Model) {
        let publish = &model.publishes[&publish];
        let is_safe = |place: &Appended| {
            let mut targets = publish.targets.iter();
            let target = targets.find(|target| target.log == place.partition.log);
            let class = target.map(|target| target.class);
            !place.duplicate && class == Some(Durability::Synced)
        };
        // Which attempt of a repeated request was accepted is unknown.
        if publish.stamp.is_none() && places.iter().any(is_safe) {
            self.latest = self.latest.max(publish.at);
        }
    }
}

fn is_free(leased: &Leased, model: &Model) -> Result<(), String> {
    for one in &leased.records {
        let known = model.ledgers.get(leased.partition, one.offset);
        let may_be_shown = known.is_some_and(|known| known.may_be_shown);
        let standing = known.map(|known| known.standing);
        let is_free = match standing {
            Some(Standing::Leased { .. } | Standing::Done | Standing::DoneForever) => false,
            Some(Standing::Waiting { hidden_until }) => hidden_until.is_none() || may_be_shown,
            Some(Standing::Unknown) | None => true,
        };
        ensure(is_free, || {
            format!("{} at {} was {standing:?}", leased.partition, one.offset)
        })?;
    }
    Ok(())
}

/// A successful settlement was made by the holder; an unsuccessful one wasn't.
///
/// By the time of the answer the record may have other holders: only records that stay settled can
/// be checked.
fn holds_what_it_settled(asked: &Settling, missing: &[usize], model: &Model) -> Result<(), String> {
    let is_done = matches!(asked.outcome, Outcome::Done | Outcome::Reject);
    for (place, item) in asked.items.iter().enumerate().filter(|_| is_done) {
        let Item {
            partition, offset, ..
        } = *item;
        let partition = PartitionId::new(asked.log, partition);
        let known = model.ledgers.get(partition, offset);
        let known = known.filter(|record| record.is_certainly_there());
        let standing = known.map(|record| record.standing);
        let is_missing = missing.contains(&place);
        let contradicts = match standing {
            Some(Standing::Waiting { .. } | Standing::Leased { .. }) => !is_missing,
            _ => false,
        };
        ensure(!contradicts, || {
            format!("{partition} at {offset} was settled by {item:?} and is {standing:?}")
        })?;
    }
    Ok(())
}
