//! The segments of a shard, for all readers.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use hashbrown::HashMap;
use stele_base_types::{Offset, PartitionId};

use super::Segment;
use crate::{Error, SegmentStore, limits::OPEN_FILES_MAX};

/// Reads segments from their store. Every reader holds this; while anybody does, the segments of
/// that time aren't removed.
pub(crate) struct SegmentFiles {
    pub(super) store: Arc<dyn SegmentStore>,
    /// Where the last read of each log ended. A reader that continues there needs no index.
    read_up_to: Mutex<HashMap<LogKey, Place>>,
}

/// A segment's log: its partition, base offset and generation.
type LogKey = (PartitionId, Offset, u32);

/// A batch's place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base_offset: Offset,
    pub(super) position: u64,
}

impl SegmentFiles {
    pub(crate) fn new(store: &Arc<dyn SegmentStore>) -> Self {
        Self {
            store: store.clone(),
            read_up_to: Mutex::default(),
        }
    }

    /// The same segments for readers from now on.
    pub(crate) fn renewed(&self) -> Self {
        Self::new(&self.store)
    }

    /// The place of the batch at `from` in the segment's log, if the last read ended there.
    pub(super) fn read_up_to(&self, segment: &Segment, from: Offset) -> Option<Place> {
        let place = self.lock().get(&key(segment)).copied()?;
        (place.base_offset == from).then_some(place)
    }

    /// Notes where a read of the segment's log ended.
    pub(super) fn note_read(&self, segment: &Segment, place: Place) {
        let mut read_up_to = self.lock();
        if read_up_to.len() >= OPEN_FILES_MAX {
            read_up_to.clear();
        }
        read_up_to.insert(key(segment), place);
    }

    pub(super) fn log(&self, segment: &Segment) -> Object<'_> {
        self.object(segment.log_name())
    }

    pub(super) fn index(&self, segment: &Segment) -> Object<'_> {
        self.object(segment.index_name())
    }

    fn object(&self, name: String) -> Object<'_> {
        Object {
            store: &*self.store,
            name,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LogKey, Place>> {
        // No code that can panic runs under the lock, and a cache is never in a wrong state.
        let locked = self.read_up_to.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SegmentFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentFiles")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

fn key(segment: &Segment) -> LogKey {
    (segment.partition, segment.base_offset, segment.generation)
}

/// A log or an index.
pub(super) struct Object<'a> {
    store: &'a dyn SegmentStore,
    name: String,
}

impl Object<'_> {
    pub(super) fn read_at(&self, position: u64, length: usize) -> Result<Bytes, Error> {
        self.store.read(&self.name, position, length)
    }

    pub(super) fn damaged(&self, position: u64, what: impl Into<String>) -> Error {
        Error::damaged(&self.store.locate(&self.name), position, what)
    }
}
