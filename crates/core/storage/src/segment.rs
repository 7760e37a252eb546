//! Segments: the checkpointed data of one partition, in objects of bounded size.
//!
//! `segments/L/P/O.log` (L = log, P = partition, O = first offset) holds record batches (Kafka's
//! format 2) back to back, nothing else. Beside it lies `O.index`, with an entry for each interval
//! of about 4 KiB of the log, and never one for less than a batch. Little-endian:
//!
//! ```text
//!  0  8 base offset      of the interval's first batch
//!  8  8 position         where that batch starts in the log
//! 16  8 max timestamp    of everything up to the interval's end
//! 24  4 size             of the interval in bytes
//! 28  4 checksum         CRC-32C of the interval
//! 32  4 entry checksum   CRC-32C of bytes 0 to 32
//! 36  4 zeroes
//! ```
//!
//! A segment that replaces others has a generation in its name: `O-G.log`. Generation 0 is left
//! out.
//!
//! Invariants: offsets are dense within a segment and from one to the next. Only the snapshot says
//! which segments there are and how far they reach: a file written by format version 2 or earlier
//! may contain more, and an object that no snapshot names is a leftover of an interrupted
//! checkpoint. An object never changes once it is put.

mod files;
mod index_entry;
mod leftovers;
mod merging;
mod reader;
mod writer;

use serde::{Deserialize, Serialize};
use stele_base_types::{Offset, PartitionId, Timestamp};

pub(crate) use self::{
    files::SegmentFiles,
    index_entry::{INDEX_ENTRY_SIZE_BYTES, IndexEntry},
    leftovers::Leftovers,
    merging::merged_count,
    writer::SegmentWriter,
};

/// The prefix of all segment names.
pub(crate) const SEGMENTS: &str = "segments/";

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) partition: PartitionId,
    pub(crate) base_offset: Offset,
    /// The offset after the last.
    pub(crate) next_offset: Offset,
    /// The size of the log.
    pub(crate) size_bytes: u64,
    /// The number of entries in the index.
    pub(crate) index_entry_count: u32,
    pub(crate) max_timestamp: Timestamp,
    /// How many times its beginning was rewritten.
    pub(crate) generation: u32,
}

impl Segment {
    /// An empty segment from `base_offset` on.
    pub(crate) fn new(partition: PartitionId, base_offset: Offset, generation: u32) -> Self {
        Self {
            partition,
            base_offset,
            next_offset: base_offset,
            size_bytes: 0,
            index_entry_count: 0,
            max_timestamp: Timestamp(i64::MIN),
            generation,
        }
    }

    /// The name of its log.
    pub(crate) fn log_name(&self) -> String {
        self.name("log")
    }

    /// The name of its index.
    pub(crate) fn index_name(&self) -> String {
        self.name("index")
    }

    fn name(&self, extension: &str) -> String {
        let PartitionId { log, index, .. } = self.partition;
        let (base, generation) = (self.base_offset.0, self.generation);
        match generation {
            0 => format!("{SEGMENTS}{log}/{index}/{base:020}.{extension}"),
            _ => format!("{SEGMENTS}{log}/{index}/{base:020}-{generation:010}.{extension}"),
        }
    }
}
