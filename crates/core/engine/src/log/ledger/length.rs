//! The length of a queue: how many records may be ready, and what happens to those that are too
//! many.
//!
//! The oldest ready records leave once the new ones can be seen and consumers have taken what they
//! may: a record that somebody waits for is never too many. A queue that refuses new records counts
//! those that can't be seen yet as well.

use stele_base_types::{LogId, Offset};

use super::{DeathReason, Ledger, ledger_record, part::Part};
use crate::{
    AppendError, Decision, LedgerId, Overflow,
    limits::RUN_RECORDS_MAX,
    log::{Log, Logs, Partition, record::LedgerRecord},
};

impl Logs {
    /// Whether a log accepts new records as far as its length goes, or is gone.
    pub fn has_room(&self, log: LogId) -> bool {
        let log = self.log(log);
        log.is_none_or(|log| log.takes(1, false).is_ok())
    }

    /// Whether [`crate::State::shorten`] has something to do.
    pub fn is_too_long(&self) -> bool {
        self.too_long().is_some()
    }

    /// A queue that has more ready records than it may have, and nobody to take them.
    pub(crate) fn too_long(&self) -> Option<LogId> {
        let mut long = self.indexes.long.iter();
        let is_settled = |log: &&LogId| !self.indexes.hot.contains(log) && !self.is_owed(**log);
        long.find(is_settled).copied()
    }

    /// Takes some of the oldest ready records out of a queue that has too many.
    pub(crate) fn shorten(&self, log: LogId) -> Decision {
        let mut decision = Decision::nothing();
        let ledgers = self.log(log).into_iter().flat_map(|log| &log.ledgers);
        for ledger in ledgers {
            let excess = ledger.excess().min(RUN_RECORDS_MAX.into());
            let runs = ledger.pick(u32::try_from(excess).unwrap_or(0));
            decision.records.extend(runs.into_iter().map(|run| {
                let reason = DeathReason::Length;
                ledger_record(log, ledger.id, LedgerRecord::Left { run, reason })
            }));
        }
        decision
    }
}

impl Log {
    /// How the queue takes this many new records. Refused if it takes none, or not all of them;
    /// then the publisher may divide them, unless it chose their partition.
    pub(crate) fn takes(&self, count: u32, is_divisible: bool) -> Result<Taken, AppendError> {
        let Some(ledger) = self.ledger(LedgerId::DEFAULT) else {
            return Ok(Taken::All);
        };
        match ledger.room_left(&self.partitions) {
            None => Ok(Taken::All),
            Some(left) if left >= u64::from(count) => Ok(Taken::All),
            Some(0) if ledger.config.overflow == Overflow::RefuseAsDead => Ok(Taken::AsDead),
            Some(left) if is_divisible && left > 0 => {
                Err(AppendError::Divided(u32::try_from(left).unwrap_or(0)))
            }
            Some(_) => Err(AppendError::TooLong),
        }
    }
}

/// How new records are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// All of them become ready.
    All,
    /// None of them; they are dead letters.
    AsDead,
}

impl Ledger {
    /// How many ready records are too many.
    fn excess(&self) -> u64 {
        match (self.config.ready_max, self.config.overflow) {
            (Some(max), Overflow::DropOldest) => self.ready().saturating_sub(max),
            _ => 0,
        }
    }

    pub(crate) fn is_too_long(&self) -> bool {
        self.excess() > 0
    }

    /// How many new records it takes; `None` if it refuses none.
    fn room_left(&self, partitions: &[Partition]) -> Option<u64> {
        let max = self.config.ready_max?;
        if self.config.overflow == Overflow::DropOldest {
            return None;
        }
        let parts = self.parts.iter().zip(partitions);
        let unseen: u64 = parts.map(|(part, of)| part.unseen(of.end)).sum();
        Some(max.saturating_sub(self.ready() + unseen))
    }
}

impl Part {
    /// How many records will be ready once all up to `end` can be seen.
    fn unseen(&self, end: Offset) -> u64 {
        let fresh = end.since(self.next.max(self.visible()));
        let ahead = self.ahead.count() - self.ahead.count_before(self.visible());
        fresh.saturating_sub(ahead)
    }
}
