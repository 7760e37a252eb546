//! The sizes of a partition's records: a bounded number of stretches of records of similar size.
//!
//! ```text
//!  stretches   0 .. 299: 120 bytes each at most    300 .. 599: 16 MiB    600 .. end: 90 bytes
//! ```
//!
//! Record sizes within a batch aren't known: each record counts as an equal part of it. Apart from
//! that, sizes are never underestimated, and overestimated by a third at most. They are
//! overestimated by more only if so many sizes alternate that stretches have to be merged.

use std::{collections::VecDeque, ops::Range};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::Offset;

use super::{Log, record::Run};
use crate::limits::{RUN_BYTES_MAX, SIZE_STRETCHES_MAX};

/// The sizes of a partition's records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sizes {
    /// In order of offsets. The last one extends to the partition's end.
    stretches: VecDeque<Stretch>,
}

/// Consecutive records, up to the next stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    first: Offset,
    /// The maximum size of one of them.
    bytes: u32,
}

impl Stretch {
    /// Whether records of this size can be added to it.
    fn takes(self, bytes: u32) -> bool {
        bytes <= self.bytes && bytes >= self.bytes - self.bytes / 4
    }
}

impl Sizes {
    /// Notes that the records from `first` to the partition's end have `bytes` each.
    pub(super) fn note(&mut self, first: Offset, bytes: u32) {
        if self.stretches.back().is_some_and(|last| last.takes(bytes)) {
            return;
        }
        self.stretches.push_back(Stretch { first, bytes });
        if self.stretches.len() > SIZE_STRETCHES_MAX {
            self.thin_out(first.next());
        }
    }

    /// Drops stretches whose records are all before `to`.
    pub(super) fn forget_before(&mut self, to: Offset) {
        while let Some(next) = self.stretches.get(1)
            && next.first <= to
        {
            self.stretches.pop_front();
        }
    }

    /// Records as pieces of equal size: the number of records and the size of each. `before` is the
    /// size where none is known.
    pub(super) fn pieces(
        &self,
        records: Range<Offset>,
        before: u32,
    ) -> impl Iterator<Item = (u64, u32)> {
        let Range { start, end } = records;
        let after = self
            .stretches
            .partition_point(|stretch| stretch.first <= start);
        let begun = after.checked_sub(1).and_then(|at| self.stretches.get(at));
        let begun = begun.map_or(before, |stretch| stretch.bytes);
        let later = self.stretches.range(after..);
        let starts = std::iter::once((start, begun))
            .chain(later.clone().map(|stretch| (stretch.first, stretch.bytes)));
        let ends = later.map(|stretch| stretch.first).chain([end]);
        starts
            .zip(ends)
            .take_while(move |((first, _), _)| *first < end)
            .map(move |((first, bytes), to)| (to.min(end).since(first), bytes))
    }

    /// Merges neighbours where that makes the least difference. Removes at least a quarter of the
    /// stretches, so that this is rarely needed.
    fn thin_out(&mut self, end: Offset) {
        let mut costs: Vec<u64> = (1..self.stretches.len())
            .map(|at| self.cost(at - 1, end))
            .collect();
        let middle = costs.len() / 2;
        let (_, affordable, _) = costs.select_nth_unstable(middle);
        let affordable = *affordable;
        let mut joined = VecDeque::with_capacity(self.stretches.len());
        let mut at = 0;
        while let Some(&stretch) = self.stretches.get(at) {
            let next = self.stretches.get(at + 1);
            let next = next.filter(|_| self.cost(at, end) <= affordable);
            joined.push_back(Stretch {
                bytes: next.map_or(stretch.bytes, |next| next.bytes.max(stretch.bytes)),
                ..stretch
            });
            at += if next.is_some() { 2 } else { 1 };
        }
        self.stretches = joined;
    }

    /// By how much more the sizes would be overestimated if the stretch at `at` were merged with
    /// the next one.
    fn cost(&self, at: usize, end: Offset) -> u64 {
        let first = self.stretches[at];
        let Some(second) = self.stretches.get(at + 1) else {
            return u64::MAX;
        };
        let ends = self.stretches.get(at + 2).map_or(end, |next| next.first);
        let smaller = if first.bytes < second.bytes {
            second.first.since(first.first)
        } else {
            ends.since(second.first)
        };
        smaller.saturating_mul(u64::from(first.bytes.abs_diff(second.bytes)))
    }
}

impl Log {
    /// The size of a run's records.
    pub(super) fn bytes_of(&self, run: Run) -> u64 {
        self.pieces_of(run)
            .map(|(count, bytes)| count * bytes)
            .sum()
    }

    /// The first of these records, up to `bytes_max` and to what may be handed out at once. At
    /// least one, so that larger records can be delivered.
    pub(super) fn within(
        &self,
        mut runs: SmallVec<[Run; 2]>,
        bytes_max: u64,
    ) -> SmallVec<[Run; 2]> {
        let mut left = bytes_max.min(RUN_BYTES_MAX);
        for at in 0..runs.len() {
            let (count, bytes) = self.fitting(runs[at], left);
            left -= bytes;
            if count < runs[at].count {
                runs[at].count = if at == 0 { count.max(1) } else { count };
                runs.truncate(if runs[at].count > 0 { at + 1 } else { at });
                break;
            }
        }
        runs
    }

    /// How many of the first records of a run fit into `bytes_max`, and their size.
    fn fitting(&self, run: Run, bytes_max: u64) -> (u32, u64) {
        let (mut fitting, mut taken) = (0, 0);
        for (count, bytes) in self.pieces_of(run) {
            let fits = ((bytes_max - taken) / bytes.max(1)).min(count);
            fitting += fits;
            taken += fits * bytes;
            if fits < count {
                break;
            }
        }
        // Never more than the run has.
        let fitting = u32::try_from(fitting).unwrap_or(u32::MAX);
        (fitting, taken)
    }

    fn pieces_of(&self, run: Run) -> impl Iterator<Item = (u64, u64)> {
        let partition = self.partition(run.partition);
        let pieces = partition
            .into_iter()
            .flat_map(move |partition| partition.sizes_of(run.first..run.end()));
        pieces.map(|(count, bytes)| (count, u64::from(bytes)))
    }
}

#[cfg(test)]
mod tests;
