//! What is known of the broker's state by what was asked and answered: the laws compare with it
//! what is seen.
//!
//! What a crash may have taken back is not known any more; the laws judge only by what is.

mod ledger;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use stele_base_types::{LogId, Offset, PartitionId};
use stele_core_engine::{Durability, LogConfig};

pub(crate) use self::ledger::{LedgerModel, Standing};
use crate::{
    disk::Crash,
    event::{Event, Leased, Publish, PublishId, RecordId},
};

/// What is known.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Logs that exist, by what was acknowledged.
    pub logs: BTreeMap<LogId, LogConfig>,
    /// All appends that were asked for.
    pub publishes: BTreeMap<PublishId, Publish>,
    /// The append of each record.
    pub origins: BTreeMap<RecordId, PublishId>,
    /// Records that must be where they are.
    pub places: BTreeMap<PartitionId, BTreeMap<Offset, Place>>,
    /// Logs that were asked to be deleted.
    deleting: BTreeSet<LogId>,
    /// Who has done what with them.
    pub ledgers: LedgerModel,
}

/// A record that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Which.
    pub record: RecordId,
    /// Its append.
    pub publish: PublishId,
    /// What may take it away.
    pub class: Durability,
}

impl Model {
    /// A log that exists and isn't about to be deleted.
    pub(crate) fn log(&self, log: LogId) -> Option<&LogConfig> {
        self.logs.get(&log)
    }

    /// The append of a record.
    pub(crate) fn origin(&self, record: RecordId) -> Option<&Publish> {
        self.publishes.get(self.origins.get(&record)?)
    }

    /// Acknowledged records of a partition.
    pub(crate) fn places(&self, partition: PartitionId) -> impl Iterator<Item = (Offset, &Place)> {
        let places = self.places.get(&partition).into_iter().flatten();
        places.map(|(offset, place)| (*offset, place))
    }

    /// Takes in what has happened, after the laws have judged it.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            // An answer may come after the log was asked to be deleted.
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
                // Sent again, it is what it was when it was made.
                self.publishes
                    .entry(publish.id)
                    .or_insert_with(|| publish.clone());
            }
            Event::Acknowledged {
                publish, places, ..
            } => {
                // What a deduplication id stood for already may be another's record.
                let is_own = self.publishes[publish].stamp.is_some();
                for place in places.iter().filter(|place| is_own || !place.duplicate) {
                    self.acknowledge(*publish, place.partition, place.base);
                }
            }
            Event::Leased(leased) => self.lease(leased),
            Event::Crashed(crash) => self.crash(*crash),
            _ => {}
        }
        self.ledgers.note(event);
    }

    fn acknowledge(&mut self, id: PublishId, partition: PartitionId, base: Offset) {
        let Some(publish) = self.publishes.get(&id) else {
            return;
        };
        let mut targets = publish.targets.iter();
        let target = targets.find(|target| target.log == partition.log);
        let (Some(target), Some(config)) = (target, self.logs.get(&partition.log)) else {
            return;
        };
        let places = self.places.entry(partition).or_default();
        for (offset, record) in (base.0..).zip(&publish.records) {
            let place = Place {
                record: *record,
                publish: id,
                class: target.class,
            };
            // A duplicate is answered with the place of the first.
            if let Entry::Vacant(vacant) = places.entry(Offset(offset)) {
                vacant.insert(place);
                self.ledgers
                    .append(partition, Offset(offset), publish, config);
            }
        }
    }

    /// A record that is handed out is there, even if its append hasn't been answered.
    fn lease(&mut self, leased: &Leased) {
        for one in &leased.records {
            let Some(publish) = self.origins.get(&one.record) else {
                continue;
            };
            let class = self.publishes[publish].targets.iter();
            let mut classes = class.filter(|target| target.log == leased.partition.log);
            let places = self.places.entry(leased.partition).or_default();
            if let Some(target) = classes.next() {
                places.entry(one.offset).or_insert(Place {
                    record: one.record,
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
        }
    }

    fn forget(&mut self, log: LogId) {
        self.logs.remove(&log);
        self.places.retain(|partition, _| partition.log != log);
        self.ledgers.forget(log);
    }
}
