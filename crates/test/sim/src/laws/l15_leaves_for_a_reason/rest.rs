//! What must hold when there is nothing left to do.

use stele_base_types::{LogId, PartitionId, PartitionIndex};
use stele_core_engine::{DeathReason, DeathReasons};

use super::{Known, LeavesForAReason, history::after};
use crate::{
    event::RecordId,
    laws::ensure,
    letters::{addressees, id_of, leaves_by_itself},
    model::{Model, Standing},
};

impl LeavesForAReason {
    /// Records that were never delivered at the end have died, for one of the reasons why they may.
    pub(super) fn bury_the_rest(&mut self, model: &Model) {
        for partition in model.places.keys() {
            for (offset, record) in model.ledgers.records(*partition) {
                let is_out = matches!(
                    record.standing,
                    Standing::Waiting { .. } | Standing::Leased { .. }
                );
                let place = model.places[partition].get(&offset);
                if let Some(place) = place.filter(|_| is_out && !record.is_certainly_there()) {
                    let here = (partition.log, place.record);
                    let since = self.taken.get(&here).copied().unwrap_or_default();
                    self.dead
                        .entry(here)
                        .or_insert((record.may_have_left, since));
                }
            }
        }
    }

    /// Dead letters have come to every queue that they are for and that loses nothing by itself.
    pub(super) fn all_have_arrived(&self, model: &Model) -> Result<(), String> {
        for (&(log, record), &(reasons, since)) in &self.dead {
            let Some(known) = self.logs.get(&log) else {
                continue;
            };
            let seen = self.seen.get(&(log, record));
            if seen.is_some_and(|seen| self.taken_anyway.contains(&seen.place)) {
                continue;
            }
            let is_kept = |log: LogId| {
                let known = self.logs.get(&log);
                model.log(log).is_some() && known.is_some_and(|it| it.disturbed < since)
            };
            let mut possible = DeathReason::ALL.into_iter();
            let is_letter = |reason| known.queue.dead_letters.contains(reason);
            let is_judged = possible.all(|reason| !reasons.contains(reason) || is_letter(reason));
            if !is_judged || !is_kept(log) {
                continue;
            }
            for name in addressees(&known.name) {
                let &[to] = self.ids_of(name) else {
                    continue;
                };
                let target = &self.logs[&to];
                let is_safe = leaves_by_itself(&target.queue) == DeathReasons::NONE;
                if is_safe && is_kept(to) && target.since < since {
                    self.has_arrived(known, record, reasons, to)?;
                }
            }
        }
        Ok(())
    }

    fn has_arrived(
        &self,
        known: &Known,
        record: RecordId,
        reasons: DeathReasons,
        to: LogId,
    ) -> Result<(), String> {
        let history = self.histories.get(&record);
        let (original, deaths) = history.cloned().unwrap_or((record, Vec::new()));
        let mut possible = DeathReason::ALL
            .into_iter()
            .filter(|reason| reasons.contains(*reason));
        let is_there = possible.any(|reason| {
            let letter = id_of(original, &after(&deaths, &known.name, reason));
            self.seen.contains_key(&(to, letter))
        });
        ensure(is_there, || {
            let (from, to) = (&known.name, self.name(to));
            format!(
                "{} left {from} for one of {reasons:?}, and isn't in {to}",
                record.0
            )
        })
    }

    /// If nothing but its length makes a queue drop records, as many as it may have have followed
    /// each of those that it dropped.
    pub(super) fn nothing_was_dropped_early(&self, model: &Model) -> Result<(), String> {
        for (log, known) in &self.logs {
            let partition = PartitionId::new(*log, PartitionIndex(0));
            let Some(max) = known.queue.ready_max.filter(|_| known.partitions == 1) else {
                continue;
            };
            let length = DeathReasons::only(DeathReason::Length);
            let is_dropped = |standing| matches!(standing, Standing::Waiting { .. });
            let mut records = model.ledgers.records(partition);
            let last = records.by_ref().filter(|(_, record)| {
                is_dropped(record.standing) && record.may_have_left == length
            });
            let Some((last, _)) = last.last() else {
                continue;
            };
            let others = model.ledgers.records(partition);
            let others = others.filter(|(offset, _)| {
                *offset > last || self.delivered.contains_key(&(partition, *offset))
            });
            let others = others.count() as u64;
            ensure(others >= max, || {
                format!("{} dropped {last} with {others} others", known.name)
            })?;
        }
        Ok(())
    }
}
