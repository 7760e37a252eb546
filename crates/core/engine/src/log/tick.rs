//! What time alone does to logs, one piece at a time: ends of leases, delays and waits, expiry,
//! removal of expired entries, and deletion of unused logs.

use stele_base_types::{LogId, Timestamp};

use super::{
    Log, Logs,
    index::{Deadline, Indexes, Place},
    ledger::{answer_empty, ledger_record},
    record::LedgerRecord,
};
use crate::{Decision, Ledger};

impl Logs {
    /// The next deadline. Constant time.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.indexes.deadlines.first().map(|(at, ..)| *at)
    }

    pub(crate) fn tick(&self, now: Timestamp) -> Decision {
        let first = self.indexes.deadlines.first();
        let Some((_, log, deadline)) = first.filter(|(at, ..)| *at <= now) else {
            return Decision::nothing();
        };
        if let Some(sweep) = self.sweep_log(*log) {
            return sweep;
        }
        match deadline {
            Deadline::Wait(ledger, token) => answer_empty(*log, *ledger, *token),
            Deadline::End => self.end(*log),
            Deadline::Windows => self.forget_some(*log, now),
            Deadline::Lease(place) => self.tick_ledger(*log, *place, now, Ledger::ended_leases),
            Deadline::Delay(place) => self.tick_ledger(*log, *place, now, Ledger::ended_delays),
            Deadline::Expiry(ledger, partition) | Deadline::Life(ledger, partition) => {
                let known = self.log(*log);
                let Some(ledger) = known.and_then(|known| known.ledger(*ledger)) else {
                    return Decision::nothing();
                };
                // A waiting consumer gets a record, even one that is about to expire.
                if ledger.is_hot() {
                    return self.dispatch(*log, now);
                }
                let expired = match deadline {
                    Deadline::Life(..) => ledger.end_lives(*log, *partition, now),
                    _ => ledger.expire(*log, *partition, now),
                };
                expired.map_or_else(Decision::nothing, Decision::record)
            }
        }
    }

    pub(super) fn tick_ledger(
        &self,
        log: LogId,
        place: Place,
        now: Timestamp,
        happens: impl FnOnce(&Ledger, Place, Timestamp) -> LedgerRecord,
    ) -> Decision {
        let ledger = self.log(log).and_then(|known| known.ledger(place.ledger));
        ledger.map_or_else(Decision::nothing, |ledger| {
            let record = happens(ledger, place, now);
            Decision::record(ledger_record(log, place.ledger, record))
        })
    }

    pub(super) fn apply_forgotten(&mut self, id: LogId, at: Timestamp) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        log.deduplication.forget(at);
        for partition in &mut log.partitions {
            partition.producers.forget(at);
        }
        for ledger in &mut log.ledgers {
            ledger.forget(at);
        }
        log.unplan_forgetting(id, &mut self.indexes);
        let period_ms = log.forgetting_period_ms();
        log.plan_forgetting(id, at, period_ms, &mut self.indexes);
    }
}

impl Log {
    /// Schedules the removal of expired entries, no later than `period_ms` after `at`.
    pub(super) fn plan_forgetting(
        &mut self,
        id: LogId,
        at: Timestamp,
        period_ms: Option<u64>,
        indexes: &mut Indexes,
    ) {
        let Some(period_ms) = period_ms else {
            return;
        };
        let planned = at.plus_ms(period_ms);
        if self.forget_at.is_some_and(|earlier| earlier <= planned) {
            return;
        }
        self.unplan_forgetting(id, indexes);
        self.forget_at = Some(planned);
        indexes.deadlines.insert((planned, id, Deadline::Windows));
    }

    /// Enters the schedule into indexes that don't have it yet.
    pub(super) fn index_forgetting(&self, id: LogId, indexes: &mut Indexes) {
        if let Some(planned) = self.forget_at {
            indexes.deadlines.insert((planned, id, Deadline::Windows));
        }
    }

    pub(super) fn unplan_forgetting(&mut self, id: LogId, indexes: &mut Indexes) {
        if let Some(planned) = self.forget_at.take() {
            indexes.deadlines.remove(&(planned, id, Deadline::Windows));
        }
    }
}
