//! Settling: copies what still lives in closed journal files into segments, and writes a snapshot
//! that covers them.
//!
//! ```text
//!  1  batches above the floors   → segments, synced
//!  2  last snapshot + files      → new snapshot, synced, renamed into place
//!  3  older snapshots, and segments below the floors, are removed
//!  4  the files become spares, or are removed (`Retired::release`)
//! ```
//!
//! A crash before the end of 2 leaves the last snapshot in force: the next settling writes the
//! same segments over what this one left, and removes what it has no more use for. A crash later
//! leaves files that nothing refers to, which recovery removes. The shard goes on meanwhile; it
//! installs the result some partitions at a time.

mod copy;
mod output_sync;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use stele_base_types::{Offset, PartitionId, Timestamp};

use crate::{
    BlockSequence, Error, Options, ReadIndex, Replay, ShardDirectory,
    journal::{JournalFile, Scanner},
    recover,
    replay_files::replay_file,
    segment::Segment,
    snapshot::{Newest, Snapshot},
    superfluous,
};

/// Below which offset nobody is entitled to a record, per partition.
#[derive(Clone, Debug, Default)]
pub struct Floors {
    /// The first block whose records the floors don't stand on. They must be on disk before
    /// settling begins, or a crash would take back the acknowledgement, but not the removal.
    pub as_of: BlockSequence,
    /// The first block that may hold records of partitions that were made after the floors were
    /// taken: no file that reaches up to it is settled with them.
    pub complete_before: BlockSequence,
    /// The floor of every partition that exists, in order. What isn't listed was deleted.
    pub starts: Vec<(PartitionId, Offset)>,
}

impl Floors {
    /// The floor of `partition`, if it exists.
    fn of(&self, partition: PartitionId) -> Option<Offset> {
        let found = self.starts.binary_search_by_key(&partition, |(of, _)| *of);
        found.ok().map(|at| self.starts[at].1)
    }
}

/// What to settle. Made by [`crate::ReadIndex::plan_settling`].
#[derive(Debug)]
pub struct SettlePlan {
    pub(crate) files: Vec<Arc<JournalFile>>,
    /// The first block after the files; `None` where there are no files.
    pub(crate) through: Option<BlockSequence>,
    pub(crate) floors: Floors,
}

/// What was settled, for [`crate::ReadIndex::install_settled`] to take out of it.
#[derive(Debug)]
pub struct Settled {
    /// Where it lies.
    pub(crate) directory: ShardDirectory,
    /// The first block that isn't in segments.
    pub(crate) through: BlockSequence,
    /// All segments of each partition that has any, or had.
    pub(crate) segments: Vec<(PartitionId, Vec<Segment>)>,
}

/// Settles. Owned by a thread that may wait.
#[derive(Debug)]
pub struct Settler {
    directory: ShardDirectory,
    options: Options,
    /// The first block that isn't on disk, as the writer moves it.
    synced: Arc<AtomicU64>,
    /// The last settling was carried through: it has left no files that no snapshot names.
    is_clean: AtomicBool,
}

impl Settler {
    pub(crate) fn new(
        directory: &ShardDirectory,
        options: &Options,
        synced: Arc<AtomicU64>,
    ) -> Self {
        Self {
            directory: directory.clone(),
            options: *options,
            synced,
            is_clean: AtomicBool::new(false),
        }
    }

    /// Carries out `plan`. `replay` is a state of its own, in its initial state, of the kind that
    /// recovery uses; it ends as of the last settled block.
    ///
    /// An error leaves everything in the journal, as it was. After [`Error::FloorsNotSynced`], and
    /// where there was no room ([`Error::is_storage_full`]), the caller gives the plan up
    /// ([`ReadIndex::abandon_settling`]) and makes another later. After any other error the
    /// process is to stop and recover.
    pub fn settle(&self, plan: &SettlePlan, replay: &mut dyn Replay) -> Result<Settled, Error> {
        self.check_floors(&plan.floors)?;
        let newest = Newest::find(&self.directory)?;
        if let Some(damage) = newest.damage {
            return Err(damage);
        }
        let last = newest.snapshot;
        let through = plan.through.unwrap_or(last.next);
        let mut index = recover::index_of(&self.directory, &self.options, &last);
        let state = if plan.files.is_empty() {
            last.state.clone()
        } else {
            Some(self.replay_files(plan, &last, &mut index, replay)?)
        };
        let is_clean = self.is_clean.swap(false, Ordering::Relaxed);
        let copied = copy::copy(&self.directory, &self.options, &last, &index, &plan.floors)?;
        if state.is_some() {
            let snapshot = Snapshot {
                next: through,
                manifest: copied.manifest,
                state,
            };
            snapshot.write(&self.directory)?;
            superfluous::remove_after_snapshot(&self.directory, &snapshot, last.next)?;
            if !is_clean {
                superfluous::remove_unlisted(&self.directory, &snapshot.manifest)?;
            }
            self.is_clean.store(true, Ordering::Relaxed);
        }
        Ok(Settled {
            directory: self.directory.clone(),
            through,
            segments: copied.segments,
        })
    }

    fn check_floors(&self, floors: &Floors) -> Result<(), Error> {
        let synced = self.synced.load(Ordering::Acquire);
        if floors.as_of.0 > synced {
            return Err(Error::FloorsNotSynced {
                as_of: floors.as_of.0,
                synced,
            });
        }
        Ok(())
    }

    /// Brings the state and the index from the last snapshot to the end of the plan's files.
    fn replay_files(
        &self,
        plan: &SettlePlan,
        last: &Snapshot,
        index: &mut ReadIndex,
        replay: &mut dyn Replay,
    ) -> Result<Bytes, Error> {
        recover::load_state(&self.directory, last, replay)?;
        let mut next = last.next;
        for file in &plan.files {
            let scanner = Scanner::open(file, self.directory.shard)?;
            let Some(mut scanner) = scanner.filter(|_| file.first == next) else {
                let what = format!("not the journal file from block {next} on");
                return Err(Error::damaged(&file.path, 0, what));
            };
            index.add_journal_file(file, Timestamp::default());
            replay_file(&file.path, &mut scanner, index, replay)?;
            next = scanner.next_sequence();
            if scanner.position() < scanner.size_bytes() {
                let what = format!("block {next} isn't whole, in a closed file");
                return Err(Error::damaged(&file.path, scanner.position(), what));
            }
        }
        let saved = replay.save().map_err(|source| Error::Replay {
            path: self.directory.snapshots(),
            position: 0,
            source,
        })?;
        Ok(saved.into())
    }
}
