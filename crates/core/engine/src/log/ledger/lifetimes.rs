//! Records with a time to live of their own (AMQP `expiration`).
//!
//! ```text
//!  stretches   3 .. 5: until t1 to t2    9 .. 40: until t3 to t4       the others have none
//! ```
//!
//! Adjacent records with about the same end are one stretch, so a flow of messages with one time to
//! live needs few. All records of a stretch end together with its last one: never early, and at
//! most a hundredth of their time late. Of records beyond the bound nothing is known here; a
//! consumer's front still looks at their time when they are delivered.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{DeathReason, Ledger, Run, Site, ledger_record, part::Part};
use crate::{
    Record,
    limits::{LIFETIMES_MAX, RUN_RECORDS_MAX},
    log::{index::Deadline, record::LedgerRecord},
};

/// The length of a stretch in parts of the time to live.
const PARTS_OF_LIFE: u64 = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lifetimes {
    /// In order of offsets.
    stretches: VecDeque<Stretch>,
    /// Leased and moving records whose time is over: they don't return.
    overdue: BTreeSet<Offset>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    first: Offset,
    end: Offset,
    /// The end of its first and of its last record.
    begun: Timestamp,
    latest: Timestamp,
}

impl Lifetimes {
    /// Notes records that were appended at `at` and live for so long. Records before `floor` are
    /// settled.
    fn note(&mut self, run: Run, at: Timestamp, life_ms: u64, floor: Offset) {
        while self
            .stretches
            .front()
            .is_some_and(|first| first.end <= floor)
        {
            self.stretches.pop_front();
        }
        let until = at.plus_ms(life_ms);
        let length_ms = life_ms / PARTS_OF_LIFE;
        if let Some(last) = self.stretches.back_mut()
            && last.end == run.first
            && until >= last.latest
            && until.since_ms(last.begun) <= length_ms
        {
            last.end = run.end();
            last.latest = until;
        } else if self.stretches.len() < LIFETIMES_MAX {
            self.stretches.push_back(Stretch {
                first: run.first,
                end: run.end(),
                begun: until,
                latest: until,
            });
        }
    }

    /// When the next of the records before `visible` end.
    fn next(&self, visible: Offset) -> Option<Timestamp> {
        let stretches = self.stretches.iter();
        let shown = stretches.take_while(|stretch| stretch.first < visible);
        shown.map(|stretch| stretch.latest).min()
    }

    /// Records before `visible` whose time is over.
    fn ended(&self, visible: Offset, now: Timestamp) -> Option<(Offset, Offset)> {
        let mut stretches = self.stretches.iter();
        let ended = stretches.find(|it| it.latest <= now && it.first < visible)?;
        Some((ended.first, ended.end.min(visible)))
    }

    /// Forgets records whose end has been dealt with.
    fn pass(&mut self, run: Run) {
        for stretch in &mut self.stretches {
            if stretch.first == run.first {
                stretch.first = run.end().min(stretch.end);
            }
        }
        self.stretches.retain(|stretch| stretch.first < stretch.end);
    }

    fn is_empty(&self) -> bool {
        self.stretches.is_empty() && self.overdue.is_empty()
    }
}

impl Part {
    /// Whether the own time of a leased or moving record is over.
    pub(super) fn is_overdue(&self, offset: Offset) -> bool {
        let lifetimes = self.lifetimes.as_ref();
        lifetimes.is_some_and(|lifetimes| lifetimes.overdue.contains(&offset))
    }

    /// Whether a record is out, and may return.
    fn may_return(&self, offset: Offset) -> bool {
        let is_moving = self.moving.contains_key(&offset) && !self.is_dead(offset);
        is_moving || self.leased.contains_key(&offset)
    }

    /// Whether some of the records from `first` on may be listed, so that each has to be looked at.
    fn lists_from(&self, first: Offset) -> bool {
        self.next > first || self.ahead.reaches_past(first) || self.fifo.is_some()
    }

    /// Notes that the time of a leased or moving record is over.
    pub(super) fn note_overdue(&mut self, offset: Offset) {
        let lifetimes = self.lifetimes.get_or_insert_default();
        lifetimes.overdue.insert(offset);
    }

    /// Forgets that a record's time is over, because it is settled or dead.
    pub(super) fn forget_overdue(&mut self, offset: Offset) {
        if let Some(lifetimes) = &mut self.lifetimes {
            lifetimes.overdue.remove(&offset);
        }
    }
}

impl Ledger {
    /// Notes the time to live of new records.
    pub(super) fn note_lives(
        &mut self,
        run: Run,
        at: Timestamp,
        life_ms: u64,
        site: &mut Site<'_>,
    ) {
        self.unnote_lifetimes(run.partition, site);
        if let Some(part) = self.part_mut(run.partition) {
            let floor = part.floor();
            let lifetimes = part.lifetimes.get_or_insert_default();
            lifetimes.note(run, at, life_ms, floor);
        }
        self.note_lifetimes(run.partition, site);
    }

    /// The records of a partition whose own time is over, or some of them.
    pub(crate) fn end_lives(
        &self,
        log: LogId,
        partition: PartitionIndex,
        now: Timestamp,
    ) -> Option<Record> {
        let part = self.part(partition)?;
        let (first, end) = part.lifetimes.as_ref()?.ended(part.visible(), now)?;
        // Records that were never handed out end all at once, the others one by one.
        let count = end.since(first);
        let count = match part.lists_from(first) {
            true => count.min(RUN_RECORDS_MAX.into()),
            false => count,
        };
        let run = Run {
            partition,
            first,
            count: u32::try_from(count).unwrap_or(u32::MAX),
        };
        Some(ledger_record(log, self.id, LedgerRecord::LifeEnded(run)))
    }

    /// Applies that the own time of records is over: leased and moving ones don't return, others
    /// leave.
    pub(super) fn apply_life_ended(&mut self, run: Run, site: &mut Site<'_>) {
        self.unnote_lifetimes(run.partition, site);
        let mut left = SmallVec::<[Run; 2]>::new();
        let Some(part) = self.part_mut(run.partition) else {
            return;
        };
        if part.lists_from(run.first) {
            for offset in run.offsets() {
                if part.may_return(offset) {
                    part.note_overdue(offset);
                } else if !part.has_left(offset) {
                    Run::push(&mut left, run.partition, offset);
                }
            }
        } else {
            left.push(run);
        }
        for run in left {
            self.apply_left(run, DeathReason::Expired, site);
        }
        if let Some(part) = self.part_mut(run.partition)
            && let Some(lifetimes) = &mut part.lifetimes
        {
            lifetimes.pass(run);
            if lifetimes.is_empty() {
                part.lifetimes = None;
            }
        }
        self.note_lifetimes(run.partition, site);
        self.refresh(run.partition);
    }

    fn next_life_end(&self, partition: PartitionIndex) -> Option<Timestamp> {
        let part = self.part(partition)?;
        part.lifetimes.as_ref()?.next(part.visible())
    }

    /// Enters when the next records end by their own time.
    pub(super) fn note_lifetimes(&self, partition: PartitionIndex, site: &mut Site<'_>) {
        let deadline = Deadline::Life(self.id, partition);
        site.plan(self.next_life_end(partition), deadline);
    }

    pub(super) fn unnote_lifetimes(&self, partition: PartitionIndex, site: &mut Site<'_>) {
        let deadline = Deadline::Life(self.id, partition);
        site.unplan(self.next_life_end(partition), deadline);
    }
}
