//! What goes with a session, and what went with all sessions of the former process.

use stele_base_types::{LogId, SessionId, Timestamp};

use super::{
    Log, Logs,
    close::forget,
    index::Indexes,
    ledger::{Site, answer_empty},
};
use crate::{Decision, Effect, Record};

impl Logs {
    /// Leases with a deadline stay until it has come: who received by a request of its own has no
    /// session that lasts. The others return.
    pub(crate) fn session_closed(&self, session: SessionId, now: Timestamp) -> Decision {
        let mut decision = Decision::nothing();
        for (log, ledger, token) in self.indexes.waits_of(session) {
            decision
                .effects
                .extend(answer_empty(log, ledger, token).effects);
        }
        let mut logs: Vec<LogId> = self
            .indexes
            .consumers_of(session)
            .map(|(_, log, _)| log)
            .collect();
        logs.dedup();
        let unused = logs
            .iter()
            .filter(|log| self.becomes_unused(**log, session));
        decision
            .effects
            .extend(unused.map(|log| Effect::Unused(*log)));
        let has_leases = self.indexes.held_by(session).next().is_some();
        if has_leases || !logs.is_empty() || !decision.effects.is_empty() {
            decision.records.push(Record::SessionClosed(session));
        }
        let used = logs.iter().filter_map(|log| self.used(*log, now));
        decision.records.extend(used);
        decision
    }

    pub(crate) fn apply_session_closed(&mut self, session: SessionId) {
        let mut touched = Vec::new();
        let waits: Vec<_> = self.indexes.waits_of(session).collect();
        for (log, ledger, token) in waits {
            self.at(log, ledger, |ledger, site| ledger.end_wait(token, site));
            touched.push(log);
        }
        let consumers: Vec<_> = self.indexes.consumers_of(session).collect();
        for (consumer, log, ledger) in consumers {
            self.at(log, ledger, |ledger, site| {
                ledger.drop_consumer(consumer, site)
            });
            touched.push(log);
        }
        let held: Vec<_> = self.indexes.held_by(session).collect();
        for (log, place) in held {
            self.at(log, place.ledger, |ledger, site| {
                ledger.give_back(place, site)
            });
            touched.push(log);
        }
        touched.dedup();
        for log in touched {
            self.settle_indexes(log);
        }
    }

    /// Logs of the former process's memory and of its sessions are gone: their data may go.
    pub(crate) fn recover(&self, now: Timestamp) -> Decision {
        Decision {
            records: std::iter::once(Record::Recovered)
                .chain(self.used_at_start(now))
                .collect(),
            effects: self.dying().map(|(id, log)| forget(id, log)).collect(),
            ..Decision::nothing()
        }
    }

    pub(crate) fn recovered(&mut self) {
        self.logs.retain(|_, log| !log.config.ends_with_process());
        self.indexes = Indexes::default();
        for log in self.logs.values_mut() {
            for partition in &mut log.partitions {
                partition.committed = partition.end;
            }
            for ledger in &mut log.ledgers {
                ledger.recover(&log.partitions);
            }
            log.is_hot = false;
            log.used_at = None;
            log.ends_at = None;
        }
        self.index_all();
    }

    fn dying(&self) -> impl Iterator<Item = (LogId, &Log)> {
        self.iter()
            .filter(|(_, log)| log.config.ends_with_process())
    }

    /// Whether a log shall go when this session has gone.
    fn becomes_unused(&self, log: LogId, session: SessionId) -> bool {
        let Some(log) = self.log(log) else {
            return false;
        };
        let mut has_some = false;
        let all_go = log.subscribers().all(|terms| {
            has_some = true;
            terms.consumer.session == session
        });
        log.config.lifetime.auto_delete && has_some && all_go
    }

    fn at(
        &mut self,
        log: LogId,
        ledger: crate::LedgerId,
        change: impl FnOnce(&mut crate::Ledger, &mut Site<'_>),
    ) {
        let Some(known) = self.logs.get_mut(&log) else {
            return;
        };
        let mut site = Site {
            log,
            ledger,
            indexes: &mut self.indexes,
        };
        if let Some(ledger) = known.ledger_mut(ledger) {
            change(ledger, &mut site);
        }
    }
}
