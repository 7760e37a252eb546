//! Where the data of each partition is: in memory, in the journal, in segments.
//!
//! ```text
//!  oldest ─────────────────────────────────────────────────────▶ newest
//!  segments            │ journal files          │ cached blocks
//!  (checkpointed)      │ (closed, or written to)│ (some not written yet)
//! ```
//!
//! Owned by the shard, which must not wait for the disk: a read returns slices of cached blocks
//! directly, and for everything else a plan, which the caller resolves on a thread that may block.
//!
//! Invariants: readable data is dense from the first batch that is kept to the last one installed.
//! A block leaves the cache only after it was written. Messages cost no memory here beyond the
//! cache: batches of a partition that are close together in one block share a run.

mod begun;
mod block_cache;
mod checkpointing;
mod journal_files;
mod partition;
mod plan;
mod read;
mod time_lookup;

use std::sync::Arc;

use hashbrown::HashMap;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};

pub(crate) use self::plan::{Collected, Wanted};
use self::{
    begun::BegunBatches, block_cache::BlockCache, journal_files::JournalFiles,
    partition::PartitionReads,
};
pub use self::{
    plan::{ReadPlan, Slice, StoredBatch},
    time_lookup::{FoundByTime, TimeLookup},
};
use crate::{
    Block, BlockSequence, Options, ShardDirectory, Written,
    block::Appended,
    journal::JournalFile,
    retention::Chunk,
    segment::{Segment, SegmentFiles},
    space::Space,
};

/// How much a shard's storage holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Journal files, up to the end of the written data.
    pub journal_size_bytes: u64,
    /// Segments on disk, without their indexes, including unused ones until they are removed.
    pub segments_size_bytes: u64,
    /// Blocks in memory.
    pub cache_size_bytes: usize,
    /// Partitions with data that weren't removed.
    pub partition_count: usize,
}

/// The readable range of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionExtent {
    /// The first offset that readers can get.
    pub start: Offset,
    /// The offset after the last one installed.
    pub next: Offset,
    /// The size of the batches kept, in segments and in the journal.
    pub size_bytes: u64,
}

/// Finds data for readers. Owned by the shard.
#[derive(Debug)]
pub struct ReadIndex {
    options: Options,
    partitions: HashMap<PartitionId, PartitionReads>,
    /// Of all partitions.
    segments_size_bytes: u64,
    /// The part of the journal that can be read, over all partitions.
    runs_size_bytes: u64,
    cache: BlockCache,
    journal: JournalFiles,
    segment_files: Arc<SegmentFiles>,
    begun: Arc<BegunBatches>,
    /// The size of the installed blocks that aren't written yet.
    unwritten_bytes: u64,
    /// The number of files of the plan whose result isn't installed yet, if there is one.
    planned_files: Option<usize>,
    /// The last plan was abandoned.
    has_abandoned: bool,
    /// A checkpoint has succeeded since the start.
    has_checkpointed: bool,
    /// The segments that the snapshot in force lists, including those below the starts of their
    /// partitions.
    listed_size_bytes: u64,
    directory: ShardDirectory,
    space: Space,
}

impl ReadIndex {
    /// An empty index, for recovery to fill. `next` is the first block that will be installed.
    pub(crate) fn new(directory: &ShardDirectory, options: &Options, next: BlockSequence) -> Self {
        Self {
            options: *options,
            partitions: HashMap::new(),
            segments_size_bytes: 0,
            runs_size_bytes: 0,
            cache: BlockCache::new(options.cache_size_bytes_max, next),
            journal: JournalFiles::default(),
            segment_files: Arc::new(SegmentFiles::new(&directory.store)),
            begun: Arc::default(),
            unwritten_bytes: 0,
            planned_files: None,
            has_abandoned: false,
            has_checkpointed: false,
            listed_size_bytes: 0,
            directory: directory.clone(),
            space: Space::PLENTY,
        }
    }

    /// Makes a finished block readable, before it is written.
    pub fn install(&mut self, block: &Block) {
        for appended in block.appended.iter() {
            self.note_append(block.sequence, appended);
        }
        self.unwritten_bytes += block.size_bytes() as u64;
        self.cache.push(block);
    }

    /// Notes where a block was written: from now on it can be read from there.
    pub fn written(&mut self, written: &Written, now: Timestamp) {
        self.journal.note_block(written, now);
        self.unwritten_bytes = self.unwritten_bytes.saturating_sub(written.size_bytes());
        self.cache.written(written.sequence);
    }

    /// Notes that no reader is entitled to records before `start`. Frees their memory; the next
    /// checkpoint removes them from disk.
    pub fn advance_start(&mut self, partition: PartitionId, start: Offset) {
        self.change(partition, |reads| reads.advance_start(start));
    }

    /// Changes the entry of a partition.
    fn change(&mut self, partition: PartitionId, change: impl FnOnce(&mut PartitionReads)) {
        let reads = self.partitions.entry(partition).or_default();
        self.segments_size_bytes -= reads.segments_size_bytes();
        self.runs_size_bytes -= reads.runs_size_bytes();
        change(reads);
        self.segments_size_bytes += reads.segments_size_bytes();
        self.runs_size_bytes += reads.runs_size_bytes();
    }

    /// Removes the partitions of a deleted log, of which there were `partitions`. The next
    /// checkpoint removes them from disk.
    pub fn remove_log(&mut self, log: LogId, partitions: u32) {
        for index in 0..partitions {
            let partition = PartitionId::new(log, PartitionIndex(index));
            if let Some(reads) = self.partitions.remove(&partition) {
                self.segments_size_bytes -= reads.segments_size_bytes();
                self.runs_size_bytes -= reads.runs_size_bytes();
            }
        }
    }

    /// Removes the partitions of all logs for which `keep` is false.
    pub fn retain_logs(&mut self, mut keep: impl FnMut(LogId) -> bool) {
        let (segments, runs) = (&mut self.segments_size_bytes, &mut self.runs_size_bytes);
        self.partitions.retain(|partition, reads| {
            let is_kept = keep(partition.log);
            if !is_kept {
                *segments -= reads.segments_size_bytes();
                *runs -= reads.runs_size_bytes();
            }
            is_kept
        });
    }

    /// The readable range of `partition`; `None` if nothing was ever appended.
    pub fn extent(&self, partition: PartitionId) -> Option<PartitionExtent> {
        self.partitions.get(&partition).map(PartitionReads::extent)
    }

    /// The largest timestamp of `partition`, by whole segments and runs: it may be of a record
    /// before the partition's start.
    pub fn max_timestamp(&self, partition: PartitionId) -> Timestamp {
        self.partitions
            .get(&partition)
            .map_or(Timestamp(i64::MIN), PartitionReads::max_timestamp)
    }

    /// How much storage is used.
    pub fn usage(&self) -> Usage {
        Usage {
            journal_size_bytes: self.journal.size_bytes(),
            segments_size_bytes: self.listed_size_bytes + self.directory.leftovers.size_bytes(),
            cache_size_bytes: self.cache.size_bytes(),
            partition_count: self.partitions.len(),
        }
    }

    /// The data of `partition`, oldest first, in the units that retention drops.
    pub(crate) fn chunks(&self, partition: PartitionId) -> impl Iterator<Item = Chunk> {
        let reads = self.partitions.get(&partition).into_iter();
        reads.flat_map(PartitionReads::chunks)
    }

    /// Ends recovery: `next` is the first block that will be installed.
    pub(crate) fn start_at(&mut self, next: BlockSequence) {
        self.cache = BlockCache::new(self.options.cache_size_bytes_max, next);
    }

    /// Notes the available space, for the next checkpoints.
    pub fn note_space(&mut self, space: Space) {
        self.space = space;
    }

    /// All known partitions, in order.
    pub(crate) fn partitions(&self) -> Vec<PartitionId> {
        let mut partitions: Vec<_> = self.partitions.keys().copied().collect();
        partitions.sort_unstable();
        partitions
    }

    /// The first offset of `partition` in the journal.
    pub(crate) fn journal_start(&self, partition: PartitionId) -> Option<Offset> {
        let run = self.partitions.get(&partition)?.run(0)?;
        Some(run.base_offset)
    }

    /// How much of `partition` is in the journal.
    pub(crate) fn journal_size_bytes(&self, partition: PartitionId) -> u64 {
        let reads = self.partitions.get(&partition);
        reads.map_or(0, PartitionReads::runs_size_bytes)
    }

    /// Notes one append of an installed or recovered block.
    pub(crate) fn note_append(&mut self, sequence: BlockSequence, appended: &Appended) {
        self.runs_size_bytes += u64::from(appended.batch_size_bytes);
        self.partitions
            .entry(appended.target.partition)
            .or_default()
            .note_append(sequence, appended);
    }

    /// Takes over a journal file that recovery found.
    pub(crate) fn add_journal_file(&mut self, file: &Arc<JournalFile>, now: Timestamp) {
        self.journal.add(file, now);
    }

    /// Notes the place of a recovered block, in the file that was added last.
    pub(crate) fn add_journal_block(&mut self, position: u64, size_bytes: u64) {
        self.journal.add_block(position, size_bytes);
    }

    /// Takes over the segments that a snapshot lists.
    pub(crate) fn add_segments(&mut self, partition: PartitionId, segments: Vec<Segment>) {
        let size_bytes: u64 = segments.iter().map(|segment| segment.size_bytes).sum();
        self.listed_size_bytes += size_bytes;
        self.change(partition, |reads| reads.set_segments(segments));
    }

    /// The size of all readable segments, from the running total.
    #[cfg(test)]
    pub(crate) fn read_segments_size_bytes(&self) -> u64 {
        self.segments_size_bytes
    }

    /// The size of all segments, counted.
    #[cfg(test)]
    pub(crate) fn counted_segments_size_bytes(&self) -> u64 {
        let segments = self.partitions.values().flat_map(PartitionReads::segments);
        segments.map(|segment| segment.size_bytes).sum()
    }

    /// The readable part of the journal: the running total, and counted.
    #[cfg(test)]
    pub(crate) fn read_runs_size_bytes(&self) -> [u64; 2] {
        let counted = self
            .partitions
            .values()
            .map(PartitionReads::runs_size_bytes);
        [self.runs_size_bytes, counted.sum()]
    }
}
