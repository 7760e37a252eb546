//! Copies what still lives into segments, and tells what doesn't any more.

use stele_base_types::{Offset, PartitionId};

use super::Floors;
use crate::{
    Error, Options, ReadIndex, ShardDirectory, StoredBatch,
    directory::{create_dir_all, sync_dir},
    limits::SCAN_WINDOW_SIZE_BYTES,
    segment::{Segment, SegmentWriter, would_exceed},
    snapshot::{Manifest, Snapshot, Superfluous},
};

/// What came of it.
pub(super) struct Copied {
    pub(super) manifest: Manifest,
    /// All segments of each partition that has any, or had.
    pub(super) segments: Vec<(PartitionId, Vec<Segment>)>,
}

/// Copies the batches above the floors that `index` has in the journal into segments, partition
/// by partition. `index` starts from the segments of `last`.
pub(super) fn copy(
    directory: &ShardDirectory,
    options: &Options,
    last: &Snapshot,
    index: &ReadIndex,
    floors: &Floors,
) -> Result<Copied, Error> {
    let mut copied = Copied {
        manifest: Manifest::default(),
        segments: Vec::new(),
    };
    for partition in index.partitions() {
        let segments = match floors.starts.get(&partition) {
            None => {
                let superfluous = Superfluous::Partition(partition);
                copied.manifest.superfluous.push(superfluous);
                Vec::new()
            }
            Some(floor) => {
                let kept = keep_above(*floor, segments_of(last, partition), &mut copied.manifest);
                copy_partition(directory, options, index, kept, partition, *floor)?
            }
        };
        copied.manifest.segments.extend_from_slice(&segments);
        copied.segments.push((partition, segments));
    }
    Ok(copied)
}

/// The segments of one partition; a manifest is sorted by partition.
fn segments_of(snapshot: &Snapshot, partition: PartitionId) -> &[Segment] {
    let segments = &snapshot.manifest.segments;
    let start = segments.partition_point(|segment| segment.partition < partition);
    let end = segments.partition_point(|segment| segment.partition <= partition);
    &segments[start..end]
}

/// The segments that reach above `floor`; the others are noted as superfluous.
fn keep_above(floor: Offset, segments: &[Segment], manifest: &mut Manifest) -> Vec<Segment> {
    let below = segments.partition_point(|segment| segment.next_offset <= floor);
    let (below, kept) = segments.split_at(below);
    let superfluous = below
        .iter()
        .map(|segment| Superfluous::Segment(segment.partition, segment.base_offset));
    manifest.superfluous.extend(superfluous);
    kept.to_vec()
}

/// Copies the batches of one partition that reach above `floor`, after the segments `kept`, and
/// gives all its segments.
fn copy_partition(
    directory: &ShardDirectory,
    options: &Options,
    index: &ReadIndex,
    mut kept: Vec<Segment>,
    partition: PartitionId,
    floor: Offset,
) -> Result<Vec<Segment>, Error> {
    let Some(journal_start) = index.journal_start(partition) else {
        return Ok(kept);
    };
    let mut from = journal_start.max(floor);
    let mut output = Output {
        directory,
        size_bytes_max: options.segment_size_bytes_max,
        partition,
        writer: None,
        last: kept.pop(),
        done: kept,
    };
    loop {
        let slices = index.read(partition, from, Offset(u64::MAX), SCAN_WINDOW_SIZE_BYTES);
        let mut is_done = true;
        for slice in slices {
            for batch in slice.resolve()? {
                from = output.append(&batch)?;
                is_done = false;
            }
        }
        if is_done {
            return output.finish();
        }
    }
}

/// The segments of one partition, growing.
struct Output<'a> {
    directory: &'a ShardDirectory,
    size_bytes_max: u64,
    partition: PartitionId,
    writer: Option<SegmentWriter>,
    /// The newest settled segment, until it is continued or left behind.
    last: Option<Segment>,
    done: Vec<Segment>,
}

impl Output<'_> {
    /// Appends a batch to the newest segment, or to a new one, and gives the next offset.
    fn append(&mut self, batch: &StoredBatch) -> Result<Offset, Error> {
        if let Some(writer) = &self.writer
            && would_exceed(writer.segment(), batch, self.size_bytes_max)
        {
            self.end_segment()?;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(open_writer(
                self.directory,
                self.partition,
                self.size_bytes_max,
                &mut self.last,
                &mut self.done,
                batch,
            )?),
        };
        writer.append(batch)?;
        Ok(writer.segment().next_offset)
    }

    fn end_segment(&mut self) -> Result<(), Error> {
        if let Some(writer) = self.writer.take() {
            self.done.push(writer.finish()?);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Segment>, Error> {
        let has_written = self.writer.is_some();
        self.end_segment()?;
        self.done.extend(self.last.take());
        if has_written {
            sync_dir(
                &*self.directory.disk,
                &self.directory.partition(self.partition),
            )?;
        }
        Ok(self.done)
    }
}

/// Continues the newest segment if it has room for `batch` and ends where that starts; else
/// starts one.
fn open_writer(
    directory: &ShardDirectory,
    partition: PartitionId,
    size_bytes_max: u64,
    last: &mut Option<Segment>,
    done: &mut Vec<Segment>,
    batch: &StoredBatch,
) -> Result<SegmentWriter, Error> {
    if let Some(segment) = last.take() {
        if !would_exceed(&segment, batch, size_bytes_max) {
            return SegmentWriter::open(directory, segment);
        }
        done.push(segment);
    }
    create_dir_all(&*directory.disk, &directory.partition(partition))?;
    SegmentWriter::open(directory, Segment::new(partition, batch.base_offset))
}
