//! Copies live data into segments, and finds the segments that are no longer needed.

use std::collections::BTreeSet;

use stele_base_types::{LogId, Offset, PartitionId};

use super::Floors;
use crate::{
    Error, ObjectWriter, Options, ReadIndex, ShardDirectory, StoredBatch,
    limits::SCAN_WINDOW_SIZE_BYTES,
    segment::{IndexEntry, Segment, SegmentFiles, SegmentWriter, merged_count},
    snapshot::{Segments, Snapshot},
    space::Promise,
};

/// The result of copying.
#[derive(Debug, Default)]
pub(super) struct Copied {
    /// All segments of each partition whose segments changed; a partition may have none left.
    pub(super) changed: Segments,
    /// The partitions that had data in the files, but none that is still live.
    unchanged: Segments,
    /// Segments that were merged into others or lie below the floors: no longer in force.
    pub(super) left: Vec<Segment>,
}

impl Copied {
    /// All segments of each partition that the shard must be told about.
    pub(super) fn all(&self) -> Vec<(PartitionId, Vec<Segment>)> {
        let all = self.changed.iter().chain(&self.unchanged);
        all.map(|(partition, segments)| (*partition, segments.clone()))
            .collect()
    }

    /// Puts these segments into the snapshot; returns the logs whose lists changed.
    pub(super) fn take_over(&self, snapshot: &mut Snapshot) -> BTreeSet<LogId> {
        for (partition, segments) in &self.changed {
            snapshot.set_segments(*partition, segments);
        }
        self.changed.keys().map(|it| it.log).collect()
    }
}

/// Copies the batches that `index` has in the journal, above the floors, into segments, partition
/// by partition. The segments exist once `output` is finished.
pub(super) fn copy(
    directory: &ShardDirectory,
    options: &Options,
    last: &Snapshot,
    index: &mut ReadIndex,
    floors: &Floors,
    output: &mut dyn ObjectWriter,
) -> Result<Copied, Error> {
    let mut copied = Copied::default();
    drop_below(&last.segments, floors, &mut copied);
    let mut room = Room::take(directory, index, floors)?;
    for partition in index.partitions() {
        let kept = copied.changed.get(&partition);
        let kept = kept.or_else(|| last.segments.get(&partition));
        let kept = kept.cloned().unwrap_or_default();
        let floor = floors.of(partition);
        let Some(from) = floor.and_then(|_| index.journal_start(partition)) else {
            if !copied.changed.contains_key(&partition) {
                copied.unchanged.insert(partition, kept);
            }
            continue;
        };
        let mut copying = Copying {
            directory,
            files: SegmentFiles::new(&directory.store),
            size_bytes_max: options.segment_size_bytes_max,
            partition,
            output: &mut *output,
            room: &mut room,
            writer: None,
            segments: kept,
        };
        let left = copying.merge(from, index.journal_size_bytes(partition))?;
        copied.left.extend(left);
        copying.copy(index, from)?;
        copied.changed.insert(partition, copying.segments);
    }
    Ok(copied)
}

/// The space for the copies.
#[derive(Debug)]
struct Room<'a> {
    promise: Promise<'a>,
    /// How much more may be copied, to merge segments.
    spare_bytes: u64,
}

impl<'a> Room<'a> {
    /// Reserves the space for the journal's data above the floors, before any of it is copied.
    fn take(
        directory: &'a ShardDirectory,
        index: &mut ReadIndex,
        floors: &Floors,
    ) -> Result<Self, Error> {
        let mut copied_bytes = 0;
        for partition in index.partitions() {
            if let Some(floor) = floors.of(partition) {
                index.advance_start(partition, floor);
                copied_bytes += index.journal_size_bytes(partition);
            }
        }
        Ok(Self {
            promise: directory.promise_copies(copied_bytes)?,
            spare_bytes: directory.spare_bytes()?,
        })
    }

    /// Reserves space to merge segments, if there is enough.
    fn take_spare(&mut self, bytes: u64) -> bool {
        let is_enough = self.spare_bytes >= bytes;
        if is_enough {
            self.spare_bytes -= bytes;
        }
        is_enough
    }
}

/// Notes the segments that lie entirely below their partition's floor.
fn drop_below(segments: &Segments, floors: &Floors, copied: &mut Copied) {
    for (partition, segments) in segments {
        let below = match floors.of(*partition) {
            Some(floor) => segments.partition_point(|segment| segment.next_offset <= floor),
            None => segments.len(),
        };
        if below > 0 {
            let (below, kept) = segments.split_at(below);
            copied.left.extend_from_slice(below);
            copied.changed.insert(*partition, kept.to_vec());
        }
    }
}

/// The segments of one partition while data is added.
struct Copying<'a, 'd> {
    directory: &'a ShardDirectory,
    files: SegmentFiles,
    size_bytes_max: u64,
    partition: PartitionId,
    output: &'a mut dyn ObjectWriter,
    room: &'a mut Room<'d>,
    writer: Option<SegmentWriter>,
    segments: Vec<Segment>,
}

impl Copying<'_, '_> {
    /// If it is time to merge some of the last segments with the data added from `from` on, begins
    /// a segment with their content. Returns the merged segments.
    fn merge(&mut self, from: Offset, added_size_bytes: u64) -> Result<Vec<Segment>, Error> {
        let sizes: Vec<u64> = self.segments.iter().map(|it| it.size_bytes).collect();
        let mut wanted = merged_count(&sizes, added_size_bytes, self.size_bytes_max);
        let merged_bytes = sizes.iter().rev().take(wanted).sum();
        if wanted > 0 && !self.room.take_spare(merged_bytes) {
            wanted = 0;
        }
        let indexes = self.indexes_of_last(wanted, from)?;
        let kept = self.segments.len() - indexes.len();
        let merged = self.segments.split_off(kept);
        let Some(first) = merged.first() else {
            return Ok(merged);
        };
        let generation = first.generation + 1;
        let mut writer = self.begin(first.base_offset, generation)?;
        for (segment, index) in merged.iter().zip(&indexes) {
            writer.take_in(self.output, &self.files, segment, index)?;
        }
        self.writer = Some(writer);
        Ok(merged)
    }

    /// The indexes of up to `count` of the last segments that can be merged: those after the last
    /// one that can't. If a floor lies between the last segment and the added data, none can.
    fn indexes_of_last(&self, count: usize, from: Offset) -> Result<Vec<Vec<IndexEntry>>, Error> {
        let mut indexes = Vec::new();
        let mut next = from;
        for segment in self.segments.iter().rev().take(count) {
            if segment.next_offset != next {
                break;
            }
            let Some(index) = self.files.index_to_take_in(segment)? else {
                break;
            };
            indexes.push(index);
            next = segment.base_offset;
        }
        indexes.reverse();
        Ok(indexes)
    }

    /// Copies the partition's data in the journal, from `from` on.
    fn copy(&mut self, index: &ReadIndex, mut from: Offset) -> Result<(), Error> {
        loop {
            let until = Offset(u64::MAX);
            let slices = index.read(self.partition, from, until, SCAN_WINDOW_SIZE_BYTES);
            if slices.is_empty() {
                return self.end_segment();
            }
            for slice in slices {
                for batch in slice.resolve()? {
                    from = self.append(&batch)?;
                }
            }
        }
    }

    /// Appends a batch, and returns the next offset.
    fn append(&mut self, batch: &StoredBatch) -> Result<Offset, Error> {
        let size_bytes_max = self.size_bytes_max;
        let is_full = |writer: &SegmentWriter| {
            let segment = writer.segment();
            segment.size_bytes > 0 && segment.size_bytes + batch.bytes.len() as u64 > size_bytes_max
        };
        if self.writer.as_ref().is_some_and(is_full) {
            self.end_segment()?;
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.begin(batch.base_offset, 0)?,
        };
        writer.append(self.output, batch)?;
        self.room.promise.keep(batch.bytes.len() as u64);
        let next_offset = writer.segment().next_offset;
        self.writer = Some(writer);
        Ok(next_offset)
    }

    fn begin(&mut self, base_offset: Offset, generation: u32) -> Result<SegmentWriter, Error> {
        let (store, partition) = (&*self.directory.store, self.partition);
        SegmentWriter::begin(store, self.output, partition, base_offset, generation)
    }

    fn end_segment(&mut self) -> Result<(), Error> {
        if let Some(writer) = self.writer.take() {
            let segment = writer.finish(&*self.directory.store, self.output)?;
            self.segments.push(segment);
        }
        Ok(())
    }
}
