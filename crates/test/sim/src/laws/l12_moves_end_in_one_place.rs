//! Law 12: a record that was moved to another log is in that log or still in its old place, never
//! in both; and once everything is quiet it is in one of them, unless one of the two logs has lost
//! it legitimately.
//!
//! It is in its old place if it is delivered there after the move, or moved from there again. What
//! a power failure undoes in logs that aren't synced may afterwards be in the other place.

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{LogId, Offset, PartitionId};
use stele_core_engine::{DeathReasons, Durability};

use super::{Law, ensure};
use crate::{
    event::{Crash, Event, Item, Moving, RecordId, Settling},
    letters::leaves_by_itself,
    model::{Model, Standing},
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct MovesEndInOnePlace {
    /// By the record's id in the other log.
    moves: BTreeMap<RecordId, Moved>,
    /// The last move from each place.
    last: BTreeMap<Place, RecordId>,
    /// Logs whose deletion was acknowledged.
    gone: BTreeSet<LogId>,
    /// Logs that are being purged: the purge may take effect at any time until it is answered, or
    /// never.
    purging: Vec<LogId>,
}

type Place = (PartitionId, Offset);

#[derive(Debug)]
struct Moved {
    from: PartitionId,
    offset: Offset,
    to: LogId,
    /// The durability classes of the source and target logs.
    classes: [Durability; 2],
    /// The client was told that the move is durable.
    is_promised: bool,
    /// A log was deleted or trimmed, or a request had an unknown effect on it.
    is_excused: bool,
    /// The target log was already gone.
    has_to_return: bool,
    has_returned: bool,
    has_arrived: bool,
    /// Where it was seen in the target log, unless a crash has undone that.
    at: Option<Place>,
}

impl Law for MovesEndInOnePlace {
    fn name(&self) -> &'static str {
        "12: what is moved ends in one of two places"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Moving(moving) => self.begin(moving, model)?,
            Event::Moved(record) => {
                if let Some(moved) = self.moves.get_mut(record) {
                    moved.is_promised = true;
                }
            }
            Event::Leased(leased) => {
                for one in &leased.records {
                    let place = (leased.partition, one.offset);
                    self.is_seen(one.record, place)?;
                    self.is_back(place)?;
                }
            }
            Event::Read(read) | Event::Audited(read) => {
                for (offset, record) in &read.records {
                    self.is_seen(*record, (read.partition, *offset))?;
                }
            }
            Event::Deleted(log) => {
                self.gone.insert(*log);
            }
            Event::Purging(log) => {
                self.purging.push(*log);
            }
            Event::Purged(log) => {
                self.excuse(|moved| moved.touches(*log));
                let place = self.purging.iter().position(|purging| purging == log);
                place.map(|place| self.purging.swap_remove(place));
            }
            Event::Deleting(log) => self.excuse(|moved| moved.touches(*log)),
            Event::Trimming(partition, to) => self.excuse(|moved| {
                let cuts_place = moved.from == *partition && moved.offset < *to;
                cuts_place || moved.to == partition.log
            }),
            Event::Settling(settling) => self.excuse(|moved| is_settled(settling, moved)),
            Event::Crashed(crash) => self.crash(*crash),
            Event::AtRest { moving, .. } => {
                ensure(moving.is_empty(), || {
                    format!("records of {moving:?} are on their way for ever")
                })?;
                self.none_is_lost(model)?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl MovesEndInOnePlace {
    fn begin(&mut self, moving: &Moving, model: &Model) -> Result<(), String> {
        let Moving {
            log,
            item,
            to,
            record,
        } = *moving;
        let from = PartitionId::new(log, item.partition);
        let standing = model.ledgers.standing(from, item.offset);
        let queue = model.log(log).and_then(|config| config.queue);
        let has_dead = queue.is_some_and(|queue| queue.dead_letters != DeathReasons::NONE);
        ensure(may_move(standing, &item, has_dead), || {
            format!("{moving:?} was taken, and is {standing:?}")
        })?;
        self.is_back((from, item.offset))?;
        self.last.insert((from, item.offset), record);
        let class = |log| {
            model
                .log(log)
                .map_or(Durability::Volatile, |it| it.durability)
        };
        let moved = Moved {
            from,
            offset: item.offset,
            to,
            classes: [class(log), class(to)],
            is_promised: false,
            is_excused: model.log(log).is_none() || may_leave(from, item.offset, model),
            has_to_return: self.gone.contains(&to),
            has_returned: false,
            has_arrived: false,
            at: None,
        };
        self.moves.insert(record, moved);
        Ok(())
    }

    /// Handles the sight of a record, which may be one that was moved.
    fn is_seen(&mut self, record: RecordId, place: Place) -> Result<(), String> {
        let Some(moved) = self.moves.get_mut(&record) else {
            return Ok(());
        };
        let is_once = moved.at.is_none_or(|at| at == place);
        ensure(is_once && !moved.has_returned, || {
            format!("{} is at {place:?}, and so is {moved:?}", record.0)
        })?;
        (moved.at, moved.has_arrived) = (Some(place), true);
        Ok(())
    }

    /// A record seen at its old place must not be elsewhere.
    fn is_back(&mut self, place: Place) -> Result<(), String> {
        let moved = self.last.get(&place);
        let Some(moved) = moved.and_then(|record| self.moves.get_mut(record)) else {
            return Ok(());
        };
        ensure(moved.at.is_none(), || {
            format!("{place:?} was handed out, and has gone: {moved:?}")
        })?;
        moved.has_returned = true;
        Ok(())
    }

    fn excuse(&mut self, which: impl Fn(&Moved) -> bool) {
        for moved in self.moves.values_mut().filter(|moved| which(moved)) {
            moved.is_excused = true;
        }
    }

    fn crash(&mut self, crash: Crash) {
        for log in std::mem::take(&mut self.purging) {
            self.excuse(|moved| moved.touches(log));
        }
        let stays = |class| match class {
            Durability::Synced => true,
            Durability::Flushed => crash == Crash::Kill,
            Durability::Volatile => false,
        };
        for moved in self.moves.values_mut() {
            moved.is_excused |= !moved.classes.into_iter().all(stays);
            moved.at = moved.at.filter(|_| stays(moved.classes[1]));
        }
    }

    fn none_is_lost(&self, model: &Model) -> Result<(), String> {
        let lost = self.moves.iter().find(|(_, moved)| {
            // A record that only a retention window keeps isn't seen by consumers.
            let target = model.log(moved.to);
            let is_kept = target.is_some_and(|log| {
                let queue = log.queue.unwrap_or_default();
                log.retention.until_acknowledged && leaves_by_itself(&queue) == DeathReasons::NONE
            });
            let is_judged = moved.is_promised && !moved.is_excused;
            let is_there = moved.has_arrived || moved.has_returned;
            is_judged && (is_kept || moved.has_to_return) && !is_there
        });
        ensure(lost.is_none(), || format!("{lost:?} is nowhere"))
    }
}

impl Moved {
    fn touches(&self, log: LogId) -> bool {
        self.from.log == log || self.to == log
    }
}

/// Whether a record may leave its queue by itself, instead of returning there.
fn may_leave(partition: PartitionId, offset: Offset, model: &Model) -> bool {
    let queue = model.log(partition.log).and_then(|config| config.queue);
    let known = model.ledgers.get(partition, offset);
    queue.is_some_and(|queue| leaves_by_itself(&queue) != DeathReasons::NONE)
        || known.is_some_and(|record| record.may_leave())
}

/// Whether a record known to be in this state may be moved. A dead one may, without a lease.
fn may_move(standing: Option<Standing>, item: &Item, has_dead: bool) -> bool {
    match (standing, item.lease) {
        (None | Some(Standing::Unknown), _) => true,
        (Some(Standing::Leased { lease, .. }), named) => named.is_none_or(|named| named == lease),
        (Some(Standing::Waiting { .. }), named) => named.is_none(),
        (Some(Standing::Done | Standing::DoneForever), named) => has_dead && named.is_none(),
    }
}

/// Whether a request may have settled a record that was moved from its place and has returned
/// there.
fn is_settled(settling: &Settling, moved: &Moved) -> bool {
    settling.items.iter().any(|item| {
        let place = (PartitionId::new(settling.log, item.partition), item.offset);
        item.lease.is_none() && place == (moved.from, moved.offset)
    })
}
