//! Fills the next block while the previous one is being written.

use std::fmt;

use bytes::Bytes;
use stele_base_types::LogId;
use stele_wire_batch::BatchHeader;

use super::{
    Appended, Block, BlockSequence, END_MARK, HEADER_SIZE_BYTES, Header, Place, Salt, Target,
    entries::{ENTRY_HEADER_SIZE_BYTES, KIND_APPEND, KIND_CONTROL, TARGET_SIZE_BYTES},
    padded, position,
};
use crate::{Error, limits::BLOCK_CONTENT_SIZE_BYTES_MAX};

/// The initial capacity of a builder, restored after small blocks.
const CAPACITY_BYTES_MIN: usize = 4 << 10;

/// Collects what the next group commit writes. Owned by the shard.
///
/// Pushing copies the bytes once, into the block; the finished block is written to disk and also
/// serves readers.
pub struct BlockBuilder {
    sequence: BlockSequence,
    salt: Salt,
    /// Header (still zero), then the entries so far.
    bytes: Vec<u8>,
    entry_count: u32,
    appended: Vec<Appended>,
}

/// How far a block was filled.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    size_bytes: usize,
    entry_count: u32,
    appended: usize,
}

impl BlockBuilder {
    /// A builder whose first block is `sequence`, for a journal with this salt.
    pub(crate) fn new(sequence: BlockSequence, salt: Salt) -> Self {
        Self {
            sequence,
            salt,
            bytes: vec![0; HEADER_SIZE_BYTES],
            entry_count: 0,
            appended: Vec::new(),
        }
    }

    /// Adds a control record, whose bytes only the caller interprets.
    pub fn push_control(&mut self, record: &[u8]) -> Result<(), Error> {
        self.begin_entry(KIND_CONTROL, record.len())?;
        self.bytes.extend_from_slice(record);
        Ok(())
    }

    /// Appends one batch to each of `targets`, at least one. The batch may come in parts (a header
    /// made by the caller, a body from the socket). It is stored once, with the first target's base
    /// offset and this leader epoch in its header.
    pub fn push_append(
        &mut self,
        targets: &[Target],
        leader_epoch: i32,
        batch: &[Bytes],
    ) -> Result<(), Error> {
        assert!(!targets.is_empty(), "an append goes somewhere");
        let batch_size_bytes: usize = batch.iter().map(Bytes::len).sum();
        let length = 4 + targets.len() * TARGET_SIZE_BYTES + batch_size_bytes;
        let before = self.filled();
        let start = self.bytes.len();
        self.begin_entry(KIND_APPEND, length)?;
        self.put_targets(targets);
        let batch_start = self.bytes.len();
        for part in batch {
            self.bytes.extend_from_slice(part);
        }
        let noted = self.note_appends(targets, leader_epoch, start, batch_start);
        if noted.is_err() {
            self.take_back(before);
        }
        noted
    }

    /// How far the block is filled.
    pub fn filled(&self) -> Filled {
        Filled {
            size_bytes: self.bytes.len(),
            entry_count: self.entry_count,
            appended: self.appended.len(),
        }
    }

    /// Removes what was pushed since `before`.
    pub fn take_back(&mut self, before: Filled) {
        self.bytes.truncate(before.size_bytes);
        self.entry_count = before.entry_count;
        self.appended.truncate(before.appended);
    }

    /// Closes the block and starts the next. The block may be empty: written at a graceful stop,
    /// with everything before it on disk, it proves that any later loss is damage.
    ///
    /// `synced`: every block before this one is on disk, as returned by [`crate::Journal::sync`];
    /// it may lag behind.
    pub fn finish(&mut self, synced: BlockSequence) -> Block {
        let content_size_bytes = self.bytes.len() - HEADER_SIZE_BYTES;
        let size_bytes = padded(self.bytes.len());
        self.bytes.resize(size_bytes, 0);
        self.put_header(synced, content_size_bytes);

        self.bytes.extend_from_slice(&END_MARK);
        let capacity = self.bytes.len().max(CAPACITY_BYTES_MIN);
        let mut fresh = Vec::with_capacity(capacity);
        fresh.resize(HEADER_SIZE_BYTES, 0);
        let mut bytes = std::mem::replace(&mut self.bytes, fresh);
        // The block may stay in memory for long: a small one after a large one must not keep the
        // large capacity.
        if bytes.capacity() - bytes.len() > bytes.len() / 4 {
            bytes.shrink_to_fit();
        }
        let ended = Bytes::from(bytes);
        let block = Block {
            sequence: self.sequence,
            bytes: ended.slice(..size_bytes),
            ended,
            appended: self.appended.as_slice().into(),
        };
        self.appended.clear();
        self.entry_count = 0;
        self.sequence = self.sequence.next();
        block
    }

    /// Handles a deleted log: appends to it stay in the block, but readers no longer find them.
    pub fn forget_log(&mut self, log: LogId) {
        self.appended
            .retain(|appended| appended.target.partition.log != log);
    }

    /// The sequence of the block being filled.
    pub fn sequence(&self) -> BlockSequence {
        self.sequence
    }

    /// Whether nothing was pushed since the last block.
    pub fn is_empty(&self) -> bool {
        self.entry_count == 0
    }

    /// Size of the block so far.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn begin_entry(&mut self, kind: u8, length: usize) -> Result<(), Error> {
        let size_bytes = self.bytes.len() + ENTRY_HEADER_SIZE_BYTES + length;
        if size_bytes > BLOCK_CONTENT_SIZE_BYTES_MAX {
            return Err(Error::TooLarge {
                size_bytes,
                size_bytes_max: BLOCK_CONTENT_SIZE_BYTES_MAX,
            });
        }
        let length = u32::try_from(length).expect("a block's limit fits 32 bits");
        self.bytes
            .reserve(ENTRY_HEADER_SIZE_BYTES + length as usize);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.push(kind);
        self.entry_count += 1;
        Ok(())
    }

    fn put_targets(&mut self, targets: &[Target]) {
        let count = u32::try_from(targets.len()).expect("a block's limit fits 32 bits");
        self.bytes.extend_from_slice(&count.to_le_bytes());
        for target in targets {
            let Target {
                partition,
                base_offset,
            } = target;
            self.bytes.extend_from_slice(&partition.log.0.to_le_bytes());
            self.bytes
                .extend_from_slice(&partition.index.0.to_le_bytes());
            self.bytes.extend_from_slice(&base_offset.0.to_le_bytes());
        }
    }

    /// Checks the batch that was just copied, sets its offset, and notes the append for the read
    /// index.
    fn note_appends(
        &mut self,
        targets: &[Target],
        leader_epoch: i32,
        start: usize,
        batch_start: usize,
    ) -> Result<(), Error> {
        let end = self.bytes.len();
        let batch = &mut self.bytes[batch_start..];
        let header = BatchHeader::parse(batch)?;
        check_length(&header, batch.len())?;
        let count = u64::from(header.last_offset_delta()) + 1;
        let max_timestamp = header.max_timestamp();
        stele_wire_batch::set_base_offset(batch, targets[0].base_offset);
        stele_wire_batch::set_leader_epoch(batch, leader_epoch);

        let place = Place::of_append(targets.len(), start, batch_start..end);
        let batch_size_bytes = position(end - batch_start);
        self.appended.extend(targets.iter().map(|target| Appended {
            target: *target,
            next_offset: target.base_offset.plus(count),
            place,
            batch_size_bytes,
            max_timestamp,
        }));
        Ok(())
    }

    fn put_header(&mut self, synced: BlockSequence, content_size_bytes: usize) {
        let header = Header {
            sequence: self.sequence,
            synced,
            content_size_bytes: position(content_size_bytes),
            entry_count: self.entry_count,
            checksum: self.salt.content_checksum(&self.bytes[HEADER_SIZE_BYTES..]),
        };
        self.bytes[..HEADER_SIZE_BYTES].copy_from_slice(&header.encode(self.salt));
    }
}

impl fmt::Debug for BlockBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockBuilder")
            .field("sequence", &self.sequence)
            .field("entry_count", &self.entry_count)
            .field("size_bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Refuses a batch that is shorter or longer than its part of the entry.
fn check_length(header: &BatchHeader<'_>, available_bytes: usize) -> Result<(), Error> {
    let needed_bytes = header.size_bytes();
    match available_bytes.checked_sub(needed_bytes) {
        Some(0) => Ok(()),
        Some(rest) => Err(stele_wire_batch::Error::Trailing(rest).into()),
        None => Err(Error::Batch(stele_wire_batch::Error::Truncated {
            needed_bytes,
            available_bytes,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_little_more_memory_than_it_needs() {
        let mut builder = BlockBuilder::new(BlockSequence(0), Salt::NONE);
        for size_bytes in [1, 1 << 20, 1, 3000, 5000, 70_000, 60_000, 10] {
            builder.push_control(&vec![1; size_bytes]).expect("it fits");
            let block = builder.finish(BlockSequence(0));
            drop(block.bytes);
            let held = Vec::from(block.ended);
            assert!(held.capacity() <= held.len() / 4 * 5 + 8, "{size_bytes}");
        }
    }

    #[test]
    fn blocks_follow_each_other_and_say_what_is_on_disk() {
        let mut builder = BlockBuilder::new(BlockSequence(7), Salt::NONE);
        assert!(builder.is_empty());
        builder.push_control(b"a").expect("it fits");
        assert!(!builder.is_empty());
        let first = builder.finish(BlockSequence(5));
        assert!(builder.is_empty());
        let second = builder.finish(BlockSequence(6));
        let header = |block: &Block| Header::decode(&block.bytes, Salt::NONE).expect("a header");
        let synced = |block: &Block| (header(block).sequence.0, header(block).synced.0);
        assert_eq!(synced(&first), (7, 5));
        assert_eq!(synced(&second), (8, 6));
        assert_eq!(second.size_bytes(), HEADER_SIZE_BYTES);
        assert!(header(&first).is_intact(&first.bytes, Salt::NONE));
    }
}
