//! A snapshot: the caller's state and the list of segments, as of some block of the journal.
//!
//! ```text
//!  snapshot/S.snapshot   lists the part files, and which of their records are live
//!  snapshot/N.parts      parts of the state; the segments of each log are a part as well
//! ```
//!
//! A checkpoint writes the parts that it changed to new part files, and a new list. A list has a
//! bit for each part. Part files in which little is live are rewritten, so that all of them
//! together take at most about twice the size of the live parts.
//!
//! Invariants: everything that a list names is on disk before the list appears, and doesn't change.
//! A snapshot covers whole journal files.

mod list;
mod part_file;
mod part_index;
mod part_writer;

use std::collections::BTreeMap;

use bytes::Bytes;
use stele_base_types::{LogId, PartitionId, PartitionIndex, ShardId};

pub(crate) use self::{
    list::{Newest, SNAPSHOTS, Stored, StoredPartFile, StoredState, names, number_of, read},
    part_file::{PartRecord, PartRecords, part_file_name, part_file_number},
    part_index::PartIndex,
    part_writer::PartWriter,
};
use crate::{
    BlockSequence, Error, PartKey, Replay, ReplayError, SegmentStore, ShardDirectory,
    segment::Segment,
};

/// The parts that list the segments of a log.
pub(crate) const SEGMENT_LISTS: u8 = 0xff;

/// The segments of each partition that has any.
pub(crate) type Segments = BTreeMap<PartitionId, Vec<Segment>>;

/// Receives the parts of a state.
pub(crate) type Load<'a> = dyn FnMut(PartKey, &[u8]) -> Result<(), ReplayError> + 'a;

/// The snapshot in force, as far as storage itself knows its contents.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// The first block that it doesn't cover.
    pub(crate) next: BlockSequence,
    /// The generation among snapshots with the same `next`.
    pub(crate) generation: u32,
    /// Whether there is one; a new shard has none.
    pub(crate) exists: bool,
    pub(crate) segments: Segments,
    /// The size of the segments, without their indexes.
    pub(crate) segments_size_bytes: u64,
    pub(crate) parts: PartIndex,
    /// The whole state, if format 1 saved it.
    pub(crate) whole: Option<Bytes>,
}

impl Snapshot {
    /// Takes over the snapshot that was found, if any, and passes each part of the state to `load`.
    pub(crate) fn open(
        store: &dyn SegmentStore,
        shard: ShardId,
        stored: Option<&Stored>,
        load: &mut Load<'_>,
    ) -> Result<Self, Error> {
        let mut snapshot = Self::default();
        let Some(stored) = stored else {
            return Ok(snapshot);
        };
        snapshot.next = stored.next;
        snapshot.generation = stored.generation;
        snapshot.exists = true;
        match &stored.state {
            StoredState::Whole { segments, state } => {
                segments.iter().for_each(|it| snapshot.add_segment(*it));
                snapshot.whole = Some(state.clone());
            }
            StoredState::Parts(files) => {
                for file in files {
                    snapshot.open_part_file(store, shard, file, load)?;
                }
            }
        }
        Ok(snapshot)
    }

    /// Puts a snapshot that lists the current parts and covers all blocks before `through`.
    /// Everything it lists is on disk.
    pub(crate) fn put(
        &mut self,
        store: &dyn SegmentStore,
        shard: ShardId,
        through: BlockSequence,
    ) -> Result<(), Error> {
        let is_next = !self.exists || through > self.next;
        self.generation = if is_next { 0 } else { self.generation + 1 };
        self.next = through;
        // Set even if putting it fails: parts of it may exist, so its name must not be reused.
        self.exists = true;
        let bytes = Stored::encode(shard, through, &self.parts.listed());
        store.put(&self.name(), &bytes)
    }

    /// Returns once the snapshot survives a crash; earlier ones must stay until then.
    pub(crate) fn ensure_durable(&self, store: &dyn SegmentStore) -> Result<(), Error> {
        if self.exists {
            store.ensure_durable(&self.name())?;
        }
        Ok(())
    }

    /// Removes all other snapshots, and the part files that this one doesn't list. A newer
    /// snapshot, if there is one, is damaged: the journal still has everything that it covered.
    pub(crate) fn remove_others(&mut self, store: &dyn SegmentStore) -> Result<(), Error> {
        self.parts.forget_dead();
        let (own, listed) = (self.name(), self.parts.listed());
        let is_listed = |number| listed.iter().any(|file| file.number == number);
        let is_superfluous = |name: &String| match part_file_number(name) {
            Some(number) => !is_listed(number),
            None => number_of(name).is_some() && !(self.exists && *name == own),
        };
        let mut names = store.list(SNAPSHOTS)?;
        names.retain(is_superfluous);
        store.delete(&names)
    }

    /// The names of the part files that it lists.
    pub(crate) fn part_names(&self) -> impl Iterator<Item = String> {
        let files = self.parts.listed().into_iter();
        files.map(|file| part_file_name(file.number))
    }

    fn name(&self) -> String {
        list::name(self.next, self.generation)
    }

    fn open_part_file(
        &mut self,
        store: &dyn SegmentStore,
        shard: ShardId,
        file: &StoredPartFile,
        load: &mut Load<'_>,
    ) -> Result<(), Error> {
        self.parts.add_file(file);
        for record in PartRecords::open(store, shard, file.number, file.size_bytes)? {
            let record = record?;
            if !file.is_alive(record.place.ordinal) {
                continue;
            }
            if record.key.kind == SEGMENT_LISTS {
                self.add_segment_list(store, file.number, &record.bytes)?;
            } else {
                let loaded = load(record.key, &record.bytes);
                loaded.map_err(|source| Error::Replay {
                    path: store.locate(&part_file_name(file.number)),
                    position: record.place.position,
                    source,
                })?;
            }
            self.parts.found(record.key, record.place);
        }
        Ok(())
    }

    fn add_segment_list(
        &mut self,
        store: &dyn SegmentStore,
        file: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let segments: Vec<Segment> = postcard::from_bytes(bytes).map_err(|error| {
            let path = store.locate(&part_file_name(file));
            Error::damaged(&path, 0, format!("a list of segments: {error}"))
        })?;
        segments.into_iter().for_each(|it| self.add_segment(it));
        Ok(())
    }

    fn add_segment(&mut self, segment: Segment) {
        self.segments_size_bytes += segment.size_bytes;
        self.segments
            .entry(segment.partition)
            .or_default()
            .push(segment);
    }

    /// Replaces the segments of a partition.
    pub(crate) fn set_segments(&mut self, partition: PartitionId, segments: &[Segment]) {
        for segment in self.segments.remove(&partition).iter().flatten() {
            self.segments_size_bytes -= segment.size_bytes;
        }
        segments.iter().for_each(|it| self.add_segment(*it));
    }

    /// The part that lists the segments of `log`; `None` if it has none.
    pub(crate) fn segment_list(&self, log: LogId) -> Option<Vec<u8>> {
        let first = PartitionId::new(log, PartitionIndex(0));
        let last = PartitionId::new(log, PartitionIndex(u32::MAX));
        let of_log = self.segments.range(first..=last);
        let segments: Vec<&Segment> = of_log.flat_map(|(_, segments)| segments).collect();
        if segments.is_empty() {
            return None;
        }
        let list = postcard::to_stdvec(&segments);
        Some(list.expect("a segment holds nothing that postcard refuses"))
    }
}

/// Passes the state of a snapshot without parts to `replay`.
pub(crate) fn load_whole(
    directory: &ShardDirectory,
    snapshot: &Snapshot,
    replay: &mut dyn Replay,
) -> Result<(), Error> {
    let Some(whole) = &snapshot.whole else {
        return Ok(());
    };
    replay.load_whole(whole).map_err(|source| Error::Replay {
        path: directory.store.locate(&snapshot.name()),
        position: 0,
        source,
    })
}
