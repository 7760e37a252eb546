//! What consumers of queues can't read, and so is set aside.
//!
//! Several runs of one batch may be leased, to one consumer or to several, before what the first of
//! them finds there is known to the log's shard. What was met last is remembered, so that a batch
//! is told of once and the rest of it is skipped once.

use std::collections::VecDeque;

use parking_lot::Mutex;
use stele_base_types::{Offset, PartitionId};

/// Batches that are remembered: more than are met at a time, few enough to be looked through.
const REMEMBERED_MAX: usize = 64;

/// Batches that can't be read to their ends.
#[derive(Debug, Default)]
pub(crate) struct SetAside(Mutex<Met>);

#[derive(Debug, Default)]
struct Met {
    /// By the ends of the batches.
    last: VecDeque<(PartitionId, Offset)>,
    total: u64,
}

impl SetAside {
    /// Takes note of one; says whether it is met for the first time.
    pub(crate) fn note(&self, partition: PartitionId, end: Offset) -> bool {
        let mut met = self.0.lock();
        if met.last.contains(&(partition, end)) {
            return false;
        }
        if met.last.len() == REMEMBERED_MAX {
            met.last.pop_front();
        }
        met.last.push_back((partition, end));
        met.total += 1;
        true
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.0.lock().total
    }
}

#[cfg(test)]
mod tests {
    use stele_base_types::{LogId, PartitionIndex};

    use super::*;

    #[test]
    fn a_batch_counts_once_while_it_is_remembered() {
        let set_aside = SetAside::default();
        let partition = PartitionId::new(LogId(1), PartitionIndex(0));
        assert!(set_aside.note(partition, Offset(0)));
        assert!(!set_aside.note(partition, Offset(0)));
        for other in 1..=REMEMBERED_MAX as u64 {
            assert!(set_aside.note(partition, Offset(other)));
        }
        assert!(set_aside.note(partition, Offset(0)));
        assert_eq!(set_aside.total(), REMEMBERED_MAX as u64 + 2);
    }
}
