//! Writes a segment: the contents of the segments merged into it, then new batches.

use bytes::Bytes;
use stele_base_types::{Offset, PartitionId};
use stele_wire_batch::{BatchHeader, set_base_offset};

use super::{IndexEntry, Segment, SegmentFiles};
use crate::{
    Error, ObjectWriter, SegmentStore, StoredBatch,
    limits::{INDEX_INTERVAL_BYTES, UNSYNCED_SIZE_BYTES_MAX},
    store::begin_anew,
};

/// A segment that is being written. Its log goes to the writer as it grows, its index at the end.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    segment: Segment,
    index: Vec<u8>,
    /// The interval that isn't in the index yet.
    interval: Option<IndexEntry>,
    /// A batch, with its base offset.
    batch: Vec<u8>,
}

impl SegmentWriter {
    /// Begins a segment from `base_offset` on.
    pub(crate) fn begin(
        store: &dyn SegmentStore,
        output: &mut dyn ObjectWriter,
        partition: PartitionId,
        base_offset: Offset,
        generation: u32,
    ) -> Result<Self, Error> {
        let segment = Segment::new(partition, base_offset, generation);
        begin_anew(store, output, &segment.log_name())?;
        Ok(Self {
            segment,
            index: Vec::new(),
            interval: None,
            batch: Vec::new(),
        })
    }

    /// The segment with what was added so far.
    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Copies a whole segment, whose index was read. Its batches aren't checked: any damage is
    /// still found by the checksums copied with them.
    pub(crate) fn take_in(
        &mut self,
        output: &mut dyn ObjectWriter,
        files: &SegmentFiles,
        segment: &Segment,
        index: &[IndexEntry],
    ) -> Result<(), Error> {
        let Segment {
            base_offset,
            next_offset,
            size_bytes,
            ..
        } = *segment;
        assert_eq!(base_offset, self.segment.next_offset, "offsets are dense");
        self.end_interval();
        let mut position = 0;
        while position < size_bytes {
            let bytes = files.read_log(segment, position, UNSYNCED_SIZE_BYTES_MAX)?;
            position += bytes.len() as u64;
            output.write(&bytes)?;
        }
        for entry in index {
            let moved = IndexEntry {
                position: entry.position + self.segment.size_bytes,
                max_timestamp: entry.max_timestamp.max(self.segment.max_timestamp),
                ..*entry
            };
            self.index.extend_from_slice(&moved.encode());
        }
        self.segment.index_entry_count += segment.index_entry_count;
        self.segment.size_bytes += size_bytes;
        self.segment.next_offset = next_offset;
        self.segment.max_timestamp = self.segment.max_timestamp.max(segment.max_timestamp);
        Ok(())
    }

    /// Adds a batch, with its base offset written into its header.
    pub(crate) fn append(
        &mut self,
        output: &mut dyn ObjectWriter,
        batch: &StoredBatch,
    ) -> Result<(), Error> {
        let header = BatchHeader::parse(&batch.bytes)?;
        let count = u64::from(header.last_offset_delta()) + 1;
        assert_eq!(
            batch.base_offset, self.segment.next_offset,
            "offsets are dense in a segment"
        );
        self.segment.max_timestamp = self.segment.max_timestamp.max(header.max_timestamp());
        self.place(batch);
        self.extend_interval(batch.base_offset);
        output.write(&self.batch)?;
        self.segment.size_bytes += self.batch.len() as u64;
        self.segment.next_offset = batch.base_offset.plus(count);
        let is_whole = |entry: &IndexEntry| entry.size_bytes >= INDEX_INTERVAL_BYTES;
        if self.interval.as_ref().is_some_and(is_whole) {
            self.end_interval();
        }
        Ok(())
    }

    /// Ends the log and adds the index.
    pub(crate) fn finish(
        mut self,
        store: &dyn SegmentStore,
        output: &mut dyn ObjectWriter,
    ) -> Result<Segment, Error> {
        self.end_interval();
        begin_anew(store, output, &self.segment.index_name())?;
        output.write(&self.index)?;
        Ok(self.segment)
    }

    fn place(&mut self, batch: &StoredBatch) {
        self.batch.clear();
        self.batch.extend_from_slice(&batch.bytes);
        set_base_offset(&mut self.batch, batch.base_offset);
    }

    /// Extends the interval by the batch that is about to be written.
    fn extend_interval(&mut self, base_offset: Offset) {
        let interval = self.interval.get_or_insert(IndexEntry {
            base_offset,
            position: self.segment.size_bytes,
            max_timestamp: self.segment.max_timestamp,
            size_bytes: 0,
            checksum: 0,
        });
        interval.max_timestamp = self.segment.max_timestamp;
        interval.checksum = crc32c::crc32c_append(interval.checksum, &self.batch);
        interval.size_bytes = interval
            .size_bytes
            .checked_add(u32::try_from(self.batch.len()).expect("a batch's length is an i32"))
            .expect("an interval ends before a second large batch");
    }

    fn end_interval(&mut self) {
        if let Some(entry) = self.interval.take() {
            self.index.extend_from_slice(&entry.encode());
            self.segment.index_entry_count += 1;
        }
    }
}

impl SegmentFiles {
    /// The index of a segment that can be copied into another; `None` if anything is wrong with it,
    /// which is left for readers to report.
    pub(crate) fn index_to_take_in(
        &self,
        segment: &Segment,
    ) -> Result<Option<Vec<IndexEntry>>, Error> {
        let last = self
            .log(segment)
            .read_at(segment.size_bytes.saturating_sub(1), 1);
        match last {
            Ok(last) if last.len() == 1 => {}
            Ok(_) | Err(Error::Gone { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        match self.read_index(segment) {
            Ok(index) => Ok(Some(index)),
            Err(Error::Damaged { .. } | Error::Gone { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads part of a segment's log, up to the segment's end.
    fn read_log(&self, segment: &Segment, position: u64, length: usize) -> Result<Bytes, Error> {
        let rest = usize::try_from(segment.size_bytes - position).unwrap_or(usize::MAX);
        let log = self.log(segment);
        let bytes = log.read_at(position, length.min(rest))?;
        if bytes.is_empty() {
            return Err(log.damaged(position, "the log ends too early"));
        }
        Ok(bytes)
    }
}
