//! Recovery: from what a stopped or crashed process left, the state as of the last whole block.
//!
//! ```text
//!  1  newest intact snapshot        → state, segments
//!  2  journal from there on         → replayed in order; each block whole, the tail maybe torn,
//!                                     but not before what a graceful stop left
//!  3  FORMAT says the version       ─┐
//!  4  the torn tail is cut           │
//!  5  what nothing proves to be on   │ only when 1 and 2 found
//!     disk is written again, and all │ no damage, in any shard
//!     that was read is synced        │
//!  6  superfluous files are removed  │
//!  7  spares are taken up           ─┘
//! ```
//!
//! A crash during recovery changes nothing of that: it only ever removes what nothing refers to,
//! and bytes that were never acknowledged. Segments aren't read; how far they reach is in the
//! snapshot.

use std::sync::Arc;

use stele_base_env::Rng;
use stele_base_types::{PartitionId, Timestamp};
use stele_wire_batch::BatchHeader;

use crate::{
    BlockBuilder, BlockSequence, Checkpointer, Error, Journal, JournalFile, Options, ReadIndex,
    Replay, ReplayError, ShardDirectory, Target,
    journal::{BlockSink, LocalJournal, ScannedBlock},
    replay_files::{Sink, replay_block},
    segment::Segment,
    snapshot::{Newest, Snapshot, load_whole},
};

/// The parts of a shard's storage, ready for use.
#[derive(Debug)]
pub struct Recovered {
    /// For the shard.
    pub builder: BlockBuilder,
    /// For the shard. The caller tells it each partition's start
    /// ([`ReadIndex::advance_start`]), which only the replayed state knows.
    pub index: ReadIndex,
    /// For the writer thread: the journal, which has begun.
    pub writer: Box<dyn Journal>,
    /// For the checkpointer.
    pub checkpointer: Checkpointer,
    /// What was found.
    pub report: RecoveryReport,
}

/// What recovery found, for a line in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The first block that wasn't in the snapshot, where there was one.
    pub snapshot: Option<BlockSequence>,
    /// Blocks replayed from the journal.
    pub block_count: u64,
    /// What was read of the journal.
    pub journal_size_bytes: u64,
    /// Bytes of the last blocks that nothing proved to be on disk, and that were written again.
    pub unproven_size_bytes: u64,
    /// Bytes cut off after the last whole block: writes that a crash cut short, and that were
    /// acknowledged to nobody.
    pub torn_size_bytes: u64,
}

/// The storage of a shard that was read and found intact. Nothing of it is changed before
/// [`Intact::begin`]: who has several shards reads all of them first, so that a start that one of
/// them refuses leaves the others as they were.
#[derive(Debug)]
pub struct Intact {
    directory: ShardDirectory,
    options: Options,
    snapshot: Snapshot,
    journal: Box<dyn Journal>,
    index: ReadIndex,
    report: RecoveryReport,
    next: BlockSequence,
}

impl Intact {
    /// Brings `replay`, which is in its initial state, to where it was after the last whole block.
    /// Of a directory that isn't there yet it stays in that.
    ///
    /// Fails with [`Error::Damaged`] where a crash doesn't explain what is found.
    pub fn read(
        directory: &ShardDirectory,
        options: &Options,
        replay: &mut dyn Replay,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let store = &*directory.store;
        let newest = Newest::find(store, directory.shard)?;
        let load = &mut |key, part: &[u8]| replay.load(key, part);
        let snapshot = Snapshot::open(store, directory.shard, newest.stored.as_ref(), load)?;
        load_whole(directory, &snapshot, replay)?;

        let mut journal: Box<dyn Journal> = Box::new(LocalJournal::new(directory, options));
        let mut index = index_of(directory, options, &snapshot);
        let mut sink = Replaying {
            index: &mut index,
            state: All(replay),
            targets: Vec::new(),
            now,
        };
        let from = snapshot.exists.then_some(snapshot.next);
        let replayed = journal
            .replay(from, &mut sink)
            .map_err(|error| cause_of(error, newest.damage))?;
        let report = RecoveryReport {
            snapshot: from,
            block_count: replayed.next.0 - snapshot.next.0,
            journal_size_bytes: replayed.size_bytes,
            unproven_size_bytes: replayed.unproven_size_bytes,
            torn_size_bytes: replayed.torn_size_bytes,
        };
        Ok(Self {
            directory: directory.clone(),
            options: *options,
            snapshot,
            journal,
            index,
            report,
            next: replayed.next,
        })
    }

    /// Puts in order what a crash left, and makes what was read survive the next one. Makes what
    /// is missing in a new directory, with a secret from `rng`, which is for secrets.
    pub fn begin(self, rng: &mut dyn Rng) -> Result<Recovered, Error> {
        let Self {
            directory,
            options,
            mut snapshot,
            mut journal,
            mut index,
            report,
            next,
        } = self;
        let store = &*directory.store;
        directory.make()?;
        directory.format.upgrade(&*directory.disk)?;
        snapshot.ensure_durable(store)?;
        let builder = journal.begin(rng)?;
        snapshot.remove_others(store)?;
        index.start_at(next);
        let synced = journal.synced_watch();
        Ok(Recovered {
            builder,
            index,
            checkpointer: Checkpointer::new(&directory, &options, synced, snapshot),
            writer: journal,
            report,
        })
    }
}

/// Recovers the only shard there is, as [`Intact`] says.
pub fn recover(
    directory: &ShardDirectory,
    options: &Options,
    replay: &mut dyn Replay,
    rng: &mut dyn Rng,
    now: Timestamp,
) -> Result<Recovered, Error> {
    Intact::read(directory, options, replay, now)?.begin(rng)
}

/// Why the journal can't be replayed. Where it doesn't even begin, and a newer snapshot is damaged,
/// that is the reason, since what it covered was removed.
fn cause_of(error: Error, damaged_snapshot: Option<Error>) -> Error {
    match (&error, damaged_snapshot) {
        (Error::Damaged { position: 0, .. }, Some(damage)) => damage,
        _ => error,
    }
}

/// An index of the segments that `snapshot` lists.
fn index_of(directory: &ShardDirectory, options: &Options, snapshot: &Snapshot) -> ReadIndex {
    let mut index = ReadIndex::new(directory, options, snapshot.next);
    for (partition, segments) in &snapshot.segments {
        index.add_segments(*partition, segments.clone());
    }
    index
}

/// What the journal's blocks go to.
struct Replaying<'a> {
    index: &'a mut ReadIndex,
    state: All<'a>,
    targets: Vec<Target>,
    now: Timestamp,
}

impl BlockSink for Replaying<'_> {
    fn file(&mut self, file: &Arc<JournalFile>) {
        self.index.add_journal_file(file, self.now);
    }

    fn block(&mut self, file: &JournalFile, block: &ScannedBlock) -> Result<(), Error> {
        let Self {
            index,
            state,
            targets,
            ..
        } = self;
        replay_block(&file.path, block, index, state, targets)
    }
}

/// All of the state is there, and so is the index.
struct All<'a>(&'a mut dyn Replay);

impl Sink for All<'_> {
    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError> {
        self.0.control(record)
    }

    fn append(&mut self, targets: &[Target], header: &BatchHeader<'_>) -> Result<(), ReplayError> {
        self.0.append(targets, header)
    }

    fn segments_of(&self, _: PartitionId) -> Option<&Vec<Segment>> {
        None
    }
}
