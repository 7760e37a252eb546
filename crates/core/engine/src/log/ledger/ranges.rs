//! A set of offsets, stored as ranges: a long range costs no more than a single offset.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_base_types::Offset;

use crate::log::sweep::shed;

/// Invariant: ranges neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ranges {
    /// From each range's first offset to the one after its last.
    ends: BTreeMap<Offset, Offset>,
    /// How many offsets are in the set.
    count: u64,
}

impl Ranges {
    /// Adds `count` offsets from `first` on; some may be there already.
    pub(crate) fn insert(&mut self, first: Offset, count: u64) {
        if count == 0 {
            return;
        }
        let (mut start, mut end) = (first, first.plus(count));
        if let Some((&before, &before_end)) = self.ends.range(..=start).next_back()
            && before_end >= start
        {
            start = before;
            end = end.max(before_end);
        }
        // Merges the ranges that it touches, including the one before it.
        while let Some((&after, &after_end)) = self.ends.range(start..=end).next() {
            self.ends.remove(&after);
            self.count -= after_end.since(after);
            end = end.max(after_end);
        }
        self.ends.insert(start, end);
        self.count += end.since(start);
    }

    /// Removes one offset.
    pub(crate) fn remove(&mut self, offset: Offset) {
        let Some((&start, &end)) = self.ends.range(..=offset).next_back() else {
            return;
        };
        if end <= offset {
            return;
        }
        self.ends.remove(&start);
        self.count -= 1;
        if start < offset {
            self.ends.insert(start, offset);
        }
        if offset.next() < end {
            self.ends.insert(offset.next(), end);
        }
    }

    /// Removes everything before `to`.
    pub(crate) fn remove_before(&mut self, to: Offset) {
        while let Some(entry) = self.ends.first_entry()
            && *entry.key() < to
        {
            let start = *entry.key();
            let end = entry.remove();
            self.count -= end.min(to).since(start);
            if end > to {
                self.ends.insert(to, end);
            }
        }
    }

    /// The starts of the ranges, in order.
    pub(crate) fn starts(&self) -> impl Iterator<Item = Offset> {
        self.ends.keys().copied()
    }

    /// The offsets from this one on, in order.
    pub(crate) fn offsets_from(&self, from: Offset) -> impl Iterator<Item = Offset> {
        let before = self.ends.range(..from).next_back();
        let ranges = before.into_iter().chain(self.ends.range(from..));
        ranges.flat_map(move |(start, end)| (start.max(&from).0..end.0).map(Offset))
    }

    /// The offsets, in order.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = Offset> {
        let ranges = self.ends.iter();
        ranges.flat_map(|(start, end)| (start.0..end.0).map(Offset))
    }

    /// Removes the range that begins at `first`, and returns its end.
    pub(crate) fn remove_range_at(&mut self, first: Offset) -> Option<Offset> {
        if self.ends.is_empty() {
            return None;
        }
        let end = self.ends.remove(&first)?;
        self.count -= end.since(first);
        Some(end)
    }

    /// Removes up to `left` ranges, because the log is gone.
    pub(crate) fn shed(&mut self, left: &mut usize) {
        shed(&mut self.ends, left);
    }

    /// The number of offsets in the set.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn contains(&self, offset: Offset) -> bool {
        self.end_of(offset).is_some()
    }

    /// The end of the range that contains `offset`.
    pub(crate) fn end_of(&self, offset: Offset) -> Option<Offset> {
        let (_, &end) = self.ends.range(..=offset).next_back()?;
        (end > offset).then_some(end)
    }

    /// Whether `offset` or one after it is in the set.
    pub(crate) fn reaches_past(&self, offset: Offset) -> bool {
        let last = self.ends.last_key_value();
        last.is_some_and(|(_, end)| *end > offset)
    }

    /// The start of the first range after `offset`.
    pub(crate) fn start_after(&self, offset: Offset) -> Option<Offset> {
        let (&start, _) = self.ends.range(offset..).next()?;
        Some(start)
    }

    /// The number of offsets before `limit` in the set. Fast if few ranges end after it.
    pub(crate) fn count_before(&self, limit: Offset) -> u64 {
        let later = self.ends.iter().rev();
        let later = later.take_while(|(_, end)| **end > limit);
        let count: u64 = later.map(|(start, end)| end.since(limit.max(*start))).sum();
        self.count - count
    }
}

#[cfg(test)]
mod tests;
