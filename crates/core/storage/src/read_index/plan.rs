//! The result of a read: batches in memory, or a plan to get them from a file.

use std::{fmt, io, sync::Arc};

use bytes::Bytes;
use stele_base_types::{Offset, PartitionId};
use stele_wire_batch::BatchHeader;

use super::begun::BegunBatches;
use crate::{
    Error,
    block::{Append, Entries, Entry},
    journal::JournalFile,
    limits::READ_GAP_BYTES_MAX,
    segment::{Segment, SegmentFiles},
};

/// A complete stored batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// The offset of its first record in the partition that was read.
    pub base_offset: Offset,
    /// The batch. The base offset in its header may be that of another partition to which the same
    /// batch was appended; everything else is as it was appended.
    pub bytes: Bytes,
}

impl StoredBatch {
    /// The offset after its last record.
    pub fn next_offset(&self) -> Offset {
        let count = BatchHeader::parse(&self.bytes)
            .map_or(1, |header| u64::from(header.last_offset_delta()) + 1);
        self.base_offset.plus(count)
    }
}

/// A piece of the result of a read.
#[derive(Clone, Debug)]
pub enum Slice {
    /// In memory.
    Memory(StoredBatch),
    /// On disk.
    Disk(ReadPlan),
}

impl Slice {
    /// The batches, in order; reads the disk if necessary. Batches from disk are verified.
    pub fn resolve(&self) -> Result<Vec<StoredBatch>, Error> {
        match self {
            Self::Memory(batch) => Ok(vec![batch.clone()]),
            Self::Disk(plan) => plan.resolve(),
        }
    }

    /// The batch that holds all of it, if that needs no disk access; else the plan to read it.
    pub fn at_hand(self) -> Result<StoredBatch, ReadPlan> {
        match self {
            Self::Memory(batch) => Ok(batch),
            Self::Disk(plan) => plan.begun.find(&plan.wanted).ok_or(plan),
        }
    }

    /// The most bytes that its batches take; a single batch on disk may take more.
    pub fn size_bytes_max(&self) -> usize {
        match self {
            Self::Memory(batch) => batch.bytes.len(),
            Self::Disk(plan) => plan.size_bytes_max(),
        }
    }

    /// Drops the batches beyond `size_bytes_max` bytes, except the first.
    pub fn limit(&mut self, size_bytes_max: usize) {
        if let Self::Disk(plan) = self {
            plan.wanted.size_bytes_max = plan.wanted.size_bytes_max.min(size_bytes_max);
        }
    }

    /// The offset after its last batch, if its size wasn't limited: where to continue reading.
    pub fn next_offset(&self) -> Offset {
        match self {
            Self::Memory(batch) => batch.next_offset(),
            Self::Disk(plan) => plan.next_offset(),
        }
    }
}

/// How to read batches from a file. Holds the file open, so that its removal does no harm.
#[derive(Clone)]
pub struct ReadPlan {
    pub(crate) wanted: Wanted,
    pub(crate) source: Source,
    pub(super) begun: Arc<BegunBatches>,
}

/// Which batches are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) partition: PartitionId,
    /// The first offset that is wanted; its batch may start before.
    pub(crate) from: Offset,
    /// Batches that start here or later aren't wanted.
    pub(crate) until: Offset,
    /// The most that the batches together take; the first is returned in any case.
    pub(crate) size_bytes_max: usize,
}

#[derive(Clone)]
pub(crate) enum Source {
    Journal {
        file: Arc<JournalFile>,
        pieces: Vec<Piece>,
    },
    Segment {
        files: Arc<SegmentFiles>,
        segment: Segment,
    },
}

/// A run of batches in a journal file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) position: u64,
    pub(crate) size_bytes: u32,
    /// A single batch, without the entry that holds it.
    pub(crate) is_batch_alone: bool,
    /// The first and the next offset, to check what is found.
    pub(crate) base_offset: Offset,
    pub(crate) next_offset: Offset,
}

impl Piece {
    fn end(&self) -> u64 {
        self.position + u64::from(self.size_bytes)
    }
}

impl ReadPlan {
    fn next_offset(&self) -> Offset {
        let next = match &self.source {
            Source::Segment { segment, .. } => Some(segment.next_offset),
            Source::Journal { pieces, .. } => pieces.last().map(|piece| piece.next_offset),
        };
        next.unwrap_or(self.wanted.until).min(self.wanted.until)
    }

    /// How much is read for it: of a journal file, whole pieces.
    fn size_bytes_max(&self) -> usize {
        match &self.source {
            Source::Segment { segment, .. } => {
                let there = usize::try_from(segment.size_bytes).unwrap_or(usize::MAX);
                there.min(self.wanted.size_bytes_max)
            }
            Source::Journal { pieces, .. } => {
                let pieces = needed(pieces, self.wanted.size_bytes_max).iter();
                pieces.map(|piece| piece.size_bytes as usize).sum()
            }
        }
    }

    /// Reads and verifies the batches. Waits for the disk.
    pub fn resolve(&self) -> Result<Vec<StoredBatch>, Error> {
        if let Some(batch) = self.begun.find(&self.wanted) {
            return Ok(vec![batch]);
        }
        let batches = self.read()?;
        self.begun.note(&self.wanted, &batches);
        Ok(batches)
    }

    fn read(&self) -> Result<Vec<StoredBatch>, Error> {
        match &self.source {
            Source::Segment { files, segment } => files.read(segment, &self.wanted),
            Source::Journal { file, pieces } => {
                let mut batches = Collected::new(&self.wanted);
                let pieces = needed(pieces, self.wanted.size_bytes_max);
                for group in pieces.chunk_by(is_near) {
                    if batches.is_full {
                        break;
                    }
                    read_group(file, group, &mut batches)?;
                }
                Ok(batches.batches)
            }
        }
    }
}

impl fmt::Debug for ReadPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plan = f.debug_struct("ReadPlan");
        plan.field("wanted", &self.wanted);
        match &self.source {
            Source::Journal { file, pieces } => {
                plan.field("file", file).field("pieces", &pieces.len())
            }
            Source::Segment { segment, .. } => plan.field("segment", segment),
        };
        plan.finish()
    }
}

/// Selects the wanted batches among those offered, in order, up to the wanted size.
pub(crate) struct Collected<'a> {
    wanted: &'a Wanted,
    pub(crate) batches: Vec<StoredBatch>,
    size_bytes: usize,
    /// No further batch is accepted.
    pub(crate) is_full: bool,
}

impl<'a> Collected<'a> {
    pub(crate) fn new(wanted: &'a Wanted) -> Self {
        Self {
            wanted,
            batches: Vec::new(),
            size_bytes: 0,
            is_full: false,
        }
    }

    /// Offers a batch with offsets from `base_offset` up to `next_offset`; `bytes` is called only
    /// if it is accepted.
    pub(crate) fn offer(
        &mut self,
        base_offset: Offset,
        next_offset: Offset,
        size_bytes: usize,
        bytes: impl FnOnce() -> Bytes,
    ) {
        if self.is_full || next_offset <= self.wanted.from {
            return;
        }
        let is_over = self.size_bytes + size_bytes > self.wanted.size_bytes_max;
        if base_offset >= self.wanted.until || (is_over && !self.batches.is_empty()) {
            self.is_full = true;
            return;
        }
        self.size_bytes += size_bytes;
        self.batches.push(StoredBatch {
            base_offset,
            bytes: bytes(),
        });
    }
}

/// The pieces that contain the first `size_bytes_max` bytes; at least the first piece.
fn needed(pieces: &[Piece], size_bytes_max: usize) -> &[Piece] {
    let mut before = 0_usize;
    let is_needed = |piece: &&Piece| {
        let is_needed = before < size_bytes_max.max(1);
        before = before.saturating_add(piece.size_bytes as usize);
        is_needed
    };
    let count = pieces.iter().take_while(is_needed).count();
    &pieces[..count]
}

fn is_near(left: &Piece, right: &Piece) -> bool {
    right.position.saturating_sub(left.end()) <= READ_GAP_BYTES_MAX
}

/// Reads pieces that are close together with one call.
fn read_group(
    file: &JournalFile,
    group: &[Piece],
    batches: &mut Collected<'_>,
) -> Result<(), Error> {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return Ok(());
    };
    let length = usize::try_from(last.end() - first.position)
        .map_err(|_| Error::io("read", &file.path, io::ErrorKind::FileTooLarge.into()))?;
    let bytes = file
        .file
        .read_at(first.position, length)
        .map_err(|source| Error::io("read", &file.path, source))?;
    if bytes.len() < length {
        return Err(Error::damaged(
            &file.path,
            first.position + bytes.len() as u64,
            "the file ends in the middle of a block",
        ));
    }
    let before = batches.batches.len();
    for piece in group {
        let start =
            usize::try_from(piece.position - first.position).expect("it lies in what was read");
        let part = bytes.slice(start..start + piece.size_bytes as usize);
        if piece.is_batch_alone {
            read_batch(file, piece, part, batches)?;
        } else {
            read_piece(file, piece, &part, batches)?;
        }
    }
    detach(&mut batches.batches[before..], length);
    Ok(())
}

/// Copies batches that are a small part of what was read, so that keeping them doesn't keep all of
/// it in memory.
fn detach(batches: &mut [StoredBatch], read_bytes: usize) {
    let taken: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
    if taken < read_bytes / 2 {
        for batch in batches {
            batch.bytes = Bytes::copy_from_slice(&batch.bytes);
        }
    }
}

/// Takes the batch that fills the piece.
fn read_batch(
    file: &JournalFile,
    piece: &Piece,
    bytes: Bytes,
    batches: &mut Collected<'_>,
) -> Result<(), Error> {
    let damaged = |what: String| Error::damaged(&file.path, piece.position, what);
    let header = BatchHeader::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    let checked = header.verify_checksum(&bytes);
    checked.map_err(|error| damaged(error.to_string()))?;
    let next_offset = piece
        .base_offset
        .plus(u64::from(header.last_offset_delta()) + 1);
    if header.size_bytes() != bytes.len() || next_offset != piece.next_offset {
        return Err(damaged("not the batch that was written here".to_owned()));
    }
    let size_bytes = bytes.len();
    batches.offer(piece.base_offset, next_offset, size_bytes, || bytes);
    Ok(())
}

/// Takes the wanted batches of one piece. The block's checksum can't be verified over a part of it;
/// checking the batches' own checksums and their offsets is as good.
fn read_piece(
    file: &JournalFile,
    piece: &Piece,
    bytes: &Bytes,
    batches: &mut Collected<'_>,
) -> Result<(), Error> {
    let partition = batches.wanted.partition;
    let mut expected = piece.base_offset;
    let mut entries = Entries::new(bytes);
    while let Some(entry) = entries.next() {
        let at = piece.position + entries.position() as u64;
        let damaged = |what: String| Error::damaged(&file.path, at, what);
        let Entry::Append(append) = entry.map_err(|error| damaged(error.to_string()))? else {
            continue;
        };
        let Some(base_offset) = append.base_offset_in(partition) else {
            continue;
        };
        if base_offset != expected {
            let what = format!("offset {base_offset} of {partition} where {expected} should be");
            return Err(damaged(what));
        }
        verify(&append, bytes).map_err(damaged)?;
        expected = base_offset.plus(append.offset_count());
        batches.offer(base_offset, expected, append.batch.len(), || {
            bytes.slice(append.batch.clone())
        });
    }
    if expected != piece.next_offset {
        let what = format!(
            "{partition} ends at {expected} instead of {}",
            piece.next_offset
        );
        return Err(Error::damaged(&file.path, piece.end(), what));
    }
    Ok(())
}

fn verify(append: &Append<'_>, bytes: &Bytes) -> Result<(), String> {
    let batch = &bytes[append.batch.clone()];
    append
        .header
        .verify_checksum(batch)
        .map_err(|error| error.to_string())
}
