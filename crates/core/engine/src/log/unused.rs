//! Deletion of logs that nobody has used for a time.
//!
//! ```text
//!            Used, last consumer gone
//!   ┌─► counting ◄──────────────────── consumed      no deadline while there are consumers
//!   └──────┘ │ └─────── Subscribed ───────▲
//!            ▼ tick, `unused_ms_max` after the last use
//!          Closed
//! ```
//!
//! A use is a consumer, a request for records, or whatever its protocol defines as one
//! ([`UseLog`]). The time of the last use isn't journalled: a new process counts from its own
//! start, so that a log isn't deleted because of downtime.

use stele_base_types::{LogId, Timestamp};

use super::{
    Log, LogError, Logs,
    index::{Deadline, Indexes},
    record::LogRecord,
};
use crate::{Command, Decision, Record, State};

/// Marks a log as used, which restarts its time if it is deleted when unused.
#[derive(Clone, Copy, Debug)]
pub struct UseLog {
    /// The log.
    pub log: LogId,
}

impl Command for UseLog {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision, LogError> {
        state.logs.known(self.log)?;
        let mut decision = Decision::nothing();
        decision.records.extend(state.logs.used(self.log, now));
        Ok(decision)
    }
}

impl Logs {
    /// Marks a log as used, if it is deleted when unused.
    pub(super) fn used(&self, log: LogId, at: Timestamp) -> Option<Record> {
        let goes = self.log(log)?.config.lifetime.unused_ms_max.is_some();
        goes.then_some(Record::Log(log, LogRecord::Used { at }))
    }

    /// Marks all logs as used, since nobody could use them while the process was down.
    pub(super) fn used_at_start(&self, now: Timestamp) -> impl Iterator<Item = Record> + use<'_> {
        self.logs.keys().filter_map(move |log| self.used(*log, now))
    }

    /// Closes a log that was unused for too long. Its definition is removed next, as in any
    /// deletion.
    pub(super) fn end(&self, log: LogId) -> Decision {
        self.close_unused(log)
    }

    /// Keeps the later time, as a wait may already have extended the use.
    pub(super) fn apply_used(&mut self, id: LogId, at: Timestamp) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.used_at = log.used_at.max(Some(at));
        }
    }
}

impl Log {
    /// Schedules its deletion based on its last use, or cancels it while there are consumers.
    pub(super) fn plan_end(&mut self, id: LogId, indexes: &mut Indexes) {
        let end = self.end();
        if end == self.ends_at {
            return;
        }
        self.unplan_end(id, indexes);
        if let Some(at) = end {
            indexes.deadlines.insert((at, id, Deadline::End));
        }
        self.ends_at = end;
    }

    pub(super) fn unplan_end(&mut self, id: LogId, indexes: &mut Indexes) {
        if let Some(planned) = self.ends_at.take() {
            indexes.deadlines.remove(&(planned, id, Deadline::End));
        }
    }

    fn end(&self) -> Option<Timestamp> {
        let unused_ms_max = self.config.lifetime.unused_ms_max?;
        let is_consumed = self.subscribers().next().is_some();
        let used_at = self.used_at.filter(|_| !is_consumed)?;
        Some(used_at.plus_ms(unused_ms_max))
    }
}
