//! The length of a queue: how many records may be ready, and how many bytes of them, and what
//! happens to those that are too many.
//!
//! The oldest ready records leave once the new ones can be seen and consumers have taken what they
//! may: a record that somebody waits for is never too many. A queue that refuses new records counts
//! those that can't be seen yet as well.

use stele_base_types::{LogId, Offset};

use super::{DeathReason, Ledger, ledger_record, part::Part};
use crate::{
    Append, AppendError, Decision, LedgerId, Overflow,
    limits::RUN_RECORDS_MAX,
    log::{Log, Logs, Partition, record::LedgerRecord},
};

impl Logs {
    /// How much more a log takes before it refuses new records for its length. `None` if it
    /// doesn't refuse any, or is gone.
    pub fn room_left(&self, log: LogId) -> Option<RoomLeft> {
        let log = self.log(log)?;
        let ledger = log.ledger(LedgerId::DEFAULT)?;
        let refuses = ledger.config.overflow != Overflow::RefuseAsDead;
        ledger.room_left(&log.partitions).filter(|_| refuses)
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
        for ledger in ledgers.filter(|ledger| ledger.is_too_long()) {
            let records = ledger.excess();
            let bytes = ledger.excess_bytes();
            // How many records have so many bytes isn't known.
            let picked = if bytes > 0 { u64::MAX } else { records };
            let picked = picked.min(RUN_RECORDS_MAX.into());
            let runs = ledger.pick(u32::try_from(picked).unwrap_or(0));
            let runs = ledger.first_of(runs, (records, bytes));
            decision.records.extend(runs.into_iter().map(|run| {
                let reason = DeathReason::Length;
                ledger_record(log, ledger.id, LedgerRecord::Left { run, reason })
            }));
        }
        decision
    }
}

impl Log {
    /// Whether the queue refuses this many new records with these bytes, after those `ahead` of
    /// them.
    pub(crate) fn refuses(
        &self,
        (records, bytes): (u64, u64),
        ahead: impl FnOnce() -> (u64, u64),
    ) -> bool {
        let ledger = self.ledger(LedgerId::DEFAULT);
        let left = ledger.and_then(|ledger| ledger.room_left(&self.partitions));
        left.is_some_and(|left| {
            let (records_ahead, bytes_ahead) = ahead();
            left.records < records + records_ahead || left.bytes < bytes + bytes_ahead
        })
    }

    /// How the queue takes these new records. Refused if it takes none, or not all of them; then
    /// the publisher may divide them, unless it chose their partition.
    pub(crate) fn takes(&self, append: &Append, is_divisible: bool) -> Result<Taken, AppendError> {
        let ledger = self.ledger(LedgerId::DEFAULT);
        let Some((ledger, room)) =
            ledger.and_then(|ledger| Some((ledger, ledger.room_left(&self.partitions)?)))
        else {
            return Ok(Taken::All);
        };
        let fitting = room.fitting(append);
        if fitting == append.count {
            return Ok(Taken::All);
        }
        // If the first record doesn't fit, it is refused with those behind it that wouldn't fit
        // either. Smaller ones may follow them.
        let alike = match fitting {
            0 => room.exceeding(append),
            fitting => fitting,
        };
        if fitting == 0 && alike == append.count && ledger.config.overflow == Overflow::RefuseAsDead
        {
            return Ok(Taken::AsDead);
        }
        match is_divisible && alike < append.count {
            true => Err(AppendError::Divided(alike)),
            false => Err(AppendError::TooLong),
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

/// How much a queue takes that refuses what is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomLeft {
    /// The number of records.
    pub records: u64,
    /// The bytes of their bodies.
    pub bytes: u64,
}

impl RoomLeft {
    /// Whether a record with a body of this size fits.
    pub fn fits(self, body_bytes: u64) -> bool {
        self.records > 0 && self.bytes >= body_bytes
    }

    /// What is left after a record that fits.
    #[must_use]
    pub fn after(self, body_bytes: u64) -> Self {
        Self {
            records: self.records.saturating_sub(1),
            bytes: self.bytes.saturating_sub(body_bytes),
        }
    }

    /// How many of the first records fit together.
    fn fitting(self, append: &Append) -> u32 {
        let Self {
            mut records,
            mut bytes,
        } = self;
        let mut fitting = 0;
        for (count, each_bytes) in append.body_bytes() {
            let each_bytes = u64::from(each_bytes);
            let by_bytes = bytes.checked_div(each_bytes).unwrap_or(u64::MAX);
            let taken = u64::from(count).min(records).min(by_bytes);
            records -= taken;
            bytes -= taken * each_bytes;
            // Never more than the batch has.
            fitting += u32::try_from(taken).unwrap_or(u32::MAX);
            if taken < u64::from(count) {
                break;
            }
        }
        fitting
    }

    /// How many of the first records don't fit by themselves.
    fn exceeding(self, append: &Append) -> u32 {
        let sizes = append.body_bytes();
        let exceeding = sizes.take_while(|(_, bytes)| !self.fits(u64::from(*bytes)));
        exceeding.map(|(count, _)| count).sum()
    }
}

impl Ledger {
    /// How many ready records are too many.
    fn excess(&self) -> u64 {
        let max = self.config.ready_max;
        max.map_or(0, |max| self.ready().saturating_sub(max))
    }

    /// Whether some of its ready records have to leave.
    pub(crate) fn is_too_long(&self) -> bool {
        self.config.overflow == Overflow::DropOldest
            && self.is_limited()
            && !self.ready.is_empty()
            && (self.excess() > 0 || self.excess_bytes() > 0)
    }

    fn is_limited(&self) -> bool {
        self.config
            .ready_max
            .or(self.config.ready_bytes_max)
            .is_some()
    }

    /// How much more it takes; `None` if it refuses nothing.
    fn room_left(&self, partitions: &[Partition]) -> Option<RoomLeft> {
        if !self.is_limited() || self.config.overflow == Overflow::DropOldest {
            return None;
        }
        let records = self.config.ready_max.map(|max| {
            let parts = self.parts.iter().zip(partitions);
            let unseen: u64 = parts.map(|(part, of)| part.unseen(of.end)).sum();
            max.saturating_sub(self.ready() + unseen)
        });
        let bytes = self.config.ready_bytes_max.map(|max| {
            let ends = partitions.iter().map(|partition| partition.end);
            let parts = self.parts.iter().zip(ends);
            let unseen: u64 = parts.map(|(part, end)| part.unseen_bytes(end)).sum();
            max.saturating_sub(self.ready_bytes().unwrap_or(0) + unseen)
        });
        Some(RoomLeft {
            records: records.unwrap_or(u64::MAX),
            bytes: bytes.unwrap_or(u64::MAX),
        })
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
