//! Finding the first record at or after a given time.

use std::sync::Arc;

use stele_base_types::{Offset, PartitionId, Timestamp};
use stele_wire_batch::{Batch, DECOMPRESSED_SIZE_BYTES_MAX};

use super::{
    ReadIndex,
    partition::PartitionReads,
    plan::{Slice, StoredBatch, Wanted},
};
use crate::{
    Error,
    segment::{Segment, SegmentFiles},
};

/// A record found by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundByTime {
    /// Its offset.
    pub offset: Offset,
    /// Its own timestamp, at or after the one searched for.
    pub timestamp: Timestamp,
}

/// A search for which the batches still have to be read. Created by [`ReadIndex::find_by_time`].
#[derive(Clone, Debug)]
pub struct TimeLookup {
    partition: PartitionId,
    /// Records before this don't exist any more.
    start: Offset,
    timestamp: Timestamp,
    candidates: Vec<Candidate>,
}

/// A place that can hold a record of the wanted time.
#[derive(Clone, Debug)]
enum Candidate {
    Segment(Arc<SegmentFiles>, Segment),
    Slices(Vec<Slice>),
}

/// How many candidates are searched. The latest timestamp of the first one may be of a record
/// before the partition's start; that of the second can't be.
const CANDIDATES_MAX: usize = 2;

impl ReadIndex {
    /// Searches for the first record of `partition` whose timestamp is `timestamp` or later. Never
    /// waits for the disk: the caller resolves the result.
    pub fn find_by_time(&self, partition: PartitionId, timestamp: Timestamp) -> TimeLookup {
        let reads = self.partitions.get(&partition);
        TimeLookup {
            partition,
            start: reads.map_or(Offset::ZERO, |reads| reads.extent().start),
            timestamp,
            candidates: reads.map_or(Vec::new(), |reads| {
                self.candidates(partition, reads, timestamp)
            }),
        }
    }

    fn candidates(
        &self,
        partition: PartitionId,
        reads: &PartitionReads,
        timestamp: Timestamp,
    ) -> Vec<Candidate> {
        let segments = reads.segments().iter();
        let segments = segments
            .filter(|segment| segment.max_timestamp >= timestamp)
            .map(|segment| Candidate::Segment(self.segment_files.clone(), *segment));
        let runs = reads.runs().iter().enumerate();
        let runs = runs
            .filter(|(_, run)| run.max_timestamp >= timestamp)
            .map(|(at, run)| {
                let until = reads.run_end(at);
                Candidate::Slices(self.read(partition, run.base_offset, until, usize::MAX))
            });
        segments.chain(runs).take(CANDIDATES_MAX).collect()
    }
}

impl TimeLookup {
    /// Finds the record; `None` if all are older. Waits for the disk. A batch that decompresses to
    /// more than `opened_bytes_max` bytes ends the search with an error that says so, unless none
    /// may be as large.
    pub fn resolve(&self, opened_bytes_max: usize) -> Result<Option<FoundByTime>, Error> {
        for candidate in &self.candidates {
            let found = match candidate {
                Candidate::Segment(files, segment) => {
                    self.find_in_segment(files, segment, opened_bytes_max)?
                }
                Candidate::Slices(slices) => self.find_in_slices(slices, opened_bytes_max)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn find_in_slices(
        &self,
        slices: &[Slice],
        opened_bytes_max: usize,
    ) -> Result<Option<FoundByTime>, Error> {
        for slice in slices {
            if let Some(found) = self.find_in_batches(slice.resolve()?, opened_bytes_max)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Reads on from the place that the segment's index gives, a piece at a time.
    fn find_in_segment(
        &self,
        files: &SegmentFiles,
        segment: &Segment,
        opened_bytes_max: usize,
    ) -> Result<Option<FoundByTime>, Error> {
        let Some(near) = files.offset_near_time(segment, self.timestamp)? else {
            return Ok(None);
        };
        let mut from = near.max(self.start);
        while from < segment.next_offset {
            let batches = files.read(
                segment,
                &Wanted {
                    partition: self.partition,
                    from,
                    until: segment.next_offset,
                    size_bytes_max: crate::limits::SCAN_WINDOW_SIZE_BYTES,
                },
            )?;
            let Some(next) = batches.last().map(next_offset).transpose()? else {
                return Ok(None);
            };
            if let Some(found) = self.find_in_batches(batches, opened_bytes_max)? {
                return Ok(Some(found));
            }
            from = next;
        }
        Ok(None)
    }

    fn find_in_batches(
        &self,
        batches: Vec<StoredBatch>,
        opened_bytes_max: usize,
    ) -> Result<Option<FoundByTime>, Error> {
        for stored in batches {
            let base_offset = stored.base_offset;
            let batch = Batch::new(stored.bytes)?;
            if batch.header().max_timestamp() < self.timestamp {
                continue;
            }
            if let Some(found) = self.find_in_batch(base_offset, &batch, opened_bytes_max)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A compressed batch stored without decompressing may be found damaged only here; its start is
    /// then the best answer.
    fn find_in_batch(
        &self,
        base_offset: Offset,
        batch: &Batch,
        opened_bytes_max: usize,
    ) -> Result<Option<FoundByTime>, Error> {
        let records = match batch.records(opened_bytes_max) {
            Ok(records) => records,
            Err(error @ stele_wire_batch::Error::DecompressedTooLarge { .. })
                if opened_bytes_max < DECOMPRESSED_SIZE_BYTES_MAX =>
            {
                return Err(error.into());
            }
            Err(_) => {
                return Ok(Some(FoundByTime {
                    offset: base_offset.max(self.start),
                    timestamp: batch.header().max_timestamp(),
                }));
            }
        };
        // The header's base offset may be that of another partition.
        let header_base = batch.header().base_offset();
        for record in records {
            let record = record?;
            let offset = base_offset.plus(record.offset.since(header_base));
            if record.timestamp >= self.timestamp && offset >= self.start {
                return Ok(Some(FoundByTime {
                    offset,
                    timestamp: record.timestamp,
                }));
            }
        }
        Ok(None)
    }
}

fn next_offset(batch: &StoredBatch) -> Result<Offset, Error> {
    let header = stele_wire_batch::BatchHeader::parse(&batch.bytes)?;
    let count = u64::from(header.last_offset_delta()) + 1;
    Ok(batch.base_offset.plus(count))
}
