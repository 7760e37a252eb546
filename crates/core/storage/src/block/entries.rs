//! The entries of a stored block, read in place.

use std::ops::Range;

use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex};
use stele_wire_batch::BatchHeader;

use super::{Target, u32_at, u64_at};

pub(crate) const ENTRY_HEADER_SIZE_BYTES: usize = 5;
pub(crate) const KIND_CONTROL: u8 = 1;
pub(crate) const KIND_APPEND: u8 = 2;

/// Size of one target of an append.
pub(crate) const TARGET_SIZE_BYTES: usize = 20;

/// An entry of a block.
#[derive(Clone, Debug)]
pub(crate) enum Entry<'a> {
    /// A control record.
    Control(&'a [u8]),
    /// A batch and its targets.
    Append(Append<'a>),
}

/// A batch and its targets.
#[derive(Clone, Debug)]
pub(crate) struct Append<'a> {
    targets: &'a [u8],
    /// The header of the batch.
    pub(crate) header: BatchHeader<'a>,
    /// The range of the batch in the bytes that are read.
    pub(crate) batch: Range<usize>,
}

impl Append<'_> {
    /// The targets, in the order in which they were pushed.
    pub(crate) fn targets(&self) -> impl Iterator<Item = Target> + '_ {
        let targets = self.targets.chunks_exact(TARGET_SIZE_BYTES);
        targets.map(|target| Target {
            partition: PartitionId::new(
                LogId(u64_at(target, 0)),
                PartitionIndex(u32_at(target, 8)),
            ),
            base_offset: Offset(u64_at(target, 12)),
        })
    }

    /// The base offset in `partition`, if the batch goes there.
    pub(crate) fn base_offset_in(&self, partition: PartitionId) -> Option<Offset> {
        let mut targets = self.targets();
        let target = targets.find(|target| target.partition == partition)?;
        Some(target.base_offset)
    }

    /// How many offsets the batch takes.
    pub(crate) fn offset_count(&self) -> u64 {
        u64::from(self.header.last_offset_delta()) + 1
    }
}

/// Why bytes aren't an entry. The block's checksum is valid, so they were written like this: by a
/// bug in Stele, or by a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EntryError {
    #[error("an entry reaches beyond its block")]
    Truncated,
    #[error("an entry of unknown kind {0}")]
    KindUnknown(u8),
    #[error("an append's targets reach beyond it")]
    Targets,
    #[error("an append holds no whole record batch")]
    Batch,
}

/// Reads consecutive entries from a part of a block that starts and ends on entry boundaries.
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Entries<'a> {
    /// The entries in `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The position of the next entry in the bytes.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    fn read(&mut self) -> Result<Entry<'a>, EntryError> {
        let rest = &self.bytes[self.position..];
        let header: &[u8; ENTRY_HEADER_SIZE_BYTES] =
            rest.first_chunk().ok_or(EntryError::Truncated)?;
        let end = ENTRY_HEADER_SIZE_BYTES + u32_at(header, 0) as usize;
        let payload = rest
            .get(ENTRY_HEADER_SIZE_BYTES..end)
            .ok_or(EntryError::Truncated)?;
        let payload_start = self.position + ENTRY_HEADER_SIZE_BYTES;
        self.position += end;
        match header[4] {
            KIND_CONTROL => Ok(Entry::Control(payload)),
            KIND_APPEND => decode_append(payload, payload_start).map(Entry::Append),
            kind => Err(EntryError::KindUnknown(kind)),
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, EntryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.bytes.len() {
            return None;
        }
        let entry = self.read();
        if entry.is_err() {
            // After a bad entry the next start is unknown.
            self.position = self.bytes.len();
        }
        Some(entry)
    }
}

fn decode_append(payload: &[u8], payload_start: usize) -> Result<Append<'_>, EntryError> {
    let (count, rest) = payload.split_first_chunk().ok_or(EntryError::Targets)?;
    let targets_size_bytes = u32::from_le_bytes(*count) as usize * TARGET_SIZE_BYTES;
    if targets_size_bytes == 0 || rest.len() < targets_size_bytes {
        return Err(EntryError::Targets);
    }
    let (targets, batch) = rest.split_at(targets_size_bytes);
    let header = BatchHeader::parse(batch).map_err(|_| EntryError::Batch)?;
    if header.size_bytes() != batch.len() {
        return Err(EntryError::Batch);
    }
    let batch_start = payload_start + count.len() + targets_size_bytes;
    Ok(Append {
        targets,
        header,
        batch: batch_start..batch_start + batch.len(),
    })
}
