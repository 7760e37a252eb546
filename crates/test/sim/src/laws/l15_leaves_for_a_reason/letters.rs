//! What a letter must be, and where it may come from.

use stele_base_types::LogId;
use stele_core_engine::{DeathReason, Overflow};

use super::{
    LeavesForAReason, Seen, body_bytes,
    history::{before, goes_round},
    life_ms,
};
use crate::{
    event::{Death, Letter, Publish, RecordId},
    laws::ensure,
    letters::{addressees, id_of, is_limited, reason_of},
    model::Model,
};

impl LeavesForAReason {
    pub(super) fn is_rightly_there(
        &mut self,
        letter: &Letter,
        model: &Model,
    ) -> Result<(), String> {
        let log = letter.partition.log;
        let Some(publish) = model.origin(letter.original) else {
            return Err(format!("{letter:?} is of nobody"));
        };
        let is_whole = letter.is_own_body
            && letter.body_bytes == body_bytes(publish, letter.original)
            && letter.timestamp <= publish.at;
        ensure(is_whole, || {
            format!("{letter:?} isn't what was published: {publish:?}")
        })?;
        let history = (letter.original, letter.deaths.clone());
        self.histories.insert(letter.record, history);
        let place = (letter.partition, letter.offset);
        let here = (log, letter.record);
        let seen = self.seen.entry(here).or_insert(Seen {
            place,
            deliveries: 0,
        });
        ensure(seen.place == place, || {
            format!("{letter:?} is at {:?} as well", seen.place)
        })?;
        // The letter may be the first that is heard of a log.
        if !self.logs.contains_key(&log) {
            return Ok(());
        }
        self.has_come_rightly(letter, publish)
    }

    /// Whether the last death in a letter's history may have happened, and has led here.
    fn has_come_rightly(&mut self, letter: &Letter, publish: &Publish) -> Result<(), String> {
        let (name, last) = (self.name(letter.partition.log), &letter.deaths[0]);
        let leads_here = addressees(&last.queue).contains(&name);
        ensure(leads_here, || {
            format!("{letter:?} went from {} to {name}", last.queue)
        })?;
        ensure(!goes_round(name, &letter.deaths), || {
            format!("{letter:?} goes round, and was in {name} before")
        })?;
        let before = before(&letter.deaths);
        let record = id_of(letter.original, &before);
        let leads_there = |death: &Death| addressees(&death.queue).contains(&&*last.queue);
        let was_sent_there = publish.targets.iter().any(|target| {
            let known = self.logs.get(&target.log);
            known.is_none_or(|known| known.name == last.queue)
        });
        let could_be_there = match before.is_empty() {
            true => was_sent_there,
            false => before.iter().any(leads_there),
        };
        ensure(could_be_there, || {
            format!("{letter:?} can't have been in {}", last.queue)
        })?;
        if let [source] = *self.ids_of(&last.queue) {
            let is_first = before.is_empty();
            self.has_died_rightly(source, record, letter, is_first.then_some(publish))?;
            self.gone.insert((source, record));
        }
        Ok(())
    }

    /// Whether the record that became a letter may have died in this queue for the reason of its
    /// last death. `publish` is its append, unless it came as a letter itself.
    fn has_died_rightly(
        &self,
        source: LogId,
        record: RecordId,
        letter: &Letter,
        publish: Option<&Publish>,
    ) -> Result<(), String> {
        let (known, here) = (&self.logs[&source], (source, record));
        let Some(reason) = reason_of(&letter.deaths[0]) else {
            return Err(format!("{letter:?} has no known reason"));
        };
        ensure(known.queue.dead_letters.contains(reason), || {
            format!("{letter:?}: {} has no such dead letters", known.name)
        })?;
        let seen = self.seen.get(&here);
        let is_possible = match reason {
            DeathReason::Rejected => self.rejected.contains_key(&here),
            // Which attempt of a repeated request was accepted is unknown.
            DeathReason::Expired => publish.is_none_or(|publish| {
                if publish.stamp.is_some() {
                    return true;
                }
                let index = publish.records.iter().position(|id| *id == record);
                let life_ms = index.and_then(|index| life_ms(&known.queue, publish, index));
                life_ms.is_some_and(|life_ms| publish.at.plus_ms(life_ms) <= self.latest)
            }),
            DeathReason::Deliveries => known.queue.deliveries_max.is_some_and(|max| {
                let is_known = publish.is_some_and(|it| self.crashed.is_none_or(|at| at < it.at));
                let deliveries = seen.map_or(0, |seen| seen.deliveries);
                deliveries >= max || !is_known || known.is_abandoned
            }),
            DeathReason::Length => match known.queue.overflow {
                Overflow::RefuseAsDead => seen.is_none_or(|seen| seen.deliveries == 0),
                Overflow::RefuseNew => false,
                Overflow::DropOldest => is_limited(&known.queue),
            },
        };
        ensure(is_possible, || {
            format!("{letter:?} can't have died so in {}", known.name)
        })
    }
}
