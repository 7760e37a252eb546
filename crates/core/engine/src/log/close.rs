//! Deleting a log with its content and its definition.
//!
//! ```text
//!  open ─ Closed ─► closed ── Undefine to the catalogue ── Forget from there ─ Undefined ─► gone
//! ```
//!
//! Each step is journalled together with the command for the next one, so a deletion that has begun
//! is completed, even if the client leaves or the broker crashes. After `Closed`, the log's content
//! is removed in pieces: see `sweep.rs`.

use stele_base_types::{LogId, Timestamp};

use super::{Log, LogError, Logs, record::LogRecord};
use crate::{Decision, Effect, LedgerId, LinkCommand, Record, State, Token, Topology};

/// Deletes a log with its content. The following calls of [`State::sweep`] notify its consumers and
/// waiting requests. Returns how many records were ready, when the definition is removed
/// everywhere: after that, the name can be declared again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteLog {
    /// The log.
    pub log: LogId,
    /// Fail with [`LogError::InUse`] if it has consumers.
    pub if_unused: bool,
    /// Fail with [`LogError::NotEmpty`] if it has ready records.
    pub if_empty: bool,
}

impl DeleteLog {
    /// An unconditional deletion.
    pub fn anyway(log: LogId) -> Self {
        Self {
            log,
            if_unused: false,
            if_empty: false,
        }
    }

    /// The decision on it, and the reply; `None` if that is sent later, by the token.
    pub fn decide(
        self,
        token: Token,
        state: &State,
        now: Timestamp,
    ) -> Result<Decision<Option<u64>>, LogError> {
        let log = self.log;
        let closing = match state.logs.close(self) {
            Ok(closing) => state.send(closing, now),
            // A deletion has already begun; this one is answered when it ends.
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

/// Someone waits for the end of a log's deletion.
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

    /// Closes a log that is deleted without a request.
    pub(super) fn close_unused(&self, log: LogId) -> Decision {
        let closed = self.close(DeleteLog::anyway(log));
        closed.map_or_else(|_| Decision::nothing(), |it| it.answered(()))
    }

    /// Removes what is left of a log whose definition is gone, and answers those who wait for that.
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

    /// Nothing is left of a log.
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
        // The remains of its named ledgers go with it.
        if let Some(left) = self.closing.remove(&id) {
            log.ledgers.extend(left.ledgers);
        }
        self.closed.insert(id);
        self.clearing.remove(&id);
        log.unplan_forgetting(id, &mut self.indexes);
        log.unplan_end(id, &mut self.indexes);
        self.indexes.unlist(id);
        self.closing.insert(id, log);
    }
}

/// Tells that a log is gone.
pub(super) fn forget(log: LogId, known: &Log) -> Effect {
    Effect::Forget {
        log,
        partitions: known.config.partitions,
    }
}
