//! Deleting a log with all that it holds, and its definition.
//!
//! ```text
//!  open ─ Closed ─► closed ── Undefine to the catalogue ── Forget from there ─ Undefined ─► gone
//! ```
//!
//! Each step is journalled with the sending of the next one, so a deletion that has begun is
//! carried through, whoever goes away or crashes meanwhile. What the log held is taken apart by
//! pieces after `Closed`: see `sweep.rs`.

use stele_base_types::{LogId, Timestamp};

use super::{Log, LogError, Logs, record::LogRecord};
use crate::{Decision, Effect, LedgerId, LinkCommand, Record, State, Token, Topology};

/// Deletes a log with all that it holds; its consumers are told, and who waits for a record, by the
/// [`State::sweep`]s that follow. Answered with how many records
/// were ready, once the definition is gone for everybody: whoever has the answer may declare the
/// name anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteLog {
    /// The log.
    pub log: LogId,
    /// Fail with [`LogError::InUse`] while it has consumers.
    pub if_unused: bool,
    /// Fail with [`LogError::NotEmpty`] while it has ready records.
    pub if_empty: bool,
}

impl DeleteLog {
    /// Without conditions.
    pub fn anyway(log: LogId) -> Self {
        Self {
            log,
            if_unused: false,
            if_empty: false,
        }
    }

    /// What it changes, and its answer; `None` where that comes later, by the token.
    pub fn decide(
        self,
        token: Token,
        state: &State,
        now: Timestamp,
    ) -> Result<Decision<Option<u64>>, LogError> {
        let log = self.log;
        let closing = match state.logs.close(self) {
            Ok(closing) => state.send(closing, now),
            // Another has begun; the end of that is this one's too.
            Err(LogError::NoSuchLog) if state.logs.closed.contains(&log) => {
                return Ok(Decision::record(awaited(log, token, 0)).answered(None));
            }
            Err(error) => return Err(error),
        };
        let ready = closing.reply;
        if state.topology.own == Topology::CATALOGUE {
            return Ok(closing.answered(Some(ready)));
        }
        let mut closing = closing.answered(None);
        closing.records.push(awaited(log, token, ready));
        Ok(closing)
    }
}

/// Somebody waits for the end of a log's deletion.
fn awaited(log: LogId, token: Token, ready: u64) -> Record {
    Record::Log(log, LogRecord::DeletionAwaited { token, ready })
}

impl Logs {
    pub(super) fn close(&self, delete: DeleteLog) -> Result<Decision<u64>, LogError> {
        let log = delete.log;
        let known = self.known(log)?;
        let queue = known.ledger(LedgerId::DEFAULT);
        let ready = queue.map_or(0, |ledger| ledger.ready());
        if delete.if_unused && known.subscribers().next().is_some() {
            return Err(LogError::InUse);
        }
        if delete.if_empty && ready > 0 {
            return Err(LogError::NotEmpty);
        }
        let decision = Decision::change(
            Record::Log(log, LogRecord::Closed),
            ready,
            known.config.durability,
        );
        let decision = decision.with(forget(log, known));
        Ok(decision.sending(LinkCommand::Undefine { log }))
    }

    /// Closes a log that goes by itself.
    pub(super) fn close_unused(&self, log: LogId) -> Decision {
        let closed = self.close(DeleteLog::anyway(log));
        closed.map_or_else(|_| Decision::nothing(), |it| it.answered(()))
    }

    /// A log's definition is gone for good: whatever is left of the log goes too, and who waits for
    /// that is answered.
    pub fn forget(&self, log: LogId) -> Decision {
        let mut decision = Decision::nothing();
        if let Ok(closing) = self.close(DeleteLog::anyway(log)) {
            decision.effects = closing.effects;
        }
        if self.log(log).is_some() || self.closed.contains(&log) {
            decision.records.push(Self::undefined(log));
        }
        let awaited = self.deleting.get(&log).into_iter().flatten();
        let answers = awaited.map(|(token, ready)| Effect::Deleted(*token, *ready));
        decision.effects.extend(answers);
        decision
    }

    /// That nothing is left of a log.
    pub(crate) fn undefined(log: LogId) -> Record {
        Record::Log(log, LogRecord::Undefined)
    }

    pub(super) fn apply_undefined(&mut self, id: LogId) {
        self.apply_closed(id);
        self.closed.remove(&id);
        self.deleting.remove(&id);
    }

    pub(super) fn apply_closed(&mut self, id: LogId) {
        let Some(mut log) = self.logs.remove(&id) else {
            return;
        };
        // What its named ledgers have left goes with it.
        if let Some(left) = self.closing.remove(&id) {
            log.ledgers.extend(left.ledgers);
        }
        self.closed.insert(id);
        self.clearing.remove(&id);
        log.unplan_forgetting(id, &mut self.indexes);
        log.unplan_end(id, &mut self.indexes);
        self.indexes.hot.remove(&id);
        self.closing.insert(id, log);
    }
}

/// What tells that a log is gone.
pub(super) fn forget(log: LogId, known: &Log) -> Effect {
    Effect::Forget {
        log,
        partitions: known.config.partitions,
    }
}
