//! Recovery: restores the state as of the last whole block from what a stopped or crashed process
//! left.
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
//! A crash during recovery does no harm: recovery only removes what nothing refers to, and bytes
//! that were never acknowledged. Segments aren't read; the snapshot says how far they reach.

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
    /// For the shard. The caller sets each partition's start ([`ReadIndex::advance_start`]), which
    /// only the replayed state knows.
    pub index: ReadIndex,
    /// For the writer thread: the journal, already begun.
    pub writer: Box<dyn Journal>,
    /// For the checkpointer.
    pub checkpointer: Checkpointer,
    /// What recovery found.
    pub report: RecoveryReport,
}

/// What recovery found, for a log message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The first block that the snapshot doesn't cover, if there was a snapshot.
    pub snapshot: Option<BlockSequence>,
    /// Blocks replayed from the journal.
    pub block_count: u64,
    /// Size of the journal that was read.
    pub journal_size_bytes: u64,
    /// Size of the last blocks, which nothing proved to be on disk and which were written again.
    pub unproven_size_bytes: u64,
    /// Bytes cut off after the last whole block: interrupted writes that were never acknowledged.
    pub torn_size_bytes: u64,
}

/// The storage of a shard, read and found intact. Nothing is changed before [`Intact::begin`]: a
/// caller with several shards reads all of them first, so that one refused shard leaves the others
/// unchanged.
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
    /// Brings `replay`, which is in its initial state, to the state after the last whole block. If
    /// the directory doesn't exist yet, `replay` stays as it is.
    ///
    /// Fails with [`Error::Damaged`] if a crash can't explain what is found.
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

    /// Cleans up after a crash, and makes what was read durable. Creates what is missing in a new
    /// directory, with a secret from `rng`, which must be suitable for secrets.
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

/// Recovers a single shard; see [`Intact`].
pub fn recover(
    directory: &ShardDirectory,
    options: &Options,
    replay: &mut dyn Replay,
    rng: &mut dyn Rng,
    now: Timestamp,
) -> Result<Recovered, Error> {
    Intact::read(directory, options, replay, now)?.begin(rng)
}

/// Why the journal can't be replayed. If even its first block is missing and a newer snapshot is
/// damaged, the damage is the cause, since the journal that it covered was removed.
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

/// Receives the blocks of the journal.
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

/// The complete state, with the complete index.
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
