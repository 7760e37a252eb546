//! Records that queue consumers can't read and that are therefore set aside.
//!
//! Several runs of one batch may be leased, to one consumer or more, before the log's shard learns
//! that the first of them is unreadable. The most recent such batches are remembered, so that each
//! batch is logged and its rest skipped only once.

use std::collections::VecDeque;

use parking_lot::Mutex;
use stele_base_types::{Offset, PartitionId};

/// Batches that are remembered: more than are met at a time, few enough for a linear search.
const REMEMBERED_MAX: usize = 64;

/// Batches that can't be read to their end.
#[derive(Debug, Default)]
pub(crate) struct SetAside(Mutex<Met>);

#[derive(Debug, Default)]
struct Met {
    /// The ends of the batches.
    last: VecDeque<(PartitionId, Offset)>,
    total: u64,
}

impl SetAside {
    /// Notes a batch; returns whether it is new.
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
