//! Reads a journal file from its start, block by block, for recovery, checkpoints and verification.

use std::sync::Arc;

use bytes::Bytes;
use stele_base_types::ShardId;

use super::{FILE_HEADER_SIZE_BYTES_MAX, FileHeader, JournalFile};
use crate::{
    BlockSequence, Error,
    block::{self, Header},
    error::AtPath,
    limits::{BLOCK_ALIGNMENT_BYTES, SCAN_WINDOW_SIZE_BYTES},
};

/// A complete block with a valid checksum.
#[derive(Clone, Debug)]
pub struct ScannedBlock {
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
    /// The file ends here, or zeroes mark its end. Old contents of a reused file may follow.
    Clean,
    /// What follows isn't the next block, and nothing proves that it ever was: the torn tail of a
    /// crash.
    Torn {
        /// The size of the tail; up to the file's end if unknown.
        size_bytes: u64,
    },
    /// A later block proves that the block here had been complete on disk.
    Damaged {
        /// What is here instead.
        what: String,
    },
}

/// Reads one file.
#[derive(Debug)]
pub(crate) struct Scanner {
    file: Arc<JournalFile>,
    header: FileHeader,
    size_bytes: u64,
    position: u64,
    next: BlockSequence,
    window: Window,
}

impl Scanner {
    /// A scanner of `file`. `None` if the file's header is incomplete, as after a crash right after
    /// its creation.
    pub(crate) fn open(file: &Arc<JournalFile>, shard: ShardId) -> Result<Option<Self>, Error> {
        let path = &file.path;
        let mut window = Window::default();
        let start = window.read(file, 0, FILE_HEADER_SIZE_BYTES_MAX)?;
        let Some(header) = FileHeader::decode(path, &start)? else {
            return Ok(None);
        };
        if (header.shard, header.first) != (shard, file.first) {
            let FileHeader { shard, first, .. } = header;
            let what = format!("the header is of shard {shard}, block {first}");
            return Err(Error::damaged(path, 0, what));
        }
        Ok(Some(Self {
            size_bytes: file.size_bytes()?,
            position: header.size_bytes() as u64,
            next: file.first,
            file: file.clone(),
            header,
            window,
        }))
    }

    /// The next block, or `None` at the end; [`Scanner::ending`] then says which kind of end it is.
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

    /// The file's header.
    pub(crate) fn header(&self) -> &FileHeader {
        &self.header
    }

    /// The position of the next block.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The sequence of the next block.
    pub(crate) fn next_sequence(&self) -> BlockSequence {
        self.next
    }

    /// The file's size.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Determines the kind of end, once there is no next block.
    pub(crate) fn ending(&mut self) -> Result<Ending, Error> {
        let (position, salt) = (self.position, self.header.salt);
        let bytes = self.bytes_at(position, block::HEADER_SIZE_BYTES)?;
        let expected = Header::decode(&bytes, salt).filter(|found| found.sequence == self.next);
        let (mut at, mut torn_until) = match expected {
            // Its header is intact, so the search begins after the block.
            Some(header) => {
                let end = position + header.block_size_bytes() as u64;
                (end, end.min(self.size_bytes))
            }
            None if block::END_MARK.starts_with(&bytes) => (position, position),
            None => (position, self.size_bytes),
        };
        while at < self.size_bytes {
            let window = self.bytes_at(at, SCAN_WINDOW_SIZE_BYTES)?;
            if window.is_empty() {
                // The file's writer has truncated it meanwhile.
                break;
            }
            let places = window.chunks(BLOCK_ALIGNMENT_BYTES);
            for (place, bytes) in (at..).step_by(BLOCK_ALIGNMENT_BYTES).zip(places) {
                if !bytes.starts_with(&block::MAGIC) {
                    continue;
                }
                let Some(later) = self.later_block_at(place)? else {
                    continue;
                };
                if later.header.synced > self.next {
                    let what = self.describe_bad_block()?;
                    return Ok(Ending::Damaged { what });
                }
                torn_until = torn_until.max(place + later.bytes.len() as u64);
            }
            at += (window.len() as u64).next_multiple_of(BLOCK_ALIGNMENT_BYTES as u64);
        }
        Ok(match torn_until - position {
            0 => Ending::Clean,
            size_bytes => Ending::Torn { size_bytes },
        })
    }

    /// The intact block at `place`, if there is one and it was written after the block expected at
    /// the end. The old contents of a reused file were written before that.
    fn later_block_at(&mut self, place: u64) -> Result<Option<ScannedBlock>, Error> {
        let bytes = self.bytes_at(place, block::HEADER_SIZE_BYTES)?;
        let header = Header::decode(&bytes, self.header.salt);
        if header.is_none_or(|header| header.sequence <= self.next) {
            return Ok(None);
        }
        self.block_at(place)
    }

    /// Describes what is in place of the next block.
    fn describe_bad_block(&mut self) -> Result<String, Error> {
        let (at, next) = (self.position, self.next);
        let bytes = self.bytes_at(at, block::HEADER_SIZE_BYTES)?;
        Ok(match Header::decode(&bytes, self.header.salt) {
            None => format!("no header where block {next} starts"),
            Some(header) if header.sequence != next => {
                format!("block {} where block {next} starts", header.sequence)
            }
            Some(_) => format!("the checksum of block {next} doesn't match"),
        })
    }

    /// The intact block at `position`, if there is one.
    fn block_at(&mut self, position: u64) -> Result<Option<ScannedBlock>, Error> {
        let salt = self.header.salt;
        let bytes = self.bytes_at(position, block::HEADER_SIZE_BYTES)?;
        let Some(header) = Header::decode(&bytes, salt) else {
            return Ok(None);
        };
        let size_bytes = header.block_size_bytes();
        if position + size_bytes as u64 > self.size_bytes {
            return Ok(None);
        }
        let bytes = self.bytes_at(position, size_bytes)?;
        Ok(header.is_intact(&bytes, salt).then_some(ScannedBlock {
            position,
            header,
            bytes,
        }))
    }

    fn bytes_at(&mut self, position: u64, length: usize) -> Result<Bytes, Error> {
        self.window.read(&self.file, position, length)
    }
}

/// The part of a file that was read last.
#[derive(Debug, Default)]
struct Window {
    bytes: Bytes,
    start: u64,
}

impl Window {
    /// Up to `length` bytes from `position`; fewer only at the end of the file.
    fn read(&mut self, file: &JournalFile, position: u64, length: usize) -> Result<Bytes, Error> {
        let offset = position.checked_sub(self.start);
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        if let Some(start) = offset
            && start <= self.bytes.len()
            && self.bytes.len() - start >= length
        {
            return Ok(self.bytes.slice(start..start + length));
        }
        let wanted = length.max(SCAN_WINDOW_SIZE_BYTES);
        let read = file.file.read_at(position, wanted);
        self.bytes = read.at("read", &file.path)?;
        self.start = position;
        Ok(self.bytes.slice(..length.min(self.bytes.len())))
    }
}
