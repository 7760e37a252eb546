//! Cleaning up after ended sessions, including all those of the previous process: one step, or one
//! run of leases, at a time.
//!
//! ```text
//!  session closed ► ended ── clean up: a wait … a consumer … a run of leases … ─► forgotten
//!  Started ───────► sessions of earlier epochs ── clean up: a run of leases …
//! ```
//!
//! Leases with a deadline stay until then: they belong to single requests without a lasting
//! session.

use stele_base_types::{LogId, ProcessEpoch, SessionId, Timestamp};

use super::{
    LogRecord, Logs,
    close::forget,
    index::{Indexes, Place},
    ledger::{answer_empty, ledger_record},
};
use crate::{ConsumerRef, Decision, Ledger, LedgerId, LedgerRecord, Record, limits::FLEETING_MAX};

impl Logs {
    /// The current process's epoch, or before a start the last one's.
    pub(crate) fn epoch(&self) -> ProcessEpoch {
        self.epoch
    }

    pub(crate) fn stopped(&mut self) {
        self.has_stopped = true;
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    pub(crate) fn doubted(&self) -> Timestamp {
        self.doubted
    }

    pub(crate) fn load_end(&mut self, doubted: Timestamp, has_stopped: bool) {
        self.doubted = doubted;
        self.has_stopped = has_stopped;
    }

    pub(crate) fn next_epoch(&self) -> ProcessEpoch {
        self.epoch.max(ProcessEpoch::of(self.lease_last.0)).next()
    }

    pub(crate) fn session_closed(&self, session: SessionId) -> Decision {
        let indexes = &self.indexes;
        let has_some = indexes.held_by(session).next().is_some()
            || indexes.consumers_of(session).next().is_some()
            || indexes.waits_of(session).next().is_some();
        let mut decision = Decision::nothing();
        let ended = has_some.then_some(Record::SessionEnded(session));
        decision.records.extend(ended);
        decision
    }

    pub(crate) fn apply_session_ended(&mut self, session: SessionId) {
        self.indexes.ended.insert(session);
    }

    pub(crate) fn apply_session_forgotten(&mut self, session: SessionId) {
        self.indexes.ended.remove(&session);
    }

    /// Whether there is cleaning up to do for ended sessions, or clearing of logs. Constant time.
    pub fn has_leavings(&self) -> bool {
        self.gone_session().is_some() || self.cleared_log().is_some()
    }

    fn gone_session(&self) -> Option<SessionId> {
        let former = self.indexes.first_holder();
        former
            .filter(|holder| holder.epoch() < self.epoch)
            .or_else(|| self.indexes.ended.first().copied())
    }

    /// What an ended session still holds of a log. Until that has returned, nothing of the log may
    /// be handed out, because later records would come first.
    pub(super) fn left_in(&self, log: LogId) -> Option<(SessionId, Place)> {
        let mut ended = self.indexes.ended.iter();
        self.log(log)?;
        ended.find_map(|session| {
            let place = self.indexes.held_in(*session, log)?;
            Some((*session, place))
        })
    }

    /// Whether [`crate::State::clean_up`] has to return something to a log, or clear it, before its
    /// records can be looked at.
    pub fn is_owed(&self, log: LogId) -> bool {
        self.is_cleared(log) || self.left_in(log).is_some()
    }

    /// Returns a run of what an ended session held to a log.
    pub(super) fn give_back(
        &self,
        log: LogId,
        (session, place): (SessionId, Place),
        now: Timestamp,
    ) -> Decision {
        if let Some(sweep) = self.sweep_log(log) {
            return sweep;
        }
        let held = |ledger: &Ledger, place, _| ledger.leases_of(place, session);
        self.tick_ledger(log, place, now, held)
    }

    /// One step of cleaning up after an ended session, or of clearing a log.
    pub(crate) fn clean_up(&self, now: Timestamp) -> Decision {
        if let Some(log) = self.cleared_log() {
            return self.clear_some(log);
        }
        let Some(session) = self.gone_session() else {
            return Decision::nothing();
        };
        if let Some((log, ledger, token)) = self.indexes.waits_of(session).next() {
            let sweep = self.sweep_log(log);
            return sweep.unwrap_or_else(|| answer_empty(log, ledger, token));
        }
        if let Some((consumer, log, ledger)) = self.indexes.consumers_of(session).next() {
            let sweep = self.sweep_log(log);
            return sweep.unwrap_or_else(|| self.drop_consumer(log, ledger, consumer, now));
        }
        if let Some((log, place)) = self.indexes.held_by(session).next() {
            return self.give_back(log, (session, place), now);
        }
        Decision::record(Record::SessionForgotten(session))
    }

    /// Removes a consumer whose session has ended.
    pub(super) fn drop_consumer(
        &self,
        log: LogId,
        ledger: LedgerId,
        consumer: ConsumerRef,
        now: Timestamp,
    ) -> Decision {
        let dropped = ledger_record(log, ledger, LedgerRecord::Dropped(consumer));
        let decision = Decision {
            records: [dropped].into_iter().chain(self.used(log, now)).collect(),
            ..Decision::nothing()
        };
        let known = self.log(log);
        if known.is_some_and(|known| known.goes_with(consumer)) {
            return decision.and(self.close_unused(log));
        }
        decision
    }

    /// Begins a new process: the sessions of the previous one are gone.
    pub(crate) fn recover(&self, epoch: ProcessEpoch, now: Timestamp) -> Decision {
        let started = std::iter::once(Record::Started(epoch));
        Decision {
            records: started.chain(self.used_at_start(now)).collect(),
            ..Decision::nothing()
        }
    }

    /// Closes some of the logs that were in the previous process's memory or belonged to its
    /// sessions; their data can be removed. None is opened again until its definition is known to
    /// be removed, because a command to open it may have been sent before the process ended.
    pub(crate) fn drop_fleeting(&self) -> Decision {
        let mut decision = Decision::nothing();
        let logs = self.iter();
        let fleeting = logs.filter(|(_, log)| log.config.ends_with_process());
        for (id, log) in fleeting.take(FLEETING_MAX) {
            decision.records.push(Record::Log(id, LogRecord::Closed));
            decision.effects.push(forget(id, log));
        }
        decision
    }

    /// Notes the start of a process. The previous one may have handed out records from before
    /// `latest`, unless it ended cleanly.
    pub(crate) fn started(&mut self, epoch: ProcessEpoch, latest: Timestamp) {
        self.epoch = epoch;
        if !std::mem::take(&mut self.has_stopped) {
            self.doubted = latest;
        }
        self.indexes = Indexes::default();
        self.closing.clear();
        self.clearing.clear();
        for log in self.logs.values_mut() {
            for partition in &mut log.partitions {
                partition.committed = partition.end;
            }
            for ledger in &mut log.ledgers {
                ledger.recover(&log.partitions, self.doubted);
            }
            log.is_hot = false;
            log.is_dying = false;
            log.is_long = false;
            log.is_sized = false;
            log.ids_counted = 0;
            log.bodies_counted = 0;
            log.used_at = None;
            log.ends_at = None;
        }
        self.index_all();
    }
}
