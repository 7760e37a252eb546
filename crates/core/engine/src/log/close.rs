//! Dropping a log with all that it holds.

use stele_base_types::{LogId, Timestamp};

use super::{Log, LogError, Logs, ledger::Site, record::LogRecord};
use crate::{Command, Decision, Effect, Record, State};

/// Drops a log with all that it holds; its consumers are told. Answered with how many records were
/// ready. It can't be opened again: a definition that still exists is one that is about to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseLog {
    /// The log.
    pub log: LogId,
    /// Fail with [`LogError::InUse`] while it has consumers.
    pub if_unused: bool,
    /// Fail with [`LogError::NotEmpty`] while it has ready records.
    pub if_empty: bool,
}

/// The log's definition is gone for good: drops the log, and what is remembered of its having been
/// closed.
#[derive(Clone, Copy, Debug)]
pub struct UndefineLog {
    /// The log.
    pub log: LogId,
}

impl CloseLog {
    /// Without conditions.
    pub fn anyway(log: LogId) -> Self {
        Self {
            log,
            if_unused: false,
            if_empty: false,
        }
    }
}

impl Command for CloseLog {
    type Reply = u64;
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<u64>, LogError> {
        state.logs.close(self)
    }

    fn looks_at(&self) -> Option<LogId> {
        Some(self.log)
    }
}

impl Command for UndefineLog {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision, LogError> {
        let logs = &state.logs;
        let mut decision = match logs.close(CloseLog::anyway(self.log)) {
            Err(LogError::NoSuchLog) if logs.closed.contains(&self.log) => Decision::nothing(),
            closing => closing?.answered(()),
        };
        let undefined = Record::Log(self.log, LogRecord::Undefined);
        decision.records.clear();
        decision.records.push(undefined);
        Ok(decision)
    }
}

impl Logs {
    pub(super) fn close(&self, close: CloseLog) -> Result<Decision<u64>, LogError> {
        let log = close.log;
        let known = self.known(log)?;
        let ready = known.ledgers.iter().map(|ledger| ledger.ready()).sum();
        if close.if_unused && known.subscribers().next().is_some() {
            return Err(LogError::InUse);
        }
        if close.if_empty && ready > 0 {
            return Err(LogError::NotEmpty);
        }
        let mut decision = Decision::change(
            Record::Log(log, LogRecord::Closed),
            ready,
            known.config.durability,
        );
        let cancelled = known.subscribers();
        let cancelled = cancelled.map(|terms| Effect::ConsumerCancelled(terms.consumer));
        decision.effects.extend(cancelled);
        let waits = known.ledgers.iter().flat_map(|ledger| ledger.waits());
        let refused = waits.map(|token| Effect::Leased(token, Err(LogError::NoSuchLog)));
        decision.effects.extend(refused);
        Ok(decision.with(forget(log, known)))
    }

    pub(super) fn apply_undefined(&mut self, id: LogId) {
        self.apply_closed(id);
        self.closed.remove(&id);
    }

    pub(super) fn apply_closed(&mut self, id: LogId) {
        let Some(mut log) = self.logs.remove(&id) else {
            return;
        };
        self.closed.insert(id);
        for ledger in &mut log.ledgers {
            let mut site = Site {
                log: id,
                ledger: ledger.id(),
                indexes: &mut self.indexes,
            };
            ledger.unindex(&mut site);
        }
        log.unplan_forgetting(id, &mut self.indexes);
        log.unplan_end(id, &mut self.indexes);
        self.indexes.hot.remove(&id);
    }
}

/// What tells that a log is gone.
pub(super) fn forget(log: LogId, known: &Log) -> Effect {
    Effect::Forget {
        log,
        partitions: known.config.partitions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Durability, LogConfig, OpenError, OpenLog, Retention};

    const LOG: LogId = LogId(1);

    fn run<C: Command>(state: &mut State, command: C) -> Result<C::Reply, C::Error> {
        let decision = command.decide(state, Timestamp(1))?;
        for record in &decision.records {
            state.apply(record);
        }
        Ok(decision.reply)
    }

    fn open() -> OpenLog {
        OpenLog {
            log: LOG,
            config: LogConfig {
                partitions: 1,
                durability: Durability::Synced,
                retention: Retention::QUEUE,
                lifetime: Default::default(),
                queue: None,
            },
        }
    }

    #[test]
    fn a_closed_log_is_not_opened_again_while_its_definition_may_exist() {
        let mut state = State::default();
        run(&mut state, open()).unwrap();
        run(&mut state, CloseLog::anyway(LOG)).unwrap();
        let again = run(&mut state, open()).unwrap_err();
        assert_eq!(again, OpenError::Closed);
        assert_eq!(state.logs.closed().collect::<Vec<_>>(), [LOG]);
        run(&mut state, UndefineLog { log: LOG }).unwrap();
        assert_eq!(state.logs.closed().count(), 0);
        let gone = run(&mut state, UndefineLog { log: LOG }).unwrap_err();
        assert_eq!(gone, LogError::NoSuchLog);
    }
}
