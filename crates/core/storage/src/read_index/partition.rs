//! The read index's entry for one partition.

use std::collections::VecDeque;

use stele_base_types::{Offset, Timestamp};

use super::PartitionExtent;
use crate::{
    BlockSequence,
    block::{Appended, Place},
    limits::INDEX_INTERVAL_BYTES,
    retention::Chunk,
    segment::Segment,
};

/// Batches of one partition that lie close together in one block, possibly with others in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Offset of the first batch. The last one's end is the next run's base.
    pub(crate) base_offset: Offset,
    pub(crate) sequence: BlockSequence,
    /// Their place in the block, from the first one's entry to the last one's end.
    pub(crate) place: Place,
    /// The size of the partition's batches alone.
    pub(crate) size_bytes: u32,
    pub(crate) max_timestamp: Timestamp,
}

/// The places of the data of one partition.
#[derive(Debug, Default)]
pub(crate) struct PartitionReads {
    start: Offset,
    next: Offset,
    /// Checkpointed data, oldest first, before all runs.
    segments: Vec<Segment>,
    segments_size_bytes: u64,
    /// Data in the journal, oldest first.
    runs: VecDeque<Run>,
    runs_size_bytes: u64,
}

impl PartitionReads {
    pub(crate) fn note_append(&mut self, sequence: BlockSequence, appended: &Appended) {
        let target = appended.target;
        if self.runs.is_empty() && self.segments.is_empty() {
            self.start = self.start.max(target.base_offset);
        } else {
            assert_eq!(target.base_offset, self.next, "offsets are dense");
        }
        self.next = appended.next_offset;
        self.runs_size_bytes += u64::from(appended.batch_size_bytes);
        if let Some(run) = self.runs.back_mut()
            && run.sequence == sequence
            && can_share(&run.place, &appended.place)
        {
            run.place.end = appended.place.end;
            run.size_bytes += appended.batch_size_bytes;
            run.max_timestamp = run.max_timestamp.max(appended.max_timestamp);
            return;
        }
        self.runs.push_back(Run {
            base_offset: target.base_offset,
            sequence,
            place: appended.place,
            size_bytes: appended.batch_size_bytes,
            max_timestamp: appended.max_timestamp,
        });
    }

    pub(crate) fn advance_start(&mut self, start: Offset) {
        if start <= self.start {
            return;
        }
        self.start = start;
        self.next = self.next.max(start);
        self.drop_segments_below(start);
        while let Some(run) = self.runs.front()
            && self.run_end(0) <= start
        {
            self.runs_size_bytes -= u64::from(run.size_bytes);
            self.runs.pop_front();
        }
    }

    /// Replaces the segments by those of a snapshot or a checkpoint.
    pub(crate) fn set_segments(&mut self, segments: Vec<Segment>) {
        self.segments_size_bytes = segments.iter().map(|segment| segment.size_bytes).sum();
        self.segments = segments;
        let start = self.start;
        self.drop_segments_below(start);
        if let Some(first) = self.segments.first() {
            self.start = start.max(first.base_offset);
        }
        if let Some(last) = self.segments.last() {
            self.next = self.next.max(last.next_offset);
        }
    }

    /// Removes the runs in blocks before `through`: their data is in segments now, or gone.
    pub(crate) fn remove_runs_before(&mut self, through: BlockSequence) {
        while let Some(run) = self.runs.front()
            && run.sequence < through
        {
            self.runs_size_bytes -= u64::from(run.size_bytes);
            self.runs.pop_front();
        }
    }

    fn drop_segments_below(&mut self, start: Offset) {
        let below = self
            .segments
            .partition_point(|segment| segment.next_offset <= start);
        for segment in self.segments.drain(..below) {
            self.segments_size_bytes -= segment.size_bytes;
        }
    }

    pub(crate) fn max_timestamp(&self) -> Timestamp {
        let segments = self.segments.iter().map(|segment| segment.max_timestamp);
        let runs = self.runs.iter().map(|run| run.max_timestamp);
        segments.chain(runs).max().unwrap_or(Timestamp(i64::MIN))
    }

    pub(crate) fn extent(&self) -> PartitionExtent {
        PartitionExtent {
            start: self.start,
            next: self.next,
            size_bytes: self.segments_size_bytes + self.runs_size_bytes,
        }
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(crate) fn segments_size_bytes(&self) -> u64 {
        self.segments_size_bytes
    }

    pub(crate) fn runs_size_bytes(&self) -> u64 {
        self.runs_size_bytes
    }

    pub(crate) fn run(&self, at: usize) -> Option<&Run> {
        self.runs.get(at)
    }

    pub(crate) fn runs(&self) -> &VecDeque<Run> {
        &self.runs
    }

    /// The offset after the last of run `at`.
    pub(crate) fn run_end(&self, at: usize) -> Offset {
        self.runs
            .get(at + 1)
            .map_or(self.next, |following| following.base_offset)
    }

    /// All data, oldest first, in the units that retention drops.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = Chunk> {
        let segments = self.segments.iter().map(|segment| Chunk {
            next_offset: segment.next_offset,
            size_bytes: segment.size_bytes,
            max_timestamp: segment.max_timestamp,
        });
        let runs = self.runs.iter().enumerate().map(|(at, run)| Chunk {
            next_offset: self.run_end(at),
            size_bytes: u64::from(run.size_bytes),
            max_timestamp: run.max_timestamp,
        });
        segments.chain(runs)
    }

    /// The run that holds `offset`, or the first one if `offset` is before all of them.
    pub(crate) fn run_at(&self, offset: Offset) -> usize {
        let after = self.runs.partition_point(|run| run.base_offset <= offset);
        after.saturating_sub(1)
    }

    /// The first segment that reaches beyond `offset`.
    pub(crate) fn segment_at(&self, offset: Offset) -> Option<&Segment> {
        let at = self
            .segments
            .partition_point(|segment| segment.next_offset <= offset);
        self.segments.get(at)
    }
}

/// Whether an append of the same block can join a run.
fn can_share(run: &Place, next: &Place) -> bool {
    let is_near = next.start - run.start < INDEX_INTERVAL_BYTES;
    is_near && !run.is_batch_alone && !next.is_batch_alone
}
