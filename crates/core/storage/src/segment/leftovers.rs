//! Segments no longer in force, until nobody reads them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Segment, SegmentFiles};
use crate::{Error, ShardDirectory};

/// The segments of a shard that are to be removed. After a crash the next process finds them by
/// itself.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    left: Mutex<Vec<Left>>,
}

/// Segments that one checkpoint removed.
#[derive(Debug)]
struct Left {
    names: Vec<String>,
    /// The size of the logs, without indexes.
    size_bytes: u64,
    /// Shared with everyone who may still read one of them.
    readers: Arc<SegmentFiles>,
}

impl Leftovers {
    /// Adds segments that only the holders of `readers` may still read.
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

    /// Their total size, without indexes.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.lock().iter().map(|left| left.size_bytes).sum()
    }

    /// Removes those that nobody reads. A reader of what one checkpoint removed may also read what
    /// later ones removed.
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
        // Only this function takes entries out, and others are added at the end.
        leftovers.lock().drain(..unread);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Left>> {
        // No change can be left half done by a panic.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
