//! Dead letters: records that left a queue without having been acknowledged.
//!
//! ```text
//!   ready, leased, delayed ── rejected, expired, over the length or the delivery limit ─┐
//!                                                                                       ▼
//!   the reason is one of the queue's `dead_letters`:  dead ── moved to other logs ──► settled
//!   otherwise:                                                                        settled
//! ```
//!
//! A dead record is neither ready nor leased, and its log keeps it until it has been moved. Where
//! it is moved to isn't known here: the broker finds that out and moves it ([`crate::Move`]), one
//! shard of targets after the other. Dead records are listed as ranges, so that many which die
//! together take no more memory than one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{
    Ledger, Run, Site,
    part::{Part, Seen},
    ranges::Ranges,
};
use crate::{
    LedgerConfig, LedgerId,
    limits::{DEAD_BYTES_MAX, RUN_RECORDS_MAX},
    log::{Log, Logs, sweep::shed},
};

/// Why a record left its queue without having been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeathReason {
    /// A consumer rejected it.
    Rejected,
    /// It was too old.
    Expired,
    /// The queue was too long.
    Length,
    /// It was delivered too often.
    Deliveries,
}

/// A set of reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeathReasons(u8);

/// Dead records of one partition of a ledger, none of which is being moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRun {
    /// The ledger.
    pub ledger: LedgerId,
    /// The records.
    pub run: Run,
    /// Why they died.
    pub reason: DeathReason,
    /// The logs that have them already.
    pub copied: SmallVec<[LogId; 1]>,
}

/// The dead records of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dead {
    by_reason: BTreeMap<DeathReason, Ranges>,
    /// Those that some logs have already, and others don't.
    copied: BTreeMap<Offset, Vec<LogId>>,
    /// Those that are being moved, with the logs that they are copied to; none if the move is the
    /// last one.
    away: BTreeMap<Offset, Vec<LogId>>,
}

impl DeathReasons {
    /// No reason.
    pub const NONE: Self = Self(0);

    /// All reasons.
    pub const ALL: Self = Self(0b1111);

    /// Only this one.
    pub fn only(reason: DeathReason) -> Self {
        Self(reason.bit())
    }

    /// Adds a reason.
    #[must_use]
    pub fn and(self, reason: DeathReason) -> Self {
        Self(self.0 | reason.bit())
    }

    /// Removes a reason.
    #[must_use]
    pub fn without(self, reason: DeathReason) -> Self {
        Self(self.0 & !reason.bit())
    }

    /// The reasons of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a reason is one of them.
    pub fn contains(self, reason: DeathReason) -> bool {
        self.0 & reason.bit() != 0
    }
}

impl DeathReason {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Rejected,
        Self::Expired,
        Self::Length,
        Self::Deliveries,
    ];

    const fn bit(self) -> u8 {
        match self {
            Self::Rejected => 1,
            Self::Expired => 1 << 1,
            Self::Length => 1 << 2,
            Self::Deliveries => 1 << 3,
        }
    }
}

impl Dead {
    pub(super) fn insert(&mut self, reason: DeathReason, first: Offset, count: u64) {
        let ranges = self.by_reason.entry(reason).or_default();
        ranges.insert(first, count);
    }

    pub(super) fn contains(&self, offset: Offset) -> bool {
        self.by_reason
            .values()
            .any(|ranges| ranges.contains(offset))
    }

    /// Removes a record; returns whether it was there.
    pub(super) fn remove(&mut self, offset: Offset) -> bool {
        self.copied.remove(&offset);
        self.away.remove(&offset);
        let mut all = self.by_reason.iter_mut();
        let Some((&reason, ranges)) = all.find(|(_, ranges)| ranges.contains(offset)) else {
            return false;
        };
        ranges.remove(offset);
        if ranges.count() == 0 {
            self.by_reason.remove(&reason);
        }
        true
    }

    /// Notes that a record is being moved to its last targets, or copied to these.
    pub(super) fn send_away(&mut self, offset: Offset, copied_to: &[LogId]) {
        if self.contains(offset) {
            self.away.insert(offset, copied_to.to_vec());
        }
    }

    /// Notes that a record isn't being moved any more.
    pub(super) fn take_back(&mut self, offset: Offset) {
        self.away.remove(&offset);
    }

    /// Notes that these logs have a record.
    pub(super) fn copied(&mut self, offset: Offset, to: &[LogId]) {
        if self.contains(offset) {
            self.copied.entry(offset).or_default().extend(to);
        }
    }

    /// The logs that a record is being copied to; none if the move is the last one.
    pub(super) fn sent_to(&self, offset: Offset) -> Option<&[LogId]> {
        self.away.get(&offset).map(Vec::as_slice)
    }

    /// Up to `max` for each reason from an offset on, besides those that are being moved.
    pub(super) fn waiting_from(
        &self,
        from: Offset,
        max: usize,
    ) -> impl Iterator<Item = (Offset, DeathReason)> {
        self.by_reason.iter().flat_map(move |(reason, ranges)| {
            let waiting = ranges.offsets_from(from);
            let waiting = waiting.filter(|offset| !self.away.contains_key(offset));
            waiting.take(max).map(|offset| (offset, *reason))
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_reason.is_empty()
    }

    /// Whether some of them aren't being moved.
    pub(super) fn has_waiting(&self) -> bool {
        self.count() > self.away.len() as u64
    }

    pub(super) fn count(&self) -> u64 {
        self.by_reason.values().map(Ranges::count).sum()
    }

    pub(super) fn first(&self) -> Option<Offset> {
        let firsts = self.by_reason.values();
        firsts.filter_map(|ranges| ranges.starts().next()).min()
    }

    /// The first from an offset on.
    pub(super) fn first_from(&self, from: Offset) -> Option<Offset> {
        let firsts = self.by_reason.values();
        firsts
            .filter_map(|ranges| ranges.offsets_from(from).next())
            .min()
    }

    /// The starts of the ranges, and the records with more to know of.
    pub(super) fn starts(&self) -> impl Iterator<Item = Offset> {
        self.by_reason.values().flat_map(Ranges::starts)
    }

    /// Removes everything before `to`.
    pub(super) fn remove_before(&mut self, to: Offset) {
        self.by_reason.retain(|_, ranges| {
            ranges.remove_before(to);
            ranges.count() > 0
        });
        self.copied = self.copied.split_off(&to);
        self.away = self.away.split_off(&to);
    }

    pub(super) fn shed(&mut self, left: &mut usize) {
        shed(&mut self.copied, left);
        shed(&mut self.away, left);
        for ranges in self.by_reason.values_mut() {
            ranges.shed(left);
        }
    }

    /// Up to `max` records before `visible` that aren't being moved.
    fn waiting(&self, visible: Offset, mut max: u32, mut push: impl FnMut(DeathReason, Offset)) {
        for (reason, ranges) in &self.by_reason {
            for offset in ranges.offsets() {
                if max == 0 || offset >= visible {
                    break;
                }
                if !self.away.contains_key(&offset) {
                    push(*reason, offset);
                    max -= 1;
                }
            }
        }
    }
}

impl Logs {
    /// The logs that have dead records to be moved.
    pub fn with_dead(&self) -> impl Iterator<Item = LogId> {
        self.indexes.dead.iter().copied()
    }

    /// Some of the dead records of the next log after `after` that has some, oldest first for each
    /// reason. `None` if there is no such log.
    pub fn dead_after(&self, after: Option<LogId>) -> Option<(LogId, Vec<DeadRun>)> {
        let first = after.map_or(LogId(0), |after| LogId(after.0.saturating_add(1)));
        let id = *self.indexes.dead.range(first..).next()?;
        let log = self.log(id)?;
        let mut runs = Vec::new();
        for ledger in &log.ledgers {
            ledger.list_dead(log, &mut runs);
        }
        Some((id, runs))
    }
}

impl Ledger {
    /// Dead records, including those that are being moved.
    pub fn dead(&self) -> u64 {
        self.parts.iter().map(|part| part.dead_count()).sum()
    }

    pub(crate) fn has_dead(&self) -> bool {
        !self.dying.is_empty()
    }

    fn list_dead(&self, log: &Log, runs: &mut Vec<DeadRun>) {
        let mut left = RUN_RECORDS_MAX;
        let mut left_bytes = DEAD_BYTES_MAX;
        for &partition in &self.dying {
            let Some((part, dead)) = self
                .part(partition)
                .and_then(|part| Some((part, part.dead.as_ref()?)))
            else {
                continue;
            };
            dead.waiting(part.visible(), left, |reason, offset| {
                let run = Run {
                    partition,
                    first: offset,
                    count: 1,
                };
                let bytes = log.bytes_of(run);
                if left_bytes == 0 || (bytes > left_bytes && !runs.is_empty()) {
                    left_bytes = 0;
                    return;
                }
                left_bytes = left_bytes.saturating_sub(bytes);
                left -= 1;
                let copied = dead.copied.get(&offset).map_or(&[][..], Vec::as_slice);
                let follows = runs.last_mut().is_some_and(|last: &mut DeadRun| {
                    let same = last.ledger == self.id() && last.reason == reason;
                    same && last.copied[..] == *copied && last.run.extend(partition, offset)
                });
                if !follows {
                    runs.push(DeadRun {
                        ledger: self.id(),
                        run,
                        reason,
                        copied: copied.iter().copied().collect(),
                    });
                }
            });
        }
    }

    /// Applies that records left for this reason, whatever their state was.
    pub(super) fn apply_left(&mut self, run: Run, reason: DeathReason, site: &mut Site<'_>) {
        let dies = self.config.dead_letters.contains(reason);
        let mut run_left = run;
        if let Some(part) = self.part_mut(run.partition) {
            run_left.count -= part.pass_fresh(run);
        }
        for offset in run_left.offsets() {
            let Some(part) = self.part_mut(run.partition) else {
                return;
            };
            let was = part.settle(offset);
            self.forget_listed(run.partition, offset, was, site);
        }
        if dies && let Some(part) = self.part_mut(run.partition) {
            part.bury(reason, run.first, u64::from(run.count));
        }
        self.refresh(run.partition);
    }

    /// Notes whether a partition has dead records to be moved.
    pub(super) fn refresh_dead(&mut self, partition: PartitionIndex) {
        let part = self.part(partition);
        let dead = part.and_then(|part| part.dead.as_ref());
        let is_dying = dead.is_some_and(|dead| dead.has_waiting());
        if is_dying {
            self.dying.insert(partition);
        } else if !self.dying.is_empty() {
            self.dying.remove(&partition);
        }
    }
}

impl Part {
    /// Why a record that was leased or moving doesn't return.
    pub(super) fn death_of(
        &self,
        offset: Offset,
        seen: Seen,
        config: &LedgerConfig,
    ) -> Option<DeathReason> {
        if offset < self.expired || self.is_overdue(offset) {
            return Some(DeathReason::Expired);
        }
        let max = config.deliveries_max?;
        (seen.deliveries >= max).then_some(DeathReason::Deliveries)
    }

    /// A record that was leased or moving leaves instead of returning.
    pub(super) fn die(&mut self, offset: Offset, reason: DeathReason, config: &LedgerConfig) {
        self.forget_overdue(offset);
        if let Some(fifo) = &mut self.fifo {
            fifo.settle(offset, &self.delayed);
        }
        if config.dead_letters.contains(reason) {
            self.bury(reason, offset, 1);
        }
    }

    /// Lists records as dead that are in no other list.
    pub(super) fn bury(&mut self, reason: DeathReason, first: Offset, count: u64) {
        let dead = self.dead.get_or_insert_default();
        dead.insert(reason, first, count);
    }

    /// Whether a record is settled, dead, or on its way to another log.
    pub(super) fn has_left(&self, offset: Offset) -> bool {
        self.is_dead(offset) || self.moving.contains_key(&offset) || !self.is_kept(offset)
    }

    pub(super) fn is_dead(&self, offset: Offset) -> bool {
        let dead = self.dead.as_ref();
        dead.is_some_and(|dead| dead.contains(offset))
    }

    pub(super) fn dead_count(&self) -> u64 {
        self.dead.as_ref().map_or(0, |dead| dead.count())
    }

    /// Settles the last of these records that were never handed out or listed, all at once. Returns
    /// how many they are.
    pub(super) fn pass_fresh(&mut self, run: Run) -> u32 {
        let first = run.first.max(self.next);
        let fresh = run.end().since(first);
        if self.fifo.is_some() || fresh == 0 || self.ahead.reaches_past(first) {
            return 0;
        }
        let fresh = u32::try_from(fresh).unwrap_or(run.count);
        self.skip(first, fresh);
        fresh
    }

    /// Drops expired records as dead, unless they are leased. This doesn't depend on what can be
    /// seen: a start applies it before that is known.
    pub(super) fn expire_as_dead(&mut self, to: Offset) -> Vec<(Offset, Timestamp)> {
        let reason = DeathReason::Expired;
        let listed = self.returned.range(..to).map(|(&offset, _)| offset);
        let listed = listed.chain(self.behind.offsets().take_while(|offset| *offset < to));
        let listed = listed.chain(self.delayed.range(..to).map(|(&offset, _)| offset));
        let listed: Vec<Offset> = listed.collect();
        let old = Offset::ZERO..to;
        let queued = self.fifo.iter().flat_map(|fifo| fifo.queued_runs(&old));
        for run in queued.collect::<Vec<_>>() {
            self.bury(reason, run.start, run.end.since(run.start));
        }
        let mut fresh = self.next;
        while fresh < to {
            let first = self.ahead.end_of(fresh).unwrap_or(fresh);
            let end = self.ahead.start_after(first).map_or(to, |end| end.min(to));
            self.bury(reason, first, end.since(first));
            fresh = end.max(first.next());
        }
        for offset in listed {
            self.bury(reason, offset, 1);
        }
        self.expire(to)
    }

    /// Drops the dead records before `to`, except those that are being moved.
    pub(super) fn forget_dead(&mut self, to: Offset) {
        if let Some(dead) = &mut self.dead {
            dead.remove_before(to);
            self.drop_no_dead();
        }
    }

    pub(super) fn drop_no_dead(&mut self) {
        if self.dead.as_ref().is_some_and(|dead| dead.is_empty()) {
            self.dead = None;
        }
    }
}
