//! Law 15: a record leaves a queue unsettled only for a reason that the queue has, and if the queue
//! has dead letters for that reason, it comes to the queues that get them.
//!
//! - A dead letter is in one place of its queue, with the bytes that were published. Its history is
//!   that of the record before with this death, which could have happened; and it is delivered no
//!   more where it died. It isn't sent round in a circle unless somebody has rejected it.
//! - What is too old isn't delivered, nor what was delivered as often as it may be, nor what was
//!   refused for the length, which isn't stored either.
//! - A queue that is full refuses what it has to, and only then; and once everything is quiet, a
//!   queue that drops its oldest records is no longer than it may be, and has dropped no more.

mod history;
mod letters;
mod rest;

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};
use stele_core_engine::{
    AppendError, Appended, DeathReason, DeathReasons, Durability, LedgerConfig, Outcome, Overflow,
};

use super::{Law, ensure};
use crate::{
    event::{Death, Event, Item, Leased, Publish, PublishId, Read, RecordId, Settling},
    letters::{NAMES, addressees, may_refuse},
    model::{Model, RecordModel, Standing},
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct LeavesForAReason {
    /// The number of events so far.
    events: u64,
    /// The latest time of the present process.
    now: Timestamp,
    /// The latest time of all processes: a start may set the clock back.
    latest: Timestamp,
    /// The latest time at which a process has ended.
    crashed: Option<Timestamp>,
    logs: BTreeMap<LogId, Known>,
    by_name: BTreeMap<Box<str>, Vec<LogId>>,
    /// How many records were sent to each log.
    sent: BTreeMap<LogId, u64>,
    /// Where records were delivered or, as letters, seen.
    seen: BTreeMap<InLog, Seen>,
    /// Which record was delivered from a place.
    delivered: BTreeMap<Place, RecordId>,
    /// The histories of letters.
    histories: BTreeMap<RecordId, (RecordId, Vec<Death>)>,
    /// Records that have died and gone on.
    gone: BTreeSet<InLog>,
    /// Records that somebody asked to reject, with the event of the last time.
    rejected: BTreeMap<InLog, u64>,
    /// Places whose records were settled or moved whatever their state.
    taken_anyway: BTreeSet<Place>,
    /// Records that are certainly dead for one of these reasons, since this event.
    dead: BTreeMap<InLog, (DeathReasons, u64)>,
    /// When records were acknowledged.
    taken: BTreeMap<InLog, u64>,
    /// Records that were never stored.
    refused: BTreeSet<InLog>,
    /// A session has ended, and its records may not be back yet.
    are_returning: bool,
    /// How many records of a queue were done when an append was requested.
    done: BTreeMap<(PublishId, LogId), u64>,
    /// Appends that queues have no room for.
    too_many: BTreeSet<(PublishId, LogId)>,
    /// The latest tick of the present process.
    ticked: Option<Timestamp>,
    /// Until when records live at most.
    ends: BTreeSet<(Timestamp, Place)>,
    /// Those that the present process has found to be too old.
    over: BTreeMap<Place, Timestamp>,
    /// What was consumed last of the log that is consumed to its end.
    drained: (u64, u64),
}

type Place = (PartitionId, Offset);

type InLog = (LogId, RecordId);

/// What is known of a log.
#[derive(Debug)]
struct Known {
    name: Box<str>,
    queue: LedgerConfig,
    partitions: u32,
    /// The event of its first definition.
    since: u64,
    /// The last event after which records may be gone, on request.
    disturbed: u64,
    /// It may have been delivered to somebody who was gone.
    is_abandoned: bool,
}

/// What is known of a record in a log.
#[derive(Clone, Copy, Debug)]
struct Seen {
    place: Place,
    deliveries: u32,
}

impl Law for LeavesForAReason {
    fn name(&self) -> &'static str {
        "15: a record leaves for a reason, and goes where that leads"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        self.events += 1;
        self.note(event, model);
        match event {
            Event::Acknowledged {
                publish,
                places,
                full,
            } => {
                let publish = &model.publishes[publish];
                for log in full {
                    self.refuse(publish, *log)?;
                }
                places
                    .iter()
                    .try_for_each(|place| self.is_rightly_taken(publish, place, model))
            }
            Event::Refused(id, Some(AppendError::TooLong | AppendError::Divided(_))) => {
                let publish = &model.publishes[id];
                let mut targets = publish.targets.iter();
                targets.try_for_each(|target| self.refuse(publish, target.log))
            }
            Event::Letter(letter) => self.is_rightly_there(letter, model),
            Event::Leased(leased) => self.are_rightly_delivered(leased, model),
            Event::Read(read) | Event::Audited(read) => self.are_stored(read),
            Event::Drained(log) => self.was_short_enough(*log),
            Event::AtRest { .. } => {
                self.bury_the_rest(model);
                self.all_have_arrived(model)?;
                self.nothing_was_dropped_early(model)
            }
            _ => Ok(()),
        }
    }
}

/// Noting.
impl LeavesForAReason {
    fn note(&mut self, event: &Event, model: &Model) {
        self.note_log(event);
        match event {
            Event::Time(now) => {
                self.note_time(*now);
                self.end_lives();
            }
            Event::Ticked(now) => {
                self.note_time(*now);
                self.ticked = self.ticked.max(Some(*now));
                self.are_returning = false;
            }
            Event::Published(publish) => self.note_publish(publish, model),
            Event::Settling(settling) => {
                for item in settling.items.iter().filter(|item| item.lease.is_none()) {
                    self.take_anyway(settling.log, item);
                }
                if settling.outcome == Outcome::Reject {
                    self.note_rejected(settling);
                }
            }
            Event::Moving(moving) if moving.item.lease.is_none() => {
                self.take_anyway(moving.log, &moving.item);
            }
            Event::Settled { asked, missing } if is_synced(asked.log, model) => {
                self.note_dead(asked, missing);
            }
            Event::SessionClosed(_) => self.are_returning = true,
            Event::Crashed(_) => {
                self.are_returning = true;
                self.crashed = Some(self.latest);
                self.ticked = None;
                let over = std::mem::take(&mut self.over);
                self.ends
                    .extend(over.into_iter().map(|(place, end)| (end, place)));
            }
            Event::Draining => self.drained = (0, 0),
            _ => {}
        }
    }

    fn note_time(&mut self, now: Timestamp) {
        self.now = now;
        self.latest = self.latest.max(now);
    }

    fn note_log(&mut self, event: &Event) {
        let now = self.events;
        match event {
            Event::Defined(definition) => {
                let name: Box<str> = definition.name.as_str().into();
                let ids = self.by_name.entry(name.clone()).or_default();
                if !ids.contains(&definition.id) {
                    ids.push(definition.id);
                }
                let known = self.logs.entry(definition.id).or_insert_with(|| Known {
                    name,
                    queue: LedgerConfig::PLAIN,
                    partitions: 0,
                    since: now,
                    disturbed: 0,
                    is_abandoned: false,
                });
                known.queue = definition.config.queue.unwrap_or_default();
                known.partitions = definition.config.partitions;
            }
            Event::Abandoned(log) => {
                if let Some(known) = self.logs.get_mut(log) {
                    known.is_abandoned = true;
                }
            }
            Event::Purging(log) | Event::Purged(log) | Event::Deleting(log) => self.disturb(*log),
            Event::Trimming(partition, _) => self.disturb(partition.log),
            _ => {}
        }
    }

    fn disturb(&mut self, log: LogId) {
        if let Some(known) = self.logs.get_mut(&log) {
            known.disturbed = self.events;
        }
    }

    fn note_publish(&mut self, publish: &Publish, model: &Model) {
        for target in &publish.targets {
            *self.sent.entry(target.log).or_default() += publish.records.len() as u64;
            let Some(known) = self.logs.get(&target.log) else {
                continue;
            };
            let Some(max) = known.queue.ready_max.filter(|_| may_refuse(&known.queue)) else {
                continue;
            };
            let is_done = |standing| standing == Standing::DoneForever;
            let done = count(target.log, known, model, |it| is_done(it.standing));
            self.done.insert((publish.id, target.log), done);
            let ready = count(target.log, known, model, RecordModel::is_ready);
            if ready >= max && publish.stamp.is_none() && !self.are_returning {
                self.too_many.insert((publish.id, target.log));
            }
        }
    }

    /// A dead record may be settled or moved as well, by somebody who names no lease.
    fn take_anyway(&mut self, log: LogId, item: &Item) {
        let partition = PartitionId::new(log, item.partition);
        self.taken_anyway.insert((partition, item.offset));
    }

    fn note_rejected(&mut self, settling: &Settling) {
        for item in &settling.items {
            let partition = PartitionId::new(settling.log, item.partition);
            if let Some(record) = self.delivered.get(&(partition, item.offset)) {
                self.rejected.insert((settling.log, *record), self.events);
            }
        }
    }

    /// A rejection that the client was told of stays, whatever crashes.
    fn note_dead(&mut self, asked: &Settling, missing: &[usize]) {
        if asked.outcome != Outcome::Reject || !asked.is_durable {
            return;
        }
        let done = asked.items.iter().enumerate();
        for (_, item) in done.filter(|(place, _)| !missing.contains(place)) {
            let partition = PartitionId::new(asked.log, item.partition);
            let record = self.delivered.get(&(partition, item.offset));
            let here = record.map(|record| (asked.log, *record));
            if let Some((here, since)) = here.and_then(|here| self.rejected.get_key_value(&here)) {
                let reasons = DeathReasons::only(DeathReason::Rejected);
                self.dead.insert(*here, (reasons, *since));
            }
        }
    }

    fn note_end(&mut self, publish: &Publish, index: usize, place: Place) {
        let life_ms = life_ms(&self.queue(place.0.log), publish, index);
        // Records that came about together end together, a hundredth of their life late.
        let end = life_ms.map(|ms| self.now.plus_ms(ms + ms / 50 + 1));
        self.ends.extend(end.map(|end| (end, place)));
    }

    /// A process that has done what is due has let nothing live that was too old, and has given
    /// nothing more to those who waited for it.
    fn end_lives(&mut self) {
        while let Some((end, place)) = self.ends.first().copied()
            && Some(end) <= self.ticked
        {
            self.ends.pop_first();
            self.over.insert(place, end);
        }
    }

    fn queue(&self, log: LogId) -> LedgerConfig {
        let known = self.logs.get(&log);
        known.map_or(LedgerConfig::PLAIN, |known| known.queue)
    }

    fn name(&self, log: LogId) -> &str {
        self.logs.get(&log).map_or("", |known| &known.name)
    }

    fn ids_of(&self, name: &str) -> &[LogId] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Appends.
impl LeavesForAReason {
    fn refuse(&mut self, publish: &Publish, log: LogId) -> Result<(), String> {
        self.too_many.remove(&(publish.id, log));
        // An earlier attempt may have been taken.
        if publish.stamp.is_some() {
            return Ok(());
        }
        let records = publish.records.iter().map(|record| (log, *record));
        self.refused.extend(records);
        self.could_be_full(publish.id, log)?;
        let sent = self.sent.entry(log).or_default();
        *sent = sent.saturating_sub(publish.records.len() as u64);
        Ok(())
    }

    /// Whether a queue that only gets what is published may have had too many records.
    fn could_be_full(&self, publish: PublishId, log: LogId) -> Result<(), String> {
        let Some(known) = self.logs.get(&log) else {
            return Ok(());
        };
        let gets_letters = NAMES
            .iter()
            .any(|name| addressees(name).contains(&&*known.name));
        let Some(max) = known.queue.ready_max.filter(|_| !gets_letters) else {
            return Ok(());
        };
        let sent = self.sent.get(&log).copied().unwrap_or_default();
        let done = self.done.get(&(publish, log)).copied().unwrap_or_default();
        let possible = sent.saturating_sub(done);
        ensure(!may_refuse(&known.queue) || possible > max, || {
            format!("{} refused records, and has {possible} at most", known.name)
        })
    }

    fn is_rightly_taken(
        &mut self,
        publish: &Publish,
        place: &Appended,
        model: &Model,
    ) -> Result<(), String> {
        let Appended {
            partition, refused, ..
        } = *place;
        let has_no_room = self.too_many.remove(&(publish.id, partition.log));
        if place.duplicate {
            return Ok(());
        }
        ensure(refused || !has_no_room, || {
            let name = self.name(partition.log);
            format!("{name} was full, and took {publish:?}")
        })?;
        for (index, record) in publish.records.iter().enumerate() {
            let offset = place.base.plus(index as u64);
            self.taken.insert((partition.log, *record), self.events);
            if refused {
                let reasons = DeathReasons::only(DeathReason::Length);
                self.dead
                    .insert((partition.log, *record), (reasons, self.events));
            } else if is_synced(partition.log, model) {
                self.note_end(publish, index, (partition, offset));
            }
        }
        match refused {
            true => self.could_be_full(publish.id, partition.log),
            false => Ok(()),
        }
    }

    fn are_stored(&self, read: &Read) -> Result<(), String> {
        if self.refused.is_empty() {
            return Ok(());
        }
        let log = read.partition.log;
        let mut records = read.records.iter();
        let stored = records.find(|(_, record)| self.refused.contains(&(log, *record)));
        ensure(stored.is_none(), || {
            format!("{stored:?} was refused, and is in {}", self.name(log))
        })
    }
}

/// Whether no crash undoes what is known of a log.
fn is_synced(log: LogId, model: &Model) -> bool {
    let config = model.log(log);
    config.is_some_and(|config| config.durability == Durability::Synced)
}

/// How many of the known records of a log are as asked for.
fn count(log: LogId, known: &Known, model: &Model, is: impl Fn(&RecordModel) -> bool) -> u64 {
    let partitions =
        (0..known.partitions).map(|index| PartitionId::new(log, PartitionIndex(index)));
    let records = partitions.flat_map(|partition| model.ledgers.records(partition));
    records.filter(|(_, record)| is(record)).count() as u64
}

/// Deliveries.
impl LeavesForAReason {
    fn are_rightly_delivered(&mut self, leased: &Leased, model: &Model) -> Result<(), String> {
        let log = leased.partition.log;
        let queue = self.queue(log);
        for one in &leased.records {
            let (place, here) = ((leased.partition, one.offset), (log, one.record));
            let name = self.name(log);
            ensure(!self.refused.contains(&here), || {
                format!("{one:?} was refused by {name}, and delivered")
            })?;
            ensure(!self.gone.contains(&here), || {
                format!("{one:?} had left {name} for another queue, and was delivered")
            })?;
            ensure(!self.dead.contains_key(&here), || {
                format!("{one:?} was dead in {name}, and was delivered")
            })?;
            ensure(!self.over.contains_key(&place), || {
                format!("{one:?} of {name} was too old, and was delivered")
            })?;
            let max = queue.deliveries_max.unwrap_or(u32::MAX);
            ensure(one.deliveries <= max || leased.is_taken, || {
                format!("{one:?} of {name} was delivered too often")
            })?;
            let deliveries = one.deliveries;
            let seen = self.seen.entry(here).or_insert(Seen { place, deliveries });
            seen.deliveries = seen.deliveries.max(deliveries);
            self.delivered.insert(place, one.record);
            if leased.is_taken {
                self.drained.0 += 1;
                self.drained.1 += self.body_bytes(one.record, model);
            }
        }
        Ok(())
    }

    fn body_bytes(&self, record: RecordId, model: &Model) -> u64 {
        let letter = self.histories.get(&record);
        let original = letter.map_or(record, |(original, _)| *original);
        let publish = model.origin(original);
        publish.map_or(0, |publish| body_bytes(publish, original))
    }

    /// A queue that drops its oldest records has no more than it may have.
    fn was_short_enough(&self, log: LogId) -> Result<(), String> {
        let queue = self.queue(log);
        if queue.overflow != Overflow::DropOldest {
            return Ok(());
        }
        let (records, bytes) = self.drained;
        let is_short = queue.ready_max.is_none_or(|max| records <= max)
            && queue.ready_bytes_max.is_none_or(|max| bytes <= max);
        ensure(is_short, || {
            let name = self.name(log);
            format!("{name} had {records} records with {bytes} bytes")
        })
    }
}

fn body_bytes(publish: &Publish, record: RecordId) -> u64 {
    let mut sizes = publish.records.iter().zip(&publish.bodies_bytes);
    let own = sizes.find(|(id, _)| **id == record);
    own.map_or(0, |(_, bytes)| u64::from(*bytes))
}

/// The shortest time to live of an append's record in a queue. Its own begins after its delay.
fn life_ms(queue: &LedgerConfig, publish: &Publish, index: usize) -> Option<u64> {
    let schedule = publish.schedules.get(index).copied().unwrap_or_default();
    let delay_ms = schedule.delay_ms.unwrap_or(queue.delay_ms);
    let own_ms = schedule.expiry_ms.map(|own_ms| own_ms + delay_ms);
    queue.expiry_ms.into_iter().chain(own_ms).min()
}
