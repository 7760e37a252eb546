//! What is known about the broker's state from requests and answers: the laws compare observations
//! with it.
//!
//! What a crash may have undone is no longer known; the laws judge only by what is known.

mod ledger;

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{LogId, Offset, PartitionId};
use stele_core_engine::{Appended, DeathReason, Durability, LogConfig, Overflow};

pub(crate) use self::ledger::{LedgerModel, RecordModel, Standing};
use crate::event::{Crash, Event, Leased, Publish, PublishId, RecordId};

/// The known state.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Existing logs, by acknowledged definitions.
    pub logs: BTreeMap<LogId, LogConfig>,
    /// All requested appends.
    pub publishes: BTreeMap<PublishId, Publish>,
    /// The append of each record.
    pub origins: BTreeMap<RecordId, PublishId>,
    /// Records whose places are certain.
    pub places: BTreeMap<PartitionId, BTreeMap<Offset, Place>>,
    /// Unanswered appends, which may lie beyond the known records.
    waiting: BTreeSet<PublishId>,
    /// Moves whose records weren't seen in either place since, by their origin: they may arrive
    /// after a crash.
    moving: BTreeMap<(PartitionId, Offset), PublishId>,
    /// Logs whose deletion was requested.
    deleting: BTreeSet<LogId>,
    /// The states of the records of queues.
    pub ledgers: LedgerModel,
}

/// An acknowledged record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The record.
    pub record: RecordId,
    /// Its append.
    pub publish: PublishId,
    /// The durability, which determines what can remove it.
    pub class: Durability,
}

impl Model {
    /// A log that exists and isn't being deleted.
    pub(crate) fn log(&self, log: LogId) -> Option<&LogConfig> {
        self.logs.get(&log)
    }

    /// The append of a record.
    pub(crate) fn origin(&self, record: RecordId) -> Option<&Publish> {
        self.publishes.get(self.origins.get(&record)?)
    }

    /// The acknowledged records of a partition.
    pub(crate) fn places(
        &self,
        partition: PartitionId,
    ) -> impl DoubleEndedIterator<Item = (Offset, &Place)> {
        let places = self.places.get(&partition).into_iter().flatten();
        places.map(|(offset, place)| (*offset, place))
    }

    /// The bytes of unanswered appends to a partition.
    pub(crate) fn waiting_bytes(&self, partition: PartitionId) -> u64 {
        let waiting = self.waiting.iter().filter_map(|id| self.publishes.get(id));
        let here = waiting.filter(|publish| {
            publish.targets.iter().any(|target| {
                let index = target.partition.unwrap_or(partition.index);
                PartitionId::new(target.log, index) == partition
            })
        });
        here.map(|publish| publish.size_bytes).sum()
    }

    /// Records an event, after the laws have judged it.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            // The answer may come after the log's deletion was requested.
            Event::Defined(definition) if !self.deleting.contains(&definition.id) => {
                self.logs.insert(definition.id, definition.config);
            }
            Event::Deleting(log) => {
                self.deleting.insert(*log);
                self.forget(*log);
            }
            Event::Published(publish) => {
                for record in &publish.records {
                    self.origins.insert(*record, publish.id);
                }
                self.waiting.insert(publish.id);
                // A repeated request keeps its original content.
                self.publishes
                    .entry(publish.id)
                    .or_insert_with(|| publish.clone());
            }
            Event::Acknowledged {
                publish, places, ..
            } => {
                self.waiting.remove(publish);
                // A duplicate's place may be that of another request's record.
                let is_own = self.publishes[publish].stamp.is_some();
                for place in places.iter().filter(|place| is_own || !place.duplicate) {
                    self.acknowledge(*publish, place);
                }
            }
            Event::Refused(publish, _) => {
                self.waiting.remove(publish);
            }
            Event::Moving(moving) => {
                let from = PartitionId::new(moving.log, moving.item.partition);
                if let Some(publish) = self.origins.get(&moving.record) {
                    self.moving.insert((from, moving.item.offset), *publish);
                }
            }
            Event::Leased(leased) => {
                for one in &leased.records {
                    self.moving.remove(&(leased.partition, one.offset));
                }
                let records = leased.records.iter().map(|one| (one.offset, one.record));
                self.see(leased.partition, records);
            }
            Event::Read(read) | Event::Audited(read) => {
                self.see(read.partition, read.records.iter().copied());
            }
            Event::Crashed(crash) => {
                self.waiting.clear();
                self.waiting.extend(self.moving.values());
                self.crash(*crash);
            }
            _ => {}
        }
        self.ledgers.note(event);
        if let Event::Leased(leased) = event {
            self.meet(leased);
        }
    }

    fn acknowledge(&mut self, id: PublishId, place: &Appended) {
        let (partition, base) = (place.partition, place.base);
        let Some(publish) = self.publishes.get(&id) else {
            return;
        };
        let mut targets = publish.targets.iter();
        let target = targets.find(|target| target.log == partition.log);
        let (Some(target), Some(config)) = (target, self.logs.get(&partition.log)) else {
            return;
        };
        let places = self.places.entry(partition).or_default();
        for (index, (offset, record)) in (base.0..).zip(&publish.records).enumerate() {
            let known = Place {
                record: *record,
                publish: id,
                class: target.class,
            };
            // A duplicate is answered with the place of the original.
            places.entry(Offset(offset)).or_insert(known);
            self.ledgers
                .append(partition, Offset(offset), publish, index, config);
            // A repeated request isn't told that the original was too much.
            let overflow = config.queue.map(|queue| queue.overflow);
            if place.refused || place.duplicate && overflow == Some(Overflow::RefuseAsDead) {
                let reason = DeathReason::Length;
                self.ledgers
                    .may_have_left(partition, Offset(offset), reason);
            }
        }
    }

    /// Records that are delivered before their append is known may be older than is known.
    fn meet(&mut self, leased: &Leased) {
        for one in &leased.records {
            if self.ledgers.is_appended(leased.partition, one.offset) {
                continue;
            }
            let schedules = self.origin(one.record).map(|publish| &publish.schedules);
            if schedules.is_some_and(|all| all.iter().any(|it| it.expiry_ms.is_some())) {
                let reason = DeathReason::Expired;
                self.ledgers
                    .may_have_left(leased.partition, one.offset, reason);
            }
        }
    }

    /// Notes records that were delivered or read: even if their append hasn't been answered, no
    /// crash may undo them, within their durability class.
    fn see(&mut self, partition: PartitionId, records: impl Iterator<Item = (Offset, RecordId)>) {
        if !self.logs.contains_key(&partition.log) {
            return;
        }
        for (offset, record) in records {
            let Some(publish) = self.origins.get(&record) else {
                continue;
            };
            self.moving.retain(|_, moved| moved != publish);
            let mut targets = self.publishes[publish].targets.iter();
            if let Some(target) = targets.find(|target| target.log == partition.log) {
                let places = self.places.entry(partition).or_default();
                places.entry(offset).or_insert(Place {
                    record,
                    publish: *publish,
                    class: target.class,
                });
            }
        }
    }

    fn crash(&mut self, crash: Crash) {
        let gone: Vec<LogId> = self
            .logs
            .iter()
            .filter(|(_, config)| config.durability == Durability::Volatile)
            .map(|(log, _)| *log)
            .collect();
        for log in gone {
            self.forget(log);
        }
        if crash == Crash::PowerCut {
            for (partition, places) in &mut self.places {
                let ledgers = &mut self.ledgers;
                places.retain(|offset, place| {
                    let stays = place.class == Durability::Synced;
                    if !stays {
                        ledgers.forget_record(*partition, *offset);
                    }
                    stays
                });
            }
            let logs = self.logs.iter();
            for (log, _) in logs.filter(|(_, config)| config.durability != Durability::Synced) {
                self.ledgers.forget(*log);
            }
        }
    }

    fn forget(&mut self, log: LogId) {
        self.logs.remove(&log);
        self.places.retain(|partition, _| partition.log != log);
        self.ledgers.forget(log);
    }
}
