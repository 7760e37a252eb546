//! The sizes of the bodies of a part's records, in a ledger that limits how many bytes are ready.
//!
//! ```text
//!  stretches   0 .. 99,999: 120 bytes each     100,000 .. 100,126: 7, 300, 12, 9, …
//! ```
//!
//! Records of one size are one stretch, however many they are. Records of different sizes take four
//! bytes each, in stretches of up to 128. Each stretch knows how many bytes are before it, so the
//! size of a range takes two look-ups. A stretch is dropped once all of its records are settled, so
//! settled records take nothing, even behind an unsettled one.
//!
//! Invariant: every unsettled record of the part is in a stretch.

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{Offset, PartitionIndex};

use super::{Ledger, Run, Site, part::Part};
use crate::{
    LedgerConfig,
    log::{Columns, Partition, record::LedgerRecord},
};

/// Records of different sizes in one stretch: bounds what it takes to add them up.
const SEVERAL_MAX: u64 = 128;

/// A stretch in memory, beside the sizes of its records. It is a map's entry; maps that grow at
/// their end are half full.
const STRETCH_BYTES: usize = 128;

/// The sizes of a part's bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bodies {
    /// By their first records.
    stretches: BTreeMap<Offset, Stretch>,
    /// The bytes of all stretches there ever were.
    total_bytes: u64,
    /// How many sizes are kept one by one.
    listed: usize,
    /// The bytes of the ready records. Derived from the part.
    #[serde(skip)]
    ready_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    /// The bytes of all stretches before it, of which some may be gone.
    before_bytes: u64,
    sizes: Sizes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Sizes {
    /// So many records of the same size.
    Same(u64, u32),
    /// At most [`SEVERAL_MAX`].
    Several(Vec<u32>),
}

impl Sizes {
    fn count(&self) -> u64 {
        match self {
            Self::Same(count, _) => *count,
            Self::Several(sizes) => sizes.len() as u64,
        }
    }

    /// The bytes of the first `count` records, or of all if there are fewer.
    fn bytes(&self, count: u64) -> u64 {
        match self {
            Self::Same(all, bytes) => count.min(*all).saturating_mul(u64::from(*bytes)),
            Self::Several(sizes) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                sizes
                    .iter()
                    .take(count)
                    .map(|bytes| u64::from(*bytes))
                    .sum()
            }
        }
    }

    fn listed(&self) -> usize {
        match self {
            Self::Same(..) => 0,
            Self::Several(sizes) => sizes.len(),
        }
    }

    /// Adds records. Returns whether there was room.
    fn extend(&mut self, count: u64, bytes: u32) -> bool {
        match self {
            Self::Same(all, same) if *same == bytes => {
                *all += count;
                true
            }
            _ if self.count() + count > SEVERAL_MAX => false,
            Self::Same(all, same) => {
                let former = std::iter::repeat_n(*same, usize::try_from(*all).unwrap_or(0));
                let new = std::iter::repeat_n(bytes, usize::try_from(count).unwrap_or(0));
                *self = Self::Several(former.chain(new).collect());
                true
            }
            Self::Several(sizes) => {
                let new = std::iter::repeat_n(bytes, usize::try_from(count).unwrap_or(0));
                sizes.extend(new);
                true
            }
        }
    }
}

impl Bodies {
    /// Adds records behind all others.
    fn push(&mut self, first: Offset, count: u64, bytes: u32) {
        let more_bytes = count.saturating_mul(u64::from(bytes));
        if let Some((begun, last)) = self.stretches.iter_mut().next_back()
            && begun.plus(last.sizes.count()) == first
        {
            let listed = last.sizes.listed();
            let is_added = last.sizes.extend(count, bytes);
            self.listed += last.sizes.listed() - listed;
            if is_added {
                self.total_bytes += more_bytes;
                return;
            }
            if let Sizes::Several(sizes) = &mut last.sizes {
                sizes.shrink_to_fit();
            }
        }
        let stretch = Stretch {
            before_bytes: self.total_bytes,
            sizes: Sizes::Same(count, bytes),
        };
        self.stretches.insert(first, stretch);
        self.total_bytes += more_bytes;
    }

    /// Whether records of these sizes would be listed one by one.
    fn lists(&self, mut sizes: impl Iterator<Item = (u32, u32)>) -> bool {
        let last = self.stretches.last_key_value().map(|(_, last)| &last.sizes);
        let same = match last {
            Some(Sizes::Same(_, same)) => Some(*same),
            _ => None,
        };
        sizes.any(|(_, bytes)| same != Some(bytes))
    }

    /// The bytes of the records from `first` to before `end`, all of which are in stretches.
    fn between(&self, first: Offset, end: Offset) -> u64 {
        let begun = self.stretches.range(..=first).next_back();
        let ended = self.stretches.range(..end).next_back();
        let bytes_before = |stretch: Option<(&Offset, &Stretch)>, offset: Offset| {
            stretch.map_or(0, |(first, stretch)| {
                stretch.before_bytes + stretch.sizes.bytes(offset.since(*first))
            })
        };
        bytes_before(ended, end).saturating_sub(bytes_before(begun, first))
    }

    /// Drops the stretches in `range` without a record that is kept. `kept_from` returns the first
    /// such record from an offset on.
    fn drop_settled(
        &mut self,
        range: &Range<Offset>,
        kept_from: impl Fn(Offset) -> Option<Offset>,
    ) {
        let before = self.stretches.range(..range.start).next_back();
        let mut at = before.map_or(range.start, |(first, _)| *first);
        while at < range.end
            && let Some((&first, stretch)) = self.stretches.range(at..range.end).next()
        {
            let end = first.plus(stretch.sizes.count());
            if kept_from(first).is_none_or(|kept| kept >= end) {
                self.listed -= stretch.sizes.listed();
                self.stretches.remove(&first);
            }
            at = end;
        }
    }

    /// Removes up to `left` stretches, because the log is gone.
    fn shed(&mut self, left: &mut usize) {
        while *left > 0
            && let Some((_, stretch)) = self.stretches.pop_first()
        {
            self.listed -= stretch.sizes.listed();
            *left -= 1;
        }
    }

    /// The memory that it takes.
    fn memory(&self) -> usize {
        self.stretches.len() * STRETCH_BYTES + self.listed * size_of::<u32>()
    }
}

/// Records whose state changes, from one offset to another.
type Changed = (PartitionIndex, Range<Offset>);

impl LedgerRecord {
    /// The records whose state it changes.
    fn changed(&self) -> SmallVec<[Changed; 1]> {
        let before = |(partition, to): &(PartitionIndex, Offset)| (*partition, Offset::ZERO..*to);
        let run = match self {
            Self::Purged(ends) | Self::Cleared(ends) => return ends.iter().map(before).collect(),
            Self::Expired { partition, to } => {
                return std::iter::once(before(&(*partition, *to))).collect();
            }
            Self::Leased { run, .. }
            | Self::Taken { run, .. }
            | Self::Settled(run)
            | Self::Returned { run, .. }
            | Self::DelayEnded(run)
            | Self::Moving(run)
            | Self::Copying { run, .. }
            | Self::Copied { run, .. }
            | Self::Left { run, .. }
            | Self::LifeEnded(run)
            | Self::Renewed { run, .. } => *run,
            Self::Extended { .. }
            | Self::Subscribed(_)
            | Self::Unsubscribed { .. }
            | Self::Dropped(_)
            | Self::Credited { .. }
            | Self::Waiting { .. }
            | Self::WaitEnded(_) => return SmallVec::new(),
        };
        std::iter::once((run.partition, run.first..run.end())).collect()
    }
}

impl Ledger {
    /// The bytes of the ready records' bodies; `None` if they aren't limited, and not known.
    pub fn ready_bytes(&self) -> Option<u64> {
        self.config.ready_bytes_max?;
        Some(self.parts.iter().map(Part::ready_bytes).sum())
    }

    /// Whether new records of these sizes would be listed one by one.
    pub(crate) fn lists_bodies(
        &self,
        partition: PartitionIndex,
        sizes: impl Iterator<Item = (u32, u32)>,
    ) -> bool {
        let bodies = self.part(partition).and_then(|part| part.bodies.as_ref());
        bodies.is_some_and(|bodies| bodies.lists(sizes))
    }

    /// Applies a change, and counts the ready bytes of the records that it changes, if they are
    /// limited.
    pub(crate) fn apply(&mut self, record: &LedgerRecord, bytes: u64, site: &mut Site<'_>) {
        if self.config.ready_bytes_max.is_none() {
            return self.change(record, bytes, site);
        }
        let changed = record.changed();
        let before = self.bytes_in(&changed);
        self.change(record, bytes, site);
        self.recount(&changed, &before);
    }

    /// Settles the records before `to`, including leased ones.
    pub(crate) fn apply_trimmed(
        &mut self,
        partition: PartitionIndex,
        to: Offset,
        site: &mut Site<'_>,
    ) {
        let changed: SmallVec<[Changed; 1]> =
            std::iter::once((partition, Offset::ZERO..to)).collect();
        let before = self.bytes_in(&changed);
        self.apply_cleared(partition, to, site);
        self.recount(&changed, &before);
    }

    fn bytes_in(&self, changed: &[Changed]) -> SmallVec<[u64; 1]> {
        let each = changed.iter();
        each.map(|(partition, range)| {
            let part = self.part(*partition);
            part.map_or(0, |part| part.ready_bytes_in(range))
        })
        .collect()
    }

    /// Counts records again that had so many ready bytes before they changed.
    fn recount(&mut self, changed: &[Changed], before: &[u64]) {
        for ((partition, range), before) in changed.iter().zip(before) {
            if let Some(part) = self.part_mut(*partition) {
                part.recount(range, *before);
            }
        }
    }

    /// Notes the sizes of new records, which can't be seen yet.
    pub(super) fn note_bodies(&mut self, run: Run, columns: &Columns, unknown: u32) {
        let part = self.part_mut(run.partition);
        let Some(bodies) = part.and_then(|part| part.bodies.as_mut()) else {
            return;
        };
        let mut first = run.first;
        for (count, bytes) in columns.body_bytes(run.count, unknown) {
            bodies.push(first, count.into(), bytes);
            first = first.plus(count.into());
        }
    }

    /// Begins to count bytes where the configuration limits them, and ends it where it doesn't. The
    /// bodies of records that are there already count as what the records take.
    pub(super) fn open_bodies(&mut self, config: &LedgerConfig, partitions: &[Partition]) {
        for (part, partition) in self.parts.iter_mut().zip(partitions) {
            match config.ready_bytes_max {
                Some(_) if part.bodies.is_none() => {
                    let mut bodies = Bodies::default();
                    let mut first = part.floor();
                    for (count, bytes) in partition.sizes_of(first..partition.end) {
                        bodies.push(first, count, bytes);
                        first = first.plus(count);
                    }
                    part.bodies = Some(Box::new(bodies));
                    part.count_bodies();
                }
                Some(_) => {}
                None => part.bodies = None,
            }
        }
    }

    /// The memory that the sizes of single bodies take.
    pub(crate) fn bodies_memory(&self) -> usize {
        let bodies = self.parts.iter().filter_map(|part| part.bodies.as_ref());
        bodies.map(|bodies| bodies.memory()).sum()
    }

    /// How many bytes are ready beyond what may be.
    pub(super) fn excess_bytes(&self) -> u64 {
        let (ready, max) = (self.ready_bytes(), self.config.ready_bytes_max);
        ready
            .zip(max)
            .map_or(0, |(ready, max)| ready.saturating_sub(max))
    }

    /// The first records of these runs, until there are so many of them and of their bytes.
    pub(super) fn first_of(
        &self,
        mut runs: SmallVec<[Run; 2]>,
        (records, bytes): (u64, u64),
    ) -> SmallVec<[Run; 2]> {
        let (mut taken, mut taken_bytes) = (0, 0);
        for at in 0..runs.len() {
            let run = runs[at];
            let part = self.part(run.partition);
            let mut count = 0;
            for offset in run.offsets() {
                if taken >= records && taken_bytes >= bytes {
                    break;
                }
                taken_bytes += part.map_or(0, |part| part.body_bytes(offset..offset.next()));
                taken += 1;
                count += 1;
            }
            if count < run.count {
                runs[at].count = count;
                runs.truncate(if count > 0 { at + 1 } else { at });
                break;
            }
        }
        runs
    }
}

impl Part {
    fn ready_bytes(&self) -> u64 {
        self.bodies.as_ref().map_or(0, |bodies| bodies.ready_bytes)
    }

    /// The bytes of records that are unsettled.
    fn body_bytes(&self, range: Range<Offset>) -> u64 {
        let bodies = self.bodies.as_ref();
        bodies.map_or(0, |bodies| bodies.between(range.start, range.end))
    }

    /// The bytes of the ready records in a range: those that [`Part::ready`] counts.
    fn ready_bytes_in(&self, range: &Range<Offset>) -> u64 {
        if self.bodies.is_none() {
            return 0;
        }
        let behind = self.behind.offsets_from(range.start);
        let behind = behind.take_while(|offset| *offset < range.end);
        let shown = range.start..range.end.min(self.visible()).max(range.start);
        let listed = match self.fifo {
            Some(_) => 0,
            None => {
                let returned = self.returned.range(shown.clone());
                let returned = returned.map(|(&offset, _)| offset);
                let listed = returned.chain(behind);
                listed
                    .map(|offset| self.body_bytes(offset..offset.next()))
                    .sum()
            }
        };
        listed + self.fresh_bytes(&shown) + self.queued_bytes(&shown)
    }

    /// The bytes of the records in a range that aren't listed and not settled, seen or not.
    fn fresh_bytes(&self, range: &Range<Offset>) -> u64 {
        if self.fifo.is_some() {
            return 0;
        }
        let mut bytes = 0;
        let mut from = range.start.max(self.next);
        while from < range.end {
            let first = self.ahead.end_of(from).unwrap_or(from);
            let end = self.ahead.start_after(first);
            let end = end.map_or(range.end, |end| end.min(range.end));
            if first < end {
                bytes += self.body_bytes(first..end);
            }
            from = end.max(first.next());
        }
        bytes
    }

    /// The bytes of the queued records in a range of a FIFO part that aren't delayed.
    fn queued_bytes(&self, range: &Range<Offset>) -> u64 {
        let Some(fifo) = &self.fifo else {
            return 0;
        };
        let queued = fifo.queued_runs(range).map(|run| self.body_bytes(run));
        let delayed = self.delayed.range(range.clone());
        let delayed = delayed.map(|(&offset, _)| self.body_bytes(offset..offset.next()));
        queued.sum::<u64>().saturating_sub(delayed.sum())
    }

    /// The bytes of the records that will be ready once all up to `end` can be seen.
    pub(super) fn unseen_bytes(&self, end: Offset) -> u64 {
        let unseen = self.visible()..end.max(self.visible());
        self.fresh_bytes(&unseen) + self.queued_bytes(&unseen)
    }

    /// Counts all ready bytes.
    pub(super) fn count_bodies(&mut self) {
        let ready_bytes = self.ready_bytes_in(&(Offset::ZERO..Offset(u64::MAX)));
        if let Some(bodies) = &mut self.bodies {
            bodies.ready_bytes = ready_bytes;
        }
    }

    /// Counts records again that had so many ready bytes before they changed, and drops the sizes
    /// of those that are settled.
    fn recount(&mut self, range: &Range<Offset>, before: u64) {
        let after = self.ready_bytes_in(range);
        let Some(mut bodies) = self.bodies.take() else {
            return;
        };
        bodies.ready_bytes = (bodies.ready_bytes + after).saturating_sub(before);
        bodies.drop_settled(range, |offset| self.kept_from(offset));
        self.bodies = Some(bodies);
    }

    /// Notes that the records from `from` on can be seen.
    pub(super) fn show_bodies(&mut self, from: Offset) {
        if self.bodies.is_some() {
            let shown = self.ready_bytes_in(&(from..self.visible().max(from)));
            if let Some(bodies) = &mut self.bodies {
                bodies.ready_bytes += shown;
            }
        }
    }

    /// The starts of the stretches of sizes.
    pub(super) fn body_starts(&self) -> impl Iterator<Item = Offset> {
        let bodies = self.bodies.iter();
        bodies.flat_map(|bodies| bodies.stretches.keys().copied())
    }

    /// Removes up to `left` stretches of sizes, because the log is gone.
    pub(super) fn shed_bodies(&mut self, left: &mut usize) {
        if let Some(bodies) = &mut self.bodies {
            bodies.shed(left);
        }
    }

    /// The first unsettled record from an offset on, seen or not.
    fn kept_from(&self, from: Offset) -> Option<Offset> {
        let fresh = || {
            let from = from.max(self.next);
            self.ahead.end_of(from).unwrap_or(from)
        };
        let listed = [
            self.leased.range(from..).next().map(|(&offset, _)| offset),
            self.returned
                .range(from..)
                .next()
                .map(|(&offset, _)| offset),
            self.delayed.range(from..).next().map(|(&offset, _)| offset),
            self.moving.range(from..).next().map(|(&offset, _)| offset),
            self.behind.offsets_from(from).next(),
            self.dead.as_ref().and_then(|dead| dead.first_from(from)),
            match &self.fifo {
                Some(fifo) => fifo.queued_from(from).next(),
                None => Some(fresh()),
            },
        ];
        listed.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
