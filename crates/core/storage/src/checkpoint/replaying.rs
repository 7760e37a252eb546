//! Replays the journal files being checkpointed, and loads the parts of the state that they touch.

use std::sync::Arc;

use hashbrown::HashSet;
use stele_base_types::{PartitionId, Timestamp};
use stele_wire_batch::BatchHeader;

use crate::{
    BlockSequence, Error, Options, PartKey, Parts, ReadIndex, Replay, ReplayError, ShardDirectory,
    Target,
    journal::{JournalFile, Scanner},
    replay_files::{Sink, replay_file},
    segment::Segment,
    snapshot::{Snapshot, load_whole},
};

/// Brings an index, and an initially empty state, to the end of some files.
pub(super) struct Replaying<'a> {
    directory: &'a ShardDirectory,
    next: BlockSequence,
    index: ReadIndex,
    parts: LoadedParts<'a>,
}

/// The state, with the snapshot's parts that were needed so far.
struct LoadedParts<'a> {
    directory: &'a ShardDirectory,
    snapshot: &'a Snapshot,
    replay: &'a mut dyn Replay,
    loaded: HashSet<PartKey>,
    loaded_kinds: HashSet<u8>,
}

impl<'a> Replaying<'a> {
    /// Begins after `snapshot`; loads its state if that isn't in parts yet.
    pub(super) fn begin(
        directory: &'a ShardDirectory,
        options: &Options,
        snapshot: &'a Snapshot,
        replay: &'a mut dyn Replay,
    ) -> Result<Self, Error> {
        load_whole(directory, snapshot, replay)?;
        Ok(Self {
            directory,
            next: snapshot.next,
            index: ReadIndex::new(directory, options, snapshot.next),
            parts: LoadedParts {
                directory,
                snapshot,
                replay,
                loaded: HashSet::new(),
                loaded_kinds: HashSet::new(),
            },
        })
    }

    /// Replays the next file.
    pub(super) fn file(&mut self, file: &Arc<JournalFile>) -> Result<(), Error> {
        let next = self.next;
        let scanner = Scanner::open(file, self.directory.shard)?;
        let Some(mut scanner) = scanner.filter(|_| file.first == next) else {
            let what = format!("not the journal file from block {next} on");
            return Err(Error::damaged(&file.path, 0, what));
        };
        self.index.add_journal_file(file, Timestamp::default());
        replay_file(&file.path, &mut scanner, &mut self.index, &mut self.parts)?;
        self.next = scanner.next_sequence();
        if scanner.position() < scanner.size_bytes() {
            let what = format!("block {} is incomplete, in a closed file", self.next);
            return Err(Error::damaged(&file.path, scanner.position(), what));
        }
        Ok(())
    }

    /// Returns the index, and the parts that changed.
    pub(super) fn end(self) -> (ReadIndex, Vec<PartKey>) {
        let mut changed = self.parts.replay.take_changed();
        changed.sort_unstable();
        changed.dedup();
        let own = changed.iter().find(|key| key.kind > PartKey::KIND_MAX);
        assert_eq!(own, None, "these kinds are storage's own");
        (self.index, changed)
    }
}

impl LoadedParts<'_> {
    fn load(&mut self, parts: &Parts) -> Result<(), ReplayError> {
        for kind in &parts.kinds {
            if self.loaded_kinds.insert(*kind) {
                let keys = self.snapshot.parts.of_kind(*kind);
                keys.into_iter().try_for_each(|key| self.load_part(key))?;
            }
        }
        parts.keys.iter().try_for_each(|key| self.load_part(*key))
    }

    fn load_part(&mut self, key: PartKey) -> Result<(), ReplayError> {
        if !self.loaded.insert(key) {
            return Ok(());
        }
        let store = &*self.directory.store;
        match self.snapshot.parts.read(store, key)? {
            Some(part) => self.replay.load(key, &part),
            None => Ok(()),
        }
    }
}

impl Sink for LoadedParts<'_> {
    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError> {
        let parts = self.replay.parts_of(record)?;
        self.load(&parts)?;
        self.replay.control(record)
    }

    fn append(&mut self, targets: &[Target], header: &BatchHeader<'_>) -> Result<(), ReplayError> {
        let parts = self.replay.parts_of_append(targets)?;
        self.load(&parts)?;
        self.replay.append(targets, header)
    }

    fn segments_of(&self, partition: PartitionId) -> Option<&Vec<Segment>> {
        self.snapshot.segments.get(&partition)
    }
}
