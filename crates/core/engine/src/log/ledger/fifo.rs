//! Ordering within message groups: which records of a FIFO partition may be leased.
//!
//! ```text
//!   group a   [3] [7] [8]        nothing leased, head shown   open: leases 3, 7, 8 together
//!   group b   [5] [9]            4 is leased                  blocked until 4 is done or returned
//!   group c   [6 delayed] [10]   its head is delayed          blocked until 6 is due
//!   group d   [2] [12]           11 is leased                 open: leases 2, but not yet 12
//! ```
//!
//! So a record waits for the unsettled records before it in its group, and for no others. Open
//! groups are served in turn: after a lease, a group goes to the end when it opens again.
//!
//! Unlike elsewhere, queued records are listed here, as runs by group, because offsets alone don't
//! give the order by group. Records without a group form one group.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Range,
};

use serde::{Deserialize, Serialize};
use stele_base_types::Offset;

use super::{
    part::{Delayed, pop_before},
    ranges::Ranges,
};
use crate::log::sweep::shed;

/// The stable hash of a group; `None` for records without one.
type Key = Option<u64>;

type DelayedRecords = BTreeMap<Offset, Delayed>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(crate) struct Fifo {
    /// Groups with unsettled records.
    groups: BTreeMap<Key, Group>,
    /// The group of each queued run, by the run's first offset. Derived from `groups`.
    #[serde(skip)]
    runs: BTreeMap<Offset, Key>,
    /// The first queued record of each open group.
    open: BTreeSet<(Offset, Key)>,
    /// The first queued record of each blocked group that has one.
    blocked: BTreeSet<(Offset, Key)>,
    /// The groups of leased and moving records.
    leased: BTreeMap<Offset, Key>,
    /// The number of queued records.
    queued: u64,
    /// One after the last record.
    end: Offset,
    /// Offsets at or after the partition's high watermark that aren't messages.
    #[serde(skip)]
    passed: Ranges,
    /// Open groups in the order in which they are served. A new process starts in the order of
    /// their heads.
    #[serde(skip)]
    turns: BTreeMap<u64, Key>,
    #[serde(skip)]
    turn_next: u64,
}

/// [`Fifo`] in a snapshot.
#[derive(Deserialize)]
struct Stored {
    groups: BTreeMap<Key, Group>,
    open: BTreeSet<(Offset, Key)>,
    blocked: BTreeSet<(Offset, Key)>,
    leased: BTreeMap<Offset, Key>,
    queued: u64,
    end: Offset,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Group {
    /// The first offset and length of each queued run, ascending.
    queued: VecDeque<(Offset, u64)>,
    /// The number of records in `held`.
    leased: u32,
    /// Where it is listed: its head, and whether it is open.
    listed: Option<(Offset, bool)>,
    /// Its leased and moving records. Derived from [`Fifo::leased`].
    #[serde(skip)]
    held: BTreeSet<Offset>,
    #[serde(skip)]
    turn: Option<u64>,
}

impl Fifo {
    /// A partition's records as one group: queued runs, and records that are leased or moving.
    /// `shown` is the partition's high watermark and its end: of the offsets between them, those
    /// that aren't queued aren't messages.
    pub(super) fn of_one_group(
        queued: BTreeMap<Offset, u64>,
        held: BTreeSet<Offset>,
        (visible, end): (Offset, Offset),
        delayed: &DelayedRecords,
    ) -> Self {
        let mut fifo = Self::default();
        for offset in held {
            fifo.leased.insert(offset, None);
            fifo.groups.entry(None).or_default().hold(offset);
        }
        let mut shown_to = visible;
        for (first, count) in queued {
            fifo.passed.insert(shown_to, first.since(shown_to));
            fifo.append(first, count, None, delayed);
            shown_to = shown_to.max(fifo.end);
        }
        fifo.passed.insert(shown_to, end.since(shown_to));
        fifo.end = end;
        fifo.list(None, delayed);
        fifo
    }

    pub(super) fn append(&mut self, first: Offset, count: u64, key: Key, delayed: &DelayedRecords) {
        self.end = first.plus(count);
        if count == 0 {
            return;
        }
        let group = self.groups.entry(key).or_default();
        match group.queued.back_mut() {
            Some((start, length)) if start.plus(*length) == first => *length += count,
            _ => {
                group.queued.push_back((first, count));
                self.runs.insert(first, key);
            }
        }
        self.queued += count;
        self.list(key, delayed);
    }

    /// Leases a queued record; its group is then blocked by it.
    pub(super) fn lease(&mut self, offset: Offset, delayed: &DelayedRecords) {
        let Some(key) = self.key_of_queued(offset) else {
            return;
        };
        self.leased.insert(offset, key);
        self.groups.entry(key).or_default().hold(offset);
        self.remove(key, offset);
        self.list(key, delayed);
    }

    /// Returns a leased record to its place in the queue.
    pub(super) fn give_back(&mut self, offset: Offset, delayed: &DelayedRecords) {
        let Some(key) = self.leased.remove(&offset) else {
            return;
        };
        let group = self.groups.entry(key).or_default();
        group.release(offset);
        if let Some(followed) = group.insert(offset) {
            self.runs.remove(&followed);
        }
        self.runs.insert(offset, key);
        self.queued += 1;
        self.list(key, delayed);
    }

    /// Notes that a record's delay has ended; if it is its group's head, the group may open.
    pub(super) fn end_delay(&mut self, offset: Offset, delayed: &DelayedRecords) {
        if let Some(key) = head_at(&self.blocked, offset) {
            self.list(key, delayed);
        }
    }

    /// Settles a leased or queued record. Returns whether it was queued.
    pub(super) fn settle(&mut self, offset: Offset, delayed: &DelayedRecords) -> bool {
        if let Some(key) = self.leased.remove(&offset) {
            self.groups.entry(key).or_default().release(offset);
            self.list(key, delayed);
            return false;
        }
        let Some(key) = self.key_of_queued(offset) else {
            return false;
        };
        self.remove(key, offset);
        self.list(key, delayed);
        true
    }

    /// Settles the queued records before `to`.
    pub(super) fn purge(&mut self, to: Offset, delayed: &DelayedRecords) {
        let early = self.open.iter().chain(&self.blocked);
        let keys: Vec<Key> = early
            .filter(|(head, _)| *head < to)
            .map(|(_, key)| *key)
            .collect();
        for key in keys {
            let group = self.groups.entry(key).or_default();
            self.queued -= group.remove_before(to);
            if let Some(&(first, _)) = group.queued.front() {
                self.runs.insert(first, key);
            }
            self.list(key, delayed);
        }
        while pop_before(&mut self.runs, to).is_some() {}
    }

    /// The starts of the queued runs, in order.
    pub(super) fn run_starts(&self) -> impl Iterator<Item = Offset> {
        self.runs.keys().copied()
    }

    /// Removes up to `left` entries, because the log is gone.
    pub(super) fn shed(&mut self, left: &mut usize) {
        shed(&mut self.groups, left);
        shed(&mut self.runs, left);
        shed(&mut self.leased, left);
        shed(&mut self.turns, left);
        for heads in [&mut self.open, &mut self.blocked] {
            while *left > 0 && heads.pop_first().is_some() {
                *left -= 1;
            }
        }
    }

    pub(super) fn is_ready(&self, visible: Offset) -> bool {
        self.open.first().is_some_and(|(head, _)| *head < visible)
    }

    /// The first queued record.
    pub(super) fn first(&self) -> Option<Offset> {
        let heads = [self.open.first(), self.blocked.first()];
        heads.into_iter().flatten().map(|(head, _)| *head).min()
    }

    /// The number of queued records before `visible`, including delayed ones. All from there on are
    /// new, and queued unless they aren't messages.
    pub(super) fn queued_before(&self, visible: Offset) -> u64 {
        let new = self.end.since(visible) - self.passed.count();
        self.queued.saturating_sub(new)
    }

    /// Adds new offsets that aren't messages.
    pub(super) fn pass(&mut self, first: Offset, count: u64) {
        self.end = first.plus(count);
        self.passed.insert(first, count);
    }

    /// Notes that the high watermark has moved.
    pub(super) fn show_to(&mut self, visible: Offset) {
        self.passed.remove_before(visible);
    }

    pub(super) fn is_queued(&self, offset: Offset) -> bool {
        self.key_of_queued(offset).is_some()
    }

    /// The queued records from an offset on, in order.
    pub(super) fn queued_from(&self, from: Offset) -> impl Iterator<Item = Offset> {
        let before = self.runs.range(..from).next_back();
        let runs = before.into_iter().chain(self.runs.range(from..));
        runs.flat_map(move |(first, key)| {
            let group = self.groups.get(key);
            let end = group.map_or(*first, |group| group.end_of_run(*first));
            (first.max(&from).0..end.0).map(Offset)
        })
    }

    /// The queued records of a range, as runs.
    pub(super) fn queued_runs(&self, range: &Range<Offset>) -> impl Iterator<Item = Range<Offset>> {
        let (start, end) = (range.start, range.end);
        let before = self.runs.range(..start).next_back();
        let runs = before.into_iter().chain(self.runs.range(start..end));
        runs.filter_map(move |(first, key)| {
            let last = self.groups.get(key)?.end_of_run(*first);
            let run = start.max(*first)..end.min(last);
            (run.start < run.end).then_some(run)
        })
    }

    /// Visits records that may be leased together, group by group, while `more` returns true.
    pub(super) fn for_each_ready(
        &self,
        visible: Offset,
        delayed: &DelayedRecords,
        mut more: impl FnMut(Offset) -> bool,
    ) {
        for group in self.turns.values().filter_map(|key| self.groups.get(key)) {
            let runs = group.queued.iter();
            let offsets = runs.flat_map(|&(first, count)| first.0..first.plus(count).0);
            let end = group.first_held().map_or(visible, |held| visible.min(held));
            let shown = offsets
                .map(Offset)
                .take_while(|offset| *offset < end && !delayed.contains_key(offset));
            for offset in shown {
                if !more(offset) {
                    return;
                }
            }
        }
    }

    /// The group of a queued record. Runs don't overlap, so only the last run that starts at or
    /// before it can contain it.
    fn key_of_queued(&self, offset: Offset) -> Option<Key> {
        let (_, key) = self.runs.range(..=offset).next_back()?;
        let group = self.groups.get(key)?;
        group.is_queued(offset).then_some(*key)
    }

    /// Removes a queued record from its group.
    fn remove(&mut self, key: Key, offset: Offset) {
        let group = self.groups.entry(key).or_default();
        let Some(at) = group.run_of(offset) else {
            return;
        };
        let (first, count) = group.queued[at];
        group.remove(at, offset);
        self.queued -= 1;
        if first == offset {
            self.runs.remove(&offset);
        }
        if offset.next() < first.plus(count) {
            self.runs.insert(offset.next(), key);
        }
    }

    /// Updates the listing of a group: open, blocked, or removed.
    fn list(&mut self, key: Key, delayed: &DelayedRecords) {
        let Some(group) = self.groups.get_mut(&key) else {
            return;
        };
        let head = group.queued.front().map(|&(first, _)| first);
        let listed = head.map(|head| {
            let waits = group.first_held().is_some_and(|held| held < head);
            (head, !waits && !delayed.contains_key(&head))
        });
        if listed == group.listed {
            if head.is_none() && group.leased == 0 {
                self.groups.remove(&key);
            }
            return;
        }
        self.unlist(key);
        self.list_as(key, listed);
    }

    fn list_as(&mut self, key: Key, listed: Option<(Offset, bool)>) {
        let Some(group) = self.groups.get_mut(&key) else {
            return;
        };
        group.listed = listed;
        let is_open = listed.is_some_and(|(_, is_open)| is_open);
        if !is_open && let Some(turn) = group.turn.take() {
            self.turns.remove(&turn);
        }
        match listed {
            Some((head, true)) => {
                self.open.insert((head, key));
                if group.turn.is_none() {
                    group.turn = Some(self.turn_next);
                    self.turns.insert(self.turn_next, key);
                    self.turn_next += 1;
                }
            }
            Some((head, false)) => {
                self.blocked.insert((head, key));
            }
            None if group.leased == 0 => {
                self.groups.remove(&key);
            }
            None => {}
        }
    }

    fn unlist(&mut self, key: Key) {
        let listed = self
            .groups
            .get_mut(&key)
            .and_then(|group| group.listed.take());
        match listed {
            Some((head, true)) => self.open.remove(&(head, key)),
            Some((head, false)) => self.blocked.remove(&(head, key)),
            None => false,
        };
    }
}

impl From<Stored> for Fifo {
    fn from(stored: Stored) -> Self {
        let mut groups = stored.groups;
        for (offset, key) in &stored.leased {
            groups.entry(*key).or_default().held.insert(*offset);
        }
        let turns: BTreeMap<u64, Key> =
            (0..).zip(stored.open.iter().map(|(_, key)| *key)).collect();
        for (turn, key) in &turns {
            groups.entry(*key).or_default().turn = Some(*turn);
        }
        let runs = groups.iter().flat_map(|(key, group)| {
            let firsts = group.queued.iter().map(|&(first, _)| first);
            firsts.map(|first| (first, *key))
        });
        Self {
            turn_next: turns.len() as u64,
            turns,
            runs: runs.collect(),
            groups,
            open: stored.open,
            blocked: stored.blocked,
            leased: stored.leased,
            queued: stored.queued,
            end: stored.end,
            passed: Ranges::default(),
        }
    }
}

impl Group {
    fn hold(&mut self, offset: Offset) {
        self.leased += 1;
        self.held.insert(offset);
    }

    fn release(&mut self, offset: Offset) {
        self.leased = self.leased.saturating_sub(1);
        self.held.remove(&offset);
    }

    fn first_held(&self) -> Option<Offset> {
        self.held.first().copied()
    }

    /// Puts a record back in its place. If it becomes the start of a run, returns that run's first
    /// offset.
    fn insert(&mut self, offset: Offset) -> Option<Offset> {
        let at = self.queued.partition_point(|&(first, _)| first < offset);
        if let Some((first, count)) = self.queued.get_mut(at)
            && offset.next() == *first
        {
            *first = offset;
            *count += 1;
            return Some(offset.next());
        }
        self.queued.insert(at, (offset, 1));
        None
    }

    /// Removes a record from the run at `at`.
    fn remove(&mut self, at: usize, offset: Offset) {
        let (first, count) = self.queued[at];
        let end = first.plus(count);
        match (first == offset, offset.next() == end) {
            (true, true) => {
                self.queued.remove(at);
            }
            (true, false) => self.queued[at] = (offset.next(), count - 1),
            (false, is_last) => {
                self.queued[at] = (first, offset.since(first));
                if !is_last {
                    let rest = (offset.next(), end.since(offset.next()));
                    self.queued.insert(at + 1, rest);
                }
            }
        }
    }

    /// Removes everything before `to`; returns how much that was.
    fn remove_before(&mut self, to: Offset) -> u64 {
        let mut removed = 0;
        while let Some((first, count)) = self.queued.front_mut()
            && *first < to
        {
            let gone = to.since(*first).min(*count);
            removed += gone;
            *first = first.plus(gone);
            *count -= gone;
            if *count == 0 {
                self.queued.pop_front();
            }
        }
        removed
    }

    fn is_queued(&self, offset: Offset) -> bool {
        self.run_of(offset).is_some()
    }

    /// One after the last record of the run that contains this one.
    fn end_of_run(&self, offset: Offset) -> Offset {
        let run = self.run_of(offset).map(|at| self.queued[at]);
        run.map_or(offset, |(first, count)| first.plus(count))
    }

    /// The index of the run that contains a record.
    fn run_of(&self, offset: Offset) -> Option<usize> {
        let after = self.queued.partition_point(|&(first, _)| first <= offset);
        let at = after.checked_sub(1)?;
        let (first, count) = self.queued[at];
        (offset < first.plus(count)).then_some(at)
    }
}

/// The group whose head is at `offset`.
fn head_at(heads: &BTreeSet<(Offset, Key)>, offset: Offset) -> Option<Key> {
    let from_there = heads.range((offset, None)..);
    let (head, key) = from_there.into_iter().next()?;
    (*head == offset).then_some(*key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that storing and reading it changes nothing except the turns.
    fn check_stored(fifo: &Fifo) {
        let without_turns = |fifo: &Fifo| {
            let mut fifo = fifo.clone();
            fifo.turns.clear();
            fifo.turn_next = 0;
            fifo.groups.values_mut().for_each(|group| group.turn = None);
            fifo
        };
        let bytes = postcard::to_stdvec(fifo).expect("it encodes");
        let read: Fifo = postcard::from_bytes(&bytes).expect("it decodes");
        assert_eq!(without_turns(fifo), without_turns(&read));
        let turns = |fifo: &Fifo| fifo.turns.values().copied().collect::<BTreeSet<_>>();
        assert_eq!(turns(fifo), turns(&read));
    }

    #[test]
    fn a_record_is_found_by_its_offset_wherever_it_stands_in_its_group() {
        let nothing = DelayedRecords::new();
        let mut fifo = Fifo::default();
        for offset in 0..60 {
            // Runs of one to three records, in four groups.
            let key = Some(offset / 3 * 7 % 4);
            fifo.append(Offset(offset), 1, key, &nothing);
        }
        for offset in [0, 1, 30, 44, 59, 13] {
            assert!(fifo.settle(Offset(offset), &nothing));
            assert!(!fifo.settle(Offset(offset), &nothing));
            check_stored(&fifo);
        }
        for offset in [2, 31, 14, 12] {
            fifo.lease(Offset(offset), &nothing);
            check_stored(&fifo);
        }
        for offset in [14, 12, 2] {
            fifo.give_back(Offset(offset), &nothing);
            assert!(fifo.is_queued(Offset(offset)));
            check_stored(&fifo);
        }
        fifo.purge(Offset(29), &nothing);
        check_stored(&fifo);
        assert_eq!(fifo.queued_before(Offset(60)), 31 - 4);
    }
}
