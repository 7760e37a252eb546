//! Logs that go when nobody has used them for a time.
//!
//! ```text
//!            Used, last consumer gone
//!   ┌─► counting ◄──────────────────── consumed      no deadline while there are consumers
//!   └──────┘ │ └─────── Subscribed ───────▲
//!            ▼ tick, `unused_ms_max` after the last use
//!          Closed
//! ```
//!
//! A use is a consumer, a request for records, and what its protocol says is one
//! ([`UseLog`]). When a log was last used isn't journalled: a new process counts
//! from its own start, so that no log goes because nobody could reach it.

use stele_base_types::{LogId, Timestamp};

use super::{
    Log, LogError, Logs,
    index::{Deadline, Indexes},
    record::LogRecord,
};
use crate::{Command, Decision, Record, State};

/// Says that the log is in use, whoever asks: one that goes for want of use counts from now.
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
    /// Says that a log was used, where that matters to it.
    pub(super) fn used(&self, log: LogId, at: Timestamp) -> Option<Record> {
        let goes = self.log(log)?.config.lifetime.unused_ms_max.is_some();
        goes.then_some(Record::Log(log, LogRecord::Used { at }))
    }

    /// Nobody can have used a log while there was no process.
    pub(super) fn used_at_start(&self, now: Timestamp) -> impl Iterator<Item = Record> + use<'_> {
        self.logs.keys().filter_map(move |log| self.used(*log, now))
    }

    /// Drops a log that was unused for its time. Its definition goes next, as that of any log whose
    /// deletion has begun.
    pub(super) fn end(&self, log: LogId) -> Decision {
        self.close_unused(log)
    }

    /// A wait may have made it used until later already.
    pub(super) fn apply_used(&mut self, id: LogId, at: Timestamp) {
        if let Some(log) = self.logs.get_mut(&id) {
            log.used_at = log.used_at.max(Some(at));
        }
    }
}

impl Log {
    /// Plans its end by its last use, or no end while it has consumers.
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
