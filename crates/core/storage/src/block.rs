//! A block: what one group commit adds to the journal. Little-endian throughout.
//!
//! ```text
//!  0      4 "SBK" 1          magic and format
//!  4      4 header checksum  CRC-32C of bytes 8 to 40, from the salt on
//!  8      8 sequence         dense across the files of a shard's journal
//! 16      8 synced           blocks before this one were on disk when this one was made
//! 24      4 content length   in bytes, without the padding
//! 28      4 entry count
//! 32      4 checksum         CRC-32C of the entries and the padding, from the salt on
//! 36      4 zeroes
//! 40      n entries, back to back
//!           4 length         of what follows the kind
//!           1 kind
//!             1 control      the record, opaque
//!             2 append
//!               4 target count
//!                 8 log
//!                 4 partition
//!                 8 base offset
//!               a record batch (Kafka's format 2), the first target's base offset in its header
//! 40+n    p zeroes, to a multiple of 8
//!           then the next block, or 40 zeroes, or the end of the file
//! ```
//!
//! The header has its own checksum, so that the extent of a torn block is still known: client data
//! inside it isn't searched for blocks. In the old contents of a reused file client data is
//! searched; there the salt of the checksums distinguishes it from a block. The salt is a secret of
//! the journal, stored in the header of each of its files.
//!
//! Invariants: the appends of a block have consecutive offsets in each partition. If a block
//! follows a damaged one and its `synced` lies beyond it, the damaged block had been complete on
//! disk: it is damage, not the torn tail of a crash.

mod builder;
mod entries;
mod salt;

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use stele_base_types::{Offset, PartitionId, Timestamp};

pub use self::builder::{BlockBuilder, Filled};
pub(crate) use self::{
    entries::{Append, Entries, Entry, TARGET_SIZE_BYTES},
    salt::Salt,
};
use crate::limits::{BLOCK_ALIGNMENT_BYTES, TARGETS_SKIPPED_MIN};

/// Size of a block's header.
pub(crate) const HEADER_SIZE_BYTES: usize = 40;

/// The first bytes of every block.
pub(crate) const MAGIC: [u8; 4] = *b"SBK\x01";

/// Follows the last block, where the next header would be. Distinguishes the end of the journal
/// from a torn write.
pub(crate) const END_MARK: [u8; HEADER_SIZE_BYTES] = [0; HEADER_SIZE_BYTES];

/// Start of the bytes that the header's checksum covers.
const HEADER_CHECKED_FROM: usize = 8;

/// A block's place in its shard's journal: dense, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockSequence(pub u64);

impl BlockSequence {
    /// The sequence of the block after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for BlockSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a batch is appended: a partition, and the offset of its first record there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the batch's first record in it.
    pub base_offset: Offset,
}

/// One append of a block to one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) target: Target,
    pub(crate) next_offset: Offset,
    pub(crate) place: Place,
    pub(crate) batch_size_bytes: u32,
    pub(crate) max_timestamp: Timestamp,
}

/// The bytes of a block that a reader of one target of an append needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Only the batch, instead of whole entries.
    pub(crate) is_batch_alone: bool,
}

impl Place {
    /// The place of an entry that begins at `start` and ends with its batch. Of an entry with very
    /// many targets only the batch is read: otherwise the readers of each target would read the
    /// list of all targets.
    pub(crate) fn of_append(target_count: usize, start: usize, batch: Range<usize>) -> Self {
        let is_batch_alone = target_count >= TARGETS_SKIPPED_MIN;
        Self {
            start: position(if is_batch_alone { batch.start } else { start }),
            end: position(batch.end),
            is_batch_alone,
        }
    }
}

/// A complete block, ready to be written. Cheap to clone: the writer and the readers share the
/// bytes.
#[derive(Clone)]
pub struct Block {
    pub(crate) sequence: BlockSequence,
    pub(crate) bytes: Bytes,
    /// The same bytes followed by [`END_MARK`], for a file with old contents.
    pub(crate) ended: Bytes,
    pub(crate) appended: Arc<[Appended]>,
}

impl Block {
    /// Its place in the journal.
    pub fn sequence(&self) -> BlockSequence {
        self.sequence
    }

    /// Its size in the journal.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("sequence", &self.sequence)
            .field("size_bytes", &self.bytes.len())
            .field("appends", &self.appended.len())
            .finish()
    }
}

/// The header of a stored block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) sequence: BlockSequence,
    pub(crate) synced: BlockSequence,
    pub(crate) content_size_bytes: u32,
    pub(crate) entry_count: u32,
    pub(crate) checksum: u32,
}

impl Header {
    /// Reads the header at the start of `bytes`. Returns `None` if it isn't intact.
    pub(crate) fn decode(bytes: &[u8], salt: Salt) -> Option<Self> {
        let bytes: &[u8; HEADER_SIZE_BYTES] = bytes.first_chunk()?;
        let header = Self {
            sequence: BlockSequence(u64_at(bytes, 8)),
            synced: BlockSequence(u64_at(bytes, 16)),
            content_size_bytes: u32_at(bytes, 24),
            entry_count: u32_at(bytes, 28),
            checksum: u32_at(bytes, 32),
        };
        // The largest number can't be followed by another block.
        let can_be_followed = header.sequence.0 < u64::MAX;
        (can_be_followed && *bytes == header.encode(salt)).then_some(header)
    }

    /// The header's bytes.
    pub(crate) fn encode(&self, salt: Salt) -> [u8; HEADER_SIZE_BYTES] {
        let mut bytes = [0; HEADER_SIZE_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.sequence.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.synced.0.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.content_size_bytes.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.entry_count.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.checksum.to_le_bytes());
        let checksum = salt.header_checksum(&bytes[HEADER_CHECKED_FROM..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Size of the whole block, with header and padding.
    pub(crate) fn block_size_bytes(&self) -> usize {
        padded(HEADER_SIZE_BYTES + self.content_size_bytes as usize)
    }

    /// Whether `block`, which starts with this header and has the length it states, is unchanged.
    pub(crate) fn is_intact(&self, block: &[u8], salt: Salt) -> bool {
        block.len() == self.block_size_bytes()
            && salt.content_checksum(&block[HEADER_SIZE_BYTES..]) == self.checksum
    }

    /// The end of the entries in the block.
    pub(crate) fn entries_end(&self) -> usize {
        HEADER_SIZE_BYTES + self.content_size_bytes as usize
    }
}

/// `size_bytes` rounded up to where the next block may start.
pub(crate) fn padded(size_bytes: usize) -> usize {
    size_bytes.next_multiple_of(BLOCK_ALIGNMENT_BYTES)
}

/// A position in a block, as stored.
fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a block's limit fits 32 bits")
}

/// The little-endian number at `at`, which is within `bytes`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes[at..]
        .first_chunk()
        .expect("the caller checked the length");
    u32::from_le_bytes(*field)
}

/// The little-endian number at `at`, which is within `bytes`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let field = bytes[at..]
        .first_chunk()
        .expect("the caller checked the length");
    u64::from_le_bytes(*field)
}
