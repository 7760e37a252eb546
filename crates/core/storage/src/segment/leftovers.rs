//! Segments that are none any more, until nobody reads them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Segment, SegmentFiles};
use crate::{Error, ShardDirectory};

/// The segments of a shard that are to be removed. After a crash the next process finds them by
/// itself.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    left: Mutex<Vec<Left>>,
}

/// Segments that went with one checkpoint.
#[derive(Debug)]
struct Left {
    names: Vec<String>,
    /// Of the logs alone.
    size_bytes: u64,
    /// Shared with all who may still read one of them.
    readers: Arc<SegmentFiles>,
}

impl Leftovers {
    /// Takes segments which those who hold `readers` may still read, and nobody else.
    pub(crate) fn put(&self, segments: &[Segment], readers: Arc<SegmentFiles>) {
        let names = segments.iter();
        let names: Vec<_> = names
            .flat_map(|segment| [segment.log_name(), segment.index_name()])
            .collect();
        if !names.is_empty() {
            let size_bytes = segments.iter().map(|segment| segment.size_bytes).sum();
            self.lock().push(Left {
                names,
                size_bytes,
                readers,
            });
        }
    }

    /// The names of all of them.
    pub(crate) fn names(&self) -> Vec<String> {
        let left = self.lock();
        left.iter().flat_map(|left| left.names.clone()).collect()
    }

    /// How much they take, without their indexes.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.lock().iter().map(|left| left.size_bytes).sum()
    }

    /// Removes those that nobody reads. Who may read what went with one checkpoint may also read
    /// what went with a later one.
    pub(crate) fn remove_unread(directory: &ShardDirectory) -> Result<(), Error> {
        let leftovers = &directory.leftovers;
        let mut names = Vec::new();
        let unread = {
            let left = leftovers.lock();
            let is_unread = |left: &&Left| Arc::strong_count(&left.readers) == 1;
            let unread = left.iter().take_while(is_unread);
            unread
                .map(|left| names.extend_from_slice(&left.names))
                .count()
        };
        directory.store.delete(&names)?;
        // Only those who remove them take them out, and others are put behind them.
        leftovers.lock().drain(..unread);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Left>> {
        // Each change is made as a whole, whoever panics beside it.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
