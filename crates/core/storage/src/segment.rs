//! Segments: the settled data of one partition, in files of bounded size.
//!
//! `<base offset>.log` holds record batches (Kafka's format 2) back to back, nothing else. Beside
//! it lies `<base offset>.index`, with an entry for each interval of about 4 KiB of the log, and
//! never one for less than a batch. Little-endian:
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
//! Invariants: offsets are dense in a segment and from one to the next. How far log and index
//! reach is known from the snapshot alone; what a file holds beyond that is the rest of a settling
//! that a crash cut short, and is written over by the next. A log's bytes up to there never
//! change.

mod files;
mod index_entry;
mod reader;
mod writer;

use serde::{Deserialize, Serialize};
use stele_base_types::{Offset, PartitionId, Timestamp};

pub(crate) use self::{
    files::SegmentFiles,
    index_entry::{INDEX_ENTRY_SIZE_BYTES, IndexEntry},
    writer::{SegmentWriter, WrittenFile, would_exceed},
};

/// A segment, as far as it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) partition: PartitionId,
    pub(crate) base_offset: Offset,
    /// The offset after the last.
    pub(crate) next_offset: Offset,
    /// How far the log reaches.
    pub(crate) size_bytes: u64,
    /// How many entries the index has.
    pub(crate) index_entry_count: u32,
    pub(crate) max_timestamp: Timestamp,
}

impl Segment {
    /// An empty segment from `base_offset` on.
    pub(crate) fn new(partition: PartitionId, base_offset: Offset) -> Self {
        Self {
            partition,
            base_offset,
            next_offset: base_offset,
            size_bytes: 0,
            index_entry_count: 0,
            max_timestamp: Timestamp(i64::MIN),
        }
    }
}
