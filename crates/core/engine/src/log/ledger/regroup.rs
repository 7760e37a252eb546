//! A ledger becomes FIFO. Only the first declaration of a queue can ask for this, for a ledger that
//! was opened by use: until then, nobody has said in which order its records are handed out.

use std::collections::BTreeMap;

use stele_base_types::Offset;

use super::{Fifo, Ledger, Part, Ranges, partition_index};
use crate::log::partition::Partition;

impl Ledger {
    /// Lists all unsettled records by group. Which group each belongs to wasn't kept, so they form
    /// one, as in a FIFO ledger that is opened on a log with records.
    pub(super) fn become_fifo(&mut self, partitions: &[Partition]) {
        for (index, partition) in partitions.iter().enumerate() {
            let index = partition_index(index);
            if let Some(part) = self.part_mut(index).filter(|part| part.fifo.is_none()) {
                part.become_fifo(partition.end);
                self.refresh(index);
            }
        }
    }
}

impl Part {
    fn become_fifo(&mut self, end: Offset) {
        // Nobody waits for dead records.
        let moving = self.moving.keys().filter(|offset| !self.is_dead(**offset));
        let held = self.leased.keys().chain(moving);
        let fifo = Fifo::of_one_group(
            self.queued_runs(end),
            held.copied().collect(),
            (self.visible(), end),
            &self.delayed,
        );
        self.returned.extend(self.behind.take());
        self.returned.retain(|_, seen| seen.deliveries > 0);
        self.ahead = Ranges::default();
        self.next = end;
        self.fifo = Some(Box::new(fifo));
    }

    /// The records that are ready, delayed or not shown yet: first offset and length of each run.
    fn queued_runs(&self, end: Offset) -> BTreeMap<Offset, u64> {
        let listed = self.returned.keys().chain(self.delayed.keys()).copied();
        let listed = listed.chain(self.behind.offsets());
        let mut runs: BTreeMap<Offset, u64> = listed.map(|offset| (offset, 1)).collect();
        let mut from = self.next;
        loop {
            let first = self.ahead.end_of(from).unwrap_or(from);
            if first >= end {
                return runs;
            }
            from = self
                .ahead
                .start_after(first)
                .map_or(end, |next| next.min(end));
            runs.insert(first, from.since(first));
        }
    }
}
