//! Dropping a log with all that it holds.

use stele_base_types::LogId;

use super::{Log, Logs, ledger::Site, record::LogRecord};
use crate::{Decision, Effect, Error, Record, Reply, command::Close};

impl Logs {
    pub(super) fn close(&self, log: LogId, close: Close) -> Result<Decision, Error> {
        let known = self.known(log)?;
        let ready = known.ledgers.iter().map(|ledger| ledger.ready()).sum();
        if close.if_unused && known.subscribers().next().is_some() {
            return Err(Error::InUse);
        }
        if close.if_empty && ready > 0 {
            return Err(Error::NotEmpty);
        }
        let mut decision = Decision::change(
            Record::Log(log, LogRecord::Closed),
            Reply::Removed(ready),
            known.config.durability,
        );
        let cancelled = known.subscribers();
        let cancelled = cancelled.map(|terms| Effect::ConsumerCancelled(terms.consumer));
        decision.effects.extend(cancelled);
        let waits = known.ledgers.iter().flat_map(|ledger| ledger.waits());
        let refused = waits.map(|token| Effect::Respond(token, Err(Error::NoSuchLog)));
        decision.effects.extend(refused);
        Ok(decision.with(forget(log, known)))
    }

    /// Says that a log's definition is gone for good.
    pub(super) fn undefine(&self, log: LogId) -> Result<Decision, Error> {
        let mut decision = match self.close(log, Close::default()) {
            Err(Error::NoSuchLog) if self.closed.contains(&log) => Decision::nothing(),
            closing => closing?,
        };
        decision.records.clear();
        decision
            .records
            .push(Record::Log(log, LogRecord::Undefined));
        decision.reply = Some(Ok(Reply::Done));
        Ok(decision)
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
    use stele_base_types::Timestamp;

    use super::*;
    use crate::{Durability, LogCommand, LogConfig, Retention, State};

    const LOG: LogId = LogId(1);

    fn run(state: &mut State, command: LogCommand) -> Result<Reply, Error> {
        let decision = state.decide(crate::Command::Log(LOG, command), Timestamp(1));
        for record in &decision.records {
            state.apply(record);
        }
        decision.reply.expect("these are answered at once")
    }

    fn open() -> LogCommand {
        LogCommand::Open(LogConfig {
            partitions: 1,
            durability: Durability::Synced,
            retention: Retention::QUEUE,
            lifetime: Default::default(),
            queue: None,
        })
    }

    #[test]
    fn a_closed_log_is_not_opened_again_while_its_definition_may_exist() {
        let mut state = State::default();
        run(&mut state, open()).unwrap();
        run(&mut state, LogCommand::Close(Close::default())).unwrap();
        let again = run(&mut state, open()).unwrap_err();
        assert_eq!(again, Error::NoSuchLog);
        assert_eq!(state.logs.closed().collect::<Vec<_>>(), [LOG]);
        run(&mut state, LogCommand::Undefine).unwrap();
        assert_eq!(state.logs.closed().count(), 0);
        let gone = run(&mut state, LogCommand::Undefine).unwrap_err();
        assert_eq!(gone, Error::NoSuchLog);
    }
}
