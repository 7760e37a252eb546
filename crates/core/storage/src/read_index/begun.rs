//! A cache of batches from disk of which readers took only a part, for when they read the rest.
//!
//! A queue's messages may be in batches of a thousand, as Kafka producers send them, and be
//! delivered a few at a time: without this cache, each delivery would read and verify the whole
//! batch again.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use stele_base_types::{Offset, PartitionId};

use super::plan::{StoredBatch, Wanted};
use crate::limits::{BEGUN_BATCHES_MAX, BEGUN_SIZE_BYTES_MAX, BEGUN_SIZE_BYTES_MIN};

/// The batches, shared by all readers. A batch never changes, so a cached one is never stale.
#[derive(Default)]
pub(crate) struct BegunBatches {
    /// The most recent one is last.
    batches: Mutex<VecDeque<Begun>>,
}

struct Begun {
    partition: PartitionId,
    next_offset: Offset,
    batch: StoredBatch,
}

impl Begun {
    fn has(&self, wanted: &Wanted) -> bool {
        self.partition == wanted.partition
            && self.batch.base_offset <= wanted.from
            && wanted.until <= self.next_offset
    }
}

impl BegunBatches {
    /// The batch that holds everything wanted, if there is one.
    pub(crate) fn find(&self, wanted: &Wanted) -> Option<StoredBatch> {
        let batches = self.lock();
        let begun = batches.iter().find(|begun| begun.has(wanted))?;
        Some(begun.batch.clone())
    }

    /// Notes what was read: the last batch is kept if it has more than was wanted, and isn't so
    /// small that reading it again is as cheap.
    pub(crate) fn note(&self, wanted: &Wanted, read: &[StoredBatch]) {
        let Some(batch) = read.last() else {
            return;
        };
        let next_offset = batch.next_offset();
        let sizes = BEGUN_SIZE_BYTES_MIN..=BEGUN_SIZE_BYTES_MAX;
        if wanted.until >= next_offset || !sizes.contains(&batch.bytes.len()) {
            return;
        }
        let mut batches = self.lock();
        // The batch that the same reader has passed isn't needed any more.
        batches.retain(|begun| begun.partition != wanted.partition);
        if batches.len() == BEGUN_BATCHES_MAX {
            batches.pop_front();
        }
        batches.push_back(Begun {
            partition: wanted.partition,
            next_offset,
            batch: batch.clone(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Begun>> {
        // No code that can panic runs under the lock, and a cache is never in a wrong state.
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for BegunBatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BegunBatches")
            .field("count", &self.lock().len())
            .finish()
    }
}
