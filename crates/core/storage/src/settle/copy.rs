//! Copies what still lives into segments, and tells what doesn't any more.

use stele_base_types::{Offset, PartitionId};

use super::{Floors, output_sync::OutputSync};
use crate::{
    Error, Options, ReadIndex, ShardDirectory, StoredBatch,
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
    let partitions = index.partitions();
    let mut sync = OutputSync::new(directory, partitions.len())?;
    for partition in partitions {
        let segments = match floors.of(partition) {
            None => {
                let superfluous = Superfluous::Partition(partition);
                copied.manifest.superfluous.push(superfluous);
                Vec::new()
            }
            Some(floor) => {
                let kept = keep_above(floor, segments_of(last, partition), &mut copied.manifest);
                let mut output = Output::new(directory, options, partition, kept, &mut sync);
                copy_partition(index, &mut output, floor)?;
                output.finish()?
            }
        };
        copied.manifest.segments.extend_from_slice(&segments);
        copied.segments.push((partition, segments));
    }
    sync.finish(directory)?;
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

/// Copies the batches of the output's partition that reach above `floor`.
fn copy_partition(index: &ReadIndex, output: &mut Output<'_>, floor: Offset) -> Result<(), Error> {
    let partition = output.partition;
    let Some(journal_start) = index.journal_start(partition) else {
        return Ok(());
    };
    let mut from = journal_start.max(floor);
    loop {
        let slices = index.read(partition, from, Offset(u64::MAX), SCAN_WINDOW_SIZE_BYTES);
        if slices.is_empty() {
            return Ok(());
        }
        for slice in slices {
            for batch in slice.resolve()? {
                from = output.append(&batch)?;
            }
        }
    }
}

/// The segments of one partition, growing.
struct Output<'a> {
    directory: &'a ShardDirectory,
    size_bytes_max: u64,
    partition: PartitionId,
    sync: &'a mut OutputSync,
    writer: Option<SegmentWriter>,
    /// The newest settled segment, until it is continued or left behind.
    last: Option<Segment>,
    done: Vec<Segment>,
}

impl<'a> Output<'a> {
    /// Goes on after the segments `kept`.
    fn new(
        directory: &'a ShardDirectory,
        options: &Options,
        partition: PartitionId,
        mut kept: Vec<Segment>,
        sync: &'a mut OutputSync,
    ) -> Self {
        Self {
            directory,
            size_bytes_max: options.segment_size_bytes_max,
            partition,
            sync,
            writer: None,
            last: kept.pop(),
            done: kept,
        }
    }

    /// Appends a batch to the newest segment, or to a new one, and gives the next offset.
    fn append(&mut self, batch: &StoredBatch) -> Result<Offset, Error> {
        if let Some(writer) = &self.writer
            && would_exceed(writer.segment(), batch, self.size_bytes_max)
        {
            self.end_segment()?;
        }
        if self.writer.is_none() {
            self.writer = Some(self.open_writer(batch)?);
        }
        let writer = self.writer.as_mut().expect("it was opened just now");
        writer.append(batch)?;
        Ok(writer.segment().next_offset)
    }

    /// Continues the newest segment if it has room for `batch`; else starts one.
    fn open_writer(&mut self, batch: &StoredBatch) -> Result<SegmentWriter, Error> {
        if let Some(segment) = self.last.take() {
            if !would_exceed(&segment, batch, self.size_bytes_max) {
                return SegmentWriter::open(self.directory, segment);
            }
            self.done.push(segment);
        }
        let path = self.directory.partition(self.partition);
        self.sync.create_dir_all(self.directory, &path)?;
        self.sync.directory(path);
        let segment = Segment::new(self.partition, batch.base_offset);
        SegmentWriter::open(self.directory, segment)
    }

    fn end_segment(&mut self) -> Result<(), Error> {
        if let Some(writer) = self.writer.take() {
            let (segment, files) = writer.finish()?;
            for file in &files {
                self.sync.file(file)?;
            }
            self.done.push(segment);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Segment>, Error> {
        self.end_segment()?;
        self.done.extend(self.last.take());
        Ok(self.done)
    }
}
