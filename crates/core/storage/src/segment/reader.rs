//! Reads batches of a segment, found by offset or by time.

use bytes::Bytes;
use stele_base_types::{Offset, Timestamp};
use stele_wire_batch::{BatchHeader, HEADER_SIZE_BYTES};

use super::{
    INDEX_ENTRY_SIZE_BYTES, IndexEntry, Segment, SegmentFiles,
    files::{Object, Place},
};
use crate::{
    Error, StoredBatch,
    limits::{SEGMENT_READ_SIZE_BYTES_MAX, SEGMENT_READ_SIZE_BYTES_MIN},
    read_index::{Collected, Wanted},
};

/// A binary search narrows the index down to this many entries, which are then read at once.
const INDEX_WINDOW_ENTRIES: u32 = 64;

impl SegmentFiles {
    /// The wanted batches, verified. Waits for the disk.
    pub(crate) fn read(
        &self,
        segment: &Segment,
        wanted: &Wanted,
    ) -> Result<Vec<StoredBatch>, Error> {
        let start = match self.read_up_to(segment, wanted.from) {
            Some(place) => place,
            None => self.place_before(segment, wanted.from)?,
        };
        let log = self.log(segment);
        let mut batches = Collected::new(wanted);
        let mut walk = Walk {
            log: &log,
            segment,
            next: start,
            window: Bytes::new(),
            window_size_bytes: wanted
                .size_bytes_max
                .clamp(SEGMENT_READ_SIZE_BYTES_MIN, SEGMENT_READ_SIZE_BYTES_MAX),
        };
        let mut read_up_to = start;
        while !batches.is_full
            && let Some(batch) = walk.next_batch()?
        {
            let size_bytes = batch.bytes.len();
            let next_offset = walk.next.base_offset;
            batches.offer(batch.base_offset, next_offset, size_bytes, || batch.bytes);
            if !batches.is_full {
                read_up_to = walk.next;
            }
        }
        self.note_read(segment, read_up_to);
        Ok(batches.batches)
    }

    /// The place of a batch at or before the one that holds `offset`, by the index.
    fn place_before(&self, segment: &Segment, offset: Offset) -> Result<Place, Error> {
        let index = self.index(segment);
        let found = search(&index, segment, |entry| entry.base_offset <= offset)?;
        // The first entry has the segment's base offset, so it is the place for an `offset` before
        // that.
        let entry = found.before.or(found.after);
        let entry = entry.ok_or_else(|| index.damaged(0, "the index is empty"))?;
        Ok(Place {
            base_offset: entry.base_offset,
            position: entry.position,
        })
    }

    /// All entries of the segment's index.
    pub(super) fn read_index(&self, segment: &Segment) -> Result<Vec<IndexEntry>, Error> {
        read_entries(&self.index(segment), 0, segment.index_entry_count)
    }

    /// An offset at or shortly before the first batch that reaches `timestamp`. `None` if all are
    /// older.
    pub(crate) fn offset_near_time(
        &self,
        segment: &Segment,
        timestamp: Timestamp,
    ) -> Result<Option<Offset>, Error> {
        let index = self.index(segment);
        let found = search(&index, segment, |entry| entry.max_timestamp < timestamp)?;
        Ok(found.after.map(|entry| entry.base_offset))
    }
}

/// The entries on both sides of a boundary.
struct Found {
    /// The last entry before it.
    before: Option<IndexEntry>,
    /// The first entry after it.
    after: Option<IndexEntry>,
}

/// Finds the boundary between the entries for which `is_before` is true and the rest. Offsets and
/// running maximums of timestamps ascend, so it is true up to some entry and false after it.
fn search(
    index: &Object<'_>,
    segment: &Segment,
    is_before: impl Fn(&IndexEntry) -> bool,
) -> Result<Found, Error> {
    let (mut low, mut high) = (0, segment.index_entry_count);
    while high - low > INDEX_WINDOW_ENTRIES {
        let middle = low + (high - low) / 2;
        let entries = read_entries(index, middle, 1)?;
        if entries.first().is_some_and(&is_before) {
            low = middle;
        } else {
            high = middle;
        }
    }
    // One more than the window: the boundary may be at its very end.
    let count = (high - low + 1).min(segment.index_entry_count - low);
    let entries = read_entries(index, low, count)?;
    let boundary = entries.partition_point(is_before);
    Ok(Found {
        before: boundary.checked_sub(1).map(|at| entries[at]),
        after: entries.get(boundary).copied(),
    })
}

fn read_entries(index: &Object<'_>, first: u32, count: u32) -> Result<Vec<IndexEntry>, Error> {
    let position = u64::from(first) * INDEX_ENTRY_SIZE_BYTES as u64;
    let length = count as usize * INDEX_ENTRY_SIZE_BYTES;
    let bytes = index.read_at(position, length)?;
    if bytes.len() < length {
        let end = position + bytes.len() as u64;
        return Err(index.damaged(end, "the index ends too early"));
    }
    let entries = bytes.chunks_exact(INDEX_ENTRY_SIZE_BYTES);
    entries
        .enumerate()
        .map(|(at, bytes)| {
            IndexEntry::decode(bytes).ok_or_else(|| {
                let position = position + (at * INDEX_ENTRY_SIZE_BYTES) as u64;
                index.damaged(position, "an index entry doesn't match its checksum")
            })
        })
        .collect()
}

/// Reads a log batch by batch.
struct Walk<'a> {
    log: &'a Object<'a>,
    segment: &'a Segment,
    /// The place of the next batch, and the offset it must have.
    next: Place,
    /// The bytes read from there on.
    window: Bytes,
    window_size_bytes: usize,
}

impl Walk<'_> {
    /// The next batch, verified; `None` at the segment's end.
    fn next_batch(&mut self) -> Result<Option<StoredBatch>, Error> {
        if self.next.position >= self.segment.size_bytes {
            return Ok(None);
        }
        self.fill(HEADER_SIZE_BYTES)?;
        let size_bytes = self.parse()?.size_bytes();
        self.fill(size_bytes)?;
        let header = self.parse()?;
        let (found, next_offset) = (header.base_offset(), header.next_offset());
        let expected = self.next.base_offset;
        if found != expected {
            return Err(self.damaged(format!("offset {found} where {expected} should be")));
        }
        header
            .verify_checksum(&self.window)
            .map_err(|error| self.damaged(error.to_string()))?;
        let batch = StoredBatch {
            base_offset: found,
            bytes: self.window.split_to(size_bytes),
        };
        self.next = Place {
            base_offset: next_offset,
            position: self.next.position + size_bytes as u64,
        };
        Ok(Some(batch))
    }

    /// Makes the window hold at least `length` bytes.
    fn fill(&mut self, length: usize) -> Result<(), Error> {
        if self.window.len() >= length {
            return Ok(());
        }
        let position = self.next.position;
        let rest = usize::try_from(self.segment.size_bytes - position).unwrap_or(usize::MAX);
        let wanted = length.max(self.window_size_bytes).min(rest);
        self.window = self.log.read_at(position, wanted)?;
        if self.window.len() < length {
            return Err(self.damaged("the log ends too early".to_owned()));
        }
        Ok(())
    }

    fn parse(&self) -> Result<BatchHeader<'_>, Error> {
        BatchHeader::parse(&self.window).map_err(|error| self.damaged(error.to_string()))
    }

    fn damaged(&self, what: String) -> Error {
        self.log.damaged(self.next.position, what)
    }
}
