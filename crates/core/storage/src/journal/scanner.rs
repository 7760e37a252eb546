//! Reads a journal file from its start, block by block, for recovery, settling and verification.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use stele_base_env::DiskFile;
use stele_base_types::ShardId;

use super::{FILE_HEADER_SIZE_BYTES, JournalFile, check_file_header};
use crate::{
    BlockSequence, Error,
    block::{self, Header},
    error::AtPath,
    limits::{BLOCK_ALIGNMENT_BYTES, SCAN_WINDOW_SIZE_BYTES},
};

/// A whole block whose checksum holds.
#[derive(Clone, Debug)]
pub(crate) struct ScannedBlock {
    pub(crate) position: u64,
    pub(crate) header: Header,
    pub(crate) bytes: Bytes,
}

impl ScannedBlock {
    /// The part of the block that holds its entries.
    pub(crate) fn entries(&self) -> &[u8] {
        &self.bytes[block::HEADER_SIZE_BYTES..self.header.entries_end()]
    }
}

/// Why there is no further block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The file ends here, or holds only zeroes from here on.
    Clean,
    /// Something is here that isn't the next block, and nothing proves that it once was: the tail
    /// that a crash tore.
    Torn,
    /// What was here had been whole on disk: a later block proves it.
    Damaged {
        /// What is here instead.
        what: String,
    },
}

/// Reads one file.
#[derive(Debug)]
pub(crate) struct Scanner {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    size_bytes: u64,
    position: u64,
    next: BlockSequence,
    window: Bytes,
    window_start: u64,
}

impl Scanner {
    /// A scanner of `journal_file`. `None` where the file's header isn't whole, as a crash right
    /// after its creation leaves it.
    pub(crate) fn open(journal_file: &JournalFile, shard: ShardId) -> Result<Option<Self>, Error> {
        let JournalFile { path, first, file } = journal_file;
        let mut scanner = Self {
            path: path.clone(),
            file: file.clone(),
            size_bytes: file.size_bytes().at("measure", path)?,
            position: FILE_HEADER_SIZE_BYTES as u64,
            next: *first,
            window: Bytes::new(),
            window_start: 0,
        };
        let header = scanner.bytes_at(0, FILE_HEADER_SIZE_BYTES)?;
        let is_whole = check_file_header(path, &header, shard, *first)?;
        Ok(is_whole.then_some(scanner))
    }

    /// The next block, or `None` at the end; [`Scanner::ending`] then tells which end it is.
    pub(crate) fn next_block(&mut self) -> Result<Option<ScannedBlock>, Error> {
        let Some(block) = self.block_at(self.position)? else {
            return Ok(None);
        };
        if block.header.sequence != self.next {
            return Ok(None);
        }
        self.position += block.bytes.len() as u64;
        self.next = self.next.next();
        Ok(Some(block))
    }

    /// Where the next block starts, or would.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The sequence that the next block has, or would have.
    pub(crate) fn next_sequence(&self) -> BlockSequence {
        self.next
    }

    /// The file's size.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// What kind of end this is, once there is no next block.
    pub(crate) fn ending(&mut self) -> Result<Ending, Error> {
        let mut at = self.position;
        let bytes = self.bytes_at(at, block::HEADER_SIZE_BYTES)?;
        let mut is_clean = true;
        if let Some(header) = Header::decode(&bytes)
            && header.sequence == self.next
        {
            is_clean = false;
            at += header.block_size_bytes() as u64;
        }
        let step = BLOCK_ALIGNMENT_BYTES as u64;
        while at < self.size_bytes {
            let window = self.bytes_at(at, SCAN_WINDOW_SIZE_BYTES)?;
            is_clean = is_clean && window.iter().all(|byte| *byte == 0);
            let places = window.chunks(BLOCK_ALIGNMENT_BYTES);
            for (place, bytes) in (at..).step_by(BLOCK_ALIGNMENT_BYTES).zip(places) {
                if bytes.starts_with(&block::MAGIC) && self.proves_damage(place)? {
                    return Ok(Ending::Damaged {
                        what: self.describe_bad_block()?,
                    });
                }
            }
            at += (window.len() as u64).next_multiple_of(step);
        }
        Ok(if is_clean {
            Ending::Clean
        } else {
            Ending::Torn
        })
    }

    /// Whether the block at `place` says that the one expected at the end had been on disk.
    fn proves_damage(&mut self, place: u64) -> Result<bool, Error> {
        let next = self.next;
        let block = self.block_at(place)?;
        Ok(block.is_some_and(|block| block.header.synced > next))
    }

    /// What is where the next block should be.
    fn describe_bad_block(&mut self) -> Result<String, Error> {
        let (at, next) = (self.position, self.next);
        let bytes = self.bytes_at(at, block::HEADER_SIZE_BYTES)?;
        Ok(match Header::decode(&bytes) {
            None => format!("no header where block {next} starts"),
            Some(header) if header.sequence != next => {
                format!("block {} where block {next} starts", header.sequence)
            }
            Some(_) => format!("the checksum of block {next} doesn't match"),
        })
    }

    /// The intact block at `position`, if there is one.
    fn block_at(&mut self, position: u64) -> Result<Option<ScannedBlock>, Error> {
        let bytes = self.bytes_at(position, block::HEADER_SIZE_BYTES)?;
        let Some(header) = Header::decode(&bytes) else {
            return Ok(None);
        };
        let size_bytes = header.block_size_bytes();
        if position + size_bytes as u64 > self.size_bytes {
            return Ok(None);
        }
        let bytes = self.bytes_at(position, size_bytes)?;
        Ok(header.is_intact(&bytes).then_some(ScannedBlock {
            position,
            header,
            bytes,
        }))
    }

    /// Up to `length` bytes from `position`: fewer only at the end of the file.
    fn bytes_at(&mut self, position: u64, length: usize) -> Result<Bytes, Error> {
        let offset = position.checked_sub(self.window_start);
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        if let Some(start) = offset
            && start <= self.window.len()
            && self.window.len() - start >= length
        {
            return Ok(self.window.slice(start..start + length));
        }
        let wanted = length.max(SCAN_WINDOW_SIZE_BYTES);
        self.window = self.file.read_at(position, wanted).at("read", &self.path)?;
        self.window_start = position;
        Ok(self.window.slice(..length.min(self.window.len())))
    }
}
