//! A checkpoint: copies the live data of closed journal files into segments, and writes a snapshot
//! that covers them.
//!
//! ```text
//!  1  batches above the floors   → segments   ─┐
//!  2  parts of the state that the files change │ on disk
//!     and lists of segments      → part files ─┘
//!  3  which parts there are      → new snapshot
//!  4  older snapshots, and part files without a part, are removed
//!  5  the files become spares, or are removed; so are segments that were left out or merged, once
//!     nobody reads them (`Retired::release`)
//! ```
//!
//! After a crash before the end of step 3 the previous snapshot and everything it names are in
//! force. A crash later leaves objects that nothing refers to; the first checkpoint of the next
//! process removes them. The shard keeps working meanwhile; it installs the result a few partitions
//! at a time.
//!
//! The cost depends on what the files hold and change, not on the total amount of data.

mod copy;
mod replaying;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use stele_base_types::{LogId, Offset, PartitionId};

use self::{copy::Copied, replaying::Replaying};
use crate::{
    BlockSequence, Error, ObjectWriter, Options, PartKey, Replay, ReplayError, ShardDirectory,
    journal::JournalFile,
    segment::{SEGMENTS, Segment},
    snapshot::{Newest, PartWriter, SEGMENT_LISTS, Snapshot},
};

/// For each partition, the offset below which records may be removed: nobody is entitled to them.
#[derive(Clone, Debug, Default)]
pub struct Floors {
    /// The first block that the floors don't depend on. All blocks before it must be on disk before
    /// the checkpoint begins: otherwise a crash would undo the acknowledgement, but not the
    /// removal.
    pub as_of: BlockSequence,
    /// The first block that may hold records of partitions created after the floors were taken: no
    /// file that reaches this block is checkpointed with these floors.
    pub complete_before: BlockSequence,
    /// The floor of every existing partition, in order. A partition that isn't listed was deleted.
    pub starts: Vec<(PartitionId, Offset)>,
}

impl Floors {
    /// The floor of `partition`, if it exists.
    fn of(&self, partition: PartitionId) -> Option<Offset> {
        let found = self.starts.binary_search_by_key(&partition, |(of, _)| *of);
        found.ok().map(|at| self.starts[at].1)
    }
}

/// What to checkpoint. Created by [`crate::ReadIndex::plan_checkpoint`].
#[derive(Debug)]
pub struct CheckpointPlan {
    pub(crate) files: Vec<Arc<JournalFile>>,
    /// The first block after the files; `None` if there are no files.
    pub(crate) through: Option<BlockSequence>,
    pub(crate) floors: Floors,
}

/// The result of a checkpoint, for [`crate::ReadIndex::install_checkpoint`].
#[derive(Debug)]
pub struct Checkpoint {
    /// The shard's directory.
    pub(crate) directory: ShardDirectory,
    /// The first block that isn't in segments.
    pub(crate) through: BlockSequence,
    /// All segments of each partition that had data in the files or whose segments changed.
    pub(crate) segments: Vec<(PartitionId, Vec<Segment>)>,
    /// Segments that were merged into others or lie below the floors: no longer in force.
    pub(crate) left: Vec<Segment>,
    /// The size of all segments in force.
    pub(crate) listed_size_bytes: u64,
}

/// Makes checkpoints. Owned by a thread that may block.
#[derive(Debug)]
pub struct Checkpointer {
    directory: ShardDirectory,
    options: Options,
    /// The first block that isn't on disk; the writer updates it.
    synced: Arc<AtomicU64>,
    /// The snapshot in force; `None` after a failed checkpoint, until it is read again.
    snapshot: Option<Snapshot>,
    /// A checkpoint that is on disk except for its snapshot, which didn't fit.
    unfinished: Option<(Snapshot, Checkpoint)>,
    /// Whether the last checkpoint of this process succeeded, and so left no objects that no
    /// snapshot names.
    is_clean: bool,
}

impl Checkpointer {
    pub(crate) fn new(
        directory: &ShardDirectory,
        options: &Options,
        synced: Arc<AtomicU64>,
        snapshot: Snapshot,
    ) -> Self {
        Self {
            directory: directory.clone(),
            options: *options,
            synced,
            snapshot: Some(snapshot),
            unfinished: None,
            is_clean: false,
        }
    }

    /// Carries out `plan`. `replay` is a separate state of the kind that recovery uses, in its
    /// initial state; it ends with the parts that the plan's files touch, as of their last block.
    ///
    /// On error everything is still in the journal. After [`Error::FloorsNotSynced`], and after a
    /// lack of space or descriptors ([`Error::is_for_want`]), the caller abandons the plan
    /// ([`crate::ReadIndex::abandon_checkpoint`]) and makes another later. If an earlier checkpoint
    /// lacked space only for its snapshot, that one is completed instead of the later plan. After
    /// any other error the process must stop and recover.
    pub fn checkpoint(
        &mut self,
        plan: &CheckpointPlan,
        replay: &mut dyn Replay,
    ) -> Result<Checkpoint, Error> {
        if let Some((snapshot, checkpoint)) = self.unfinished.take() {
            return self.finish(snapshot, checkpoint);
        }
        self.check_floors(&plan.floors)?;
        let mut snapshot = match self.snapshot.take() {
            Some(snapshot) => snapshot,
            None => self.read_snapshot()?,
        };
        let (checkpoint, is_changed) = self.checkpoint_into(&mut snapshot, plan, replay)?;
        if is_changed {
            return self.finish(snapshot, checkpoint);
        }
        if !self.is_clean {
            self.remove_superfluous_if_can(&mut snapshot, &[])?;
        }
        self.snapshot = Some(snapshot);
        Ok(checkpoint)
    }

    /// Puts the snapshot, and removes what it makes superfluous.
    ///
    /// If there is no room for the snapshot, it is unknown whether it exists. Once there is room it
    /// is put with the next generation, which takes precedence in either case.
    fn finish(
        &mut self,
        mut snapshot: Snapshot,
        checkpoint: Checkpoint,
    ) -> Result<Checkpoint, Error> {
        let (store, shard) = (self.directory.store.clone(), self.directory.shard);
        match snapshot.put(&*store, shard, checkpoint.through) {
            Err(error) if error.is_for_want() => {
                self.is_clean = false;
                self.unfinished = Some((snapshot, checkpoint));
                return Err(error);
            }
            put => put?,
        }
        self.remove_superfluous_if_can(&mut snapshot, &checkpoint.left)?;
        self.snapshot = Some(snapshot);
        Ok(checkpoint)
    }

    /// Removes what the snapshot in force makes superfluous. What can't be removed for lack of some
    /// resource is left to the next checkpoint.
    fn remove_superfluous_if_can(
        &mut self,
        snapshot: &mut Snapshot,
        left: &[Segment],
    ) -> Result<(), Error> {
        match self.remove_superfluous(snapshot, left) {
            Err(error) if error.is_for_want() => {
                tracing::warn!(%error, "cannot remove files that a checkpoint superseded");
                self.is_clean = false;
                Ok(())
            }
            removed => removed,
        }
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

    fn read_snapshot(&mut self) -> Result<Snapshot, Error> {
        self.is_clean = false;
        let (store, shard) = (&*self.directory.store, self.directory.shard);
        let newest = Newest::find(store, shard)?;
        match newest.damage {
            Some(damage) => Err(damage),
            None => Snapshot::open(store, shard, newest.stored.as_ref(), &mut |_, _| Ok(())),
        }
    }

    /// Brings `snapshot` to the end of the plan's files; returns whether that changes it.
    fn checkpoint_into(
        &mut self,
        snapshot: &mut Snapshot,
        plan: &CheckpointPlan,
        replay: &mut dyn Replay,
    ) -> Result<(Checkpoint, bool), Error> {
        let directory = self.directory.clone();
        let (store, options) = (&*directory.store, &self.options);
        let through = plan.through.unwrap_or(snapshot.next);
        let mut replaying = Replaying::begin(&directory, options, snapshot, replay)?;
        let mut files = plan.files.iter();
        files.try_for_each(|file| replaying.file(file))?;
        let (mut index, changed) = replaying.end();

        let mut output = store.writer()?;
        let floors = &plan.floors;
        let copied = copy::copy(
            &directory,
            options,
            snapshot,
            &mut index,
            floors,
            &mut *output,
        )?;
        let mut checkpoint = Checkpoint {
            directory: directory.clone(),
            through,
            segments: copied.all(),
            left: copied.left.clone(),
            listed_size_bytes: snapshot.segments_size_bytes,
        };
        if plan.files.is_empty() && copied.changed.is_empty() {
            return Ok((checkpoint, false));
        }
        self.save_changed(snapshot, replay, &changed, &copied, &mut *output)?;
        output.finish()?;
        checkpoint.listed_size_bytes = snapshot.segments_size_bytes;
        Ok((checkpoint, true))
    }

    /// Writes the parts of the state that changed, and the lists of segments.
    fn save_changed(
        &self,
        snapshot: &mut Snapshot,
        replay: &dyn Replay,
        changed: &[PartKey],
        copied: &Copied,
        output: &mut dyn ObjectWriter,
    ) -> Result<(), Error> {
        let mut logs = copied.take_over(snapshot);
        if snapshot.whole.take().is_some() {
            // Format 1 lists the segments in the snapshot itself.
            logs.extend(snapshot.segments.keys().map(|partition| partition.log));
        }
        let lists: Vec<_> = logs
            .into_iter()
            .map(|log| (log, snapshot.segment_list(log)))
            .collect();
        let (store, shard) = (&*self.directory.store, self.directory.shard);
        let mut parts = PartWriter::new(store, shard, &mut snapshot.parts);
        for key in changed {
            let part = replay.save(*key).map_err(|source| self.unsaved(source))?;
            put_or_remove(&mut parts, output, *key, part)?;
        }
        for (LogId(id), list) in lists {
            let kind = SEGMENT_LISTS;
            put_or_remove(&mut parts, output, PartKey { kind, id }, list)?;
        }
        parts.clean(output)
    }

    fn unsaved(&self, source: ReplayError) -> Error {
        Error::Replay {
            path: self.directory.path.clone(),
            position: 0,
            source,
        }
    }

    /// Removes what the snapshot in force makes superfluous, except for what readers may still
    /// read.
    fn remove_superfluous(
        &mut self,
        snapshot: &mut Snapshot,
        left: &[Segment],
    ) -> Result<(), Error> {
        snapshot.remove_others(&*self.directory.store)?;
        if !self.is_clean {
            self.remove_unlisted(snapshot, left)?;
        }
        self.is_clean = true;
        Ok(())
    }

    /// Removes the segments that `snapshot`, which is in force, doesn't list: leftovers of an
    /// earlier process or of a failed checkpoint. Those in `left` are removed once nobody reads
    /// them. Lists all names, so it is for the first checkpoint only.
    fn remove_unlisted(&self, snapshot: &Snapshot, left: &[Segment]) -> Result<(), Error> {
        let store = &*self.directory.store;
        store.discard_unfinished()?;
        let listed = snapshot.segments.values().flatten().chain(left);
        let mut kept: HashSet<String> = listed
            .flat_map(|segment| [segment.log_name(), segment.index_name()])
            .collect();
        kept.extend(self.directory.leftovers.names());
        let mut names = store.list(SEGMENTS)?;
        names.retain(|name| !kept.contains(name));
        store.delete(&names)
    }
}

fn put_or_remove(
    parts: &mut PartWriter<'_>,
    output: &mut dyn ObjectWriter,
    key: PartKey,
    part: Option<Vec<u8>>,
) -> Result<(), Error> {
    match part {
        Some(part) => parts.put(output, key, &part),
        None => {
            parts.remove(key);
            Ok(())
        }
    }
}
