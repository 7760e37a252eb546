//! The header of a journal file. Little-endian:
//!
//! ```text
//!  0  8 "STELEJNL"
//!  8  4 format          2, or 1 as version 1 of the directory has it
//! 12  4 shard
//! 16  8 first sequence  of the first block; also the file's name
//! 24  4 checksum        CRC-32C of bytes 0 to 24
//! 28  8 salt            what the blocks' checksums start from: 4 for headers, 4 for contents
//! 36  4 checksum        CRC-32C of bytes 28 to 36
//! 40  blocks
//! ```
//!
//! Format 1 has zeroes at 28, its blocks at 32, and no salt. The first 28 bytes are the same, so
//! that a program that knows only one of the formats recognizes the other.

use std::path::Path;

use stele_base_types::ShardId;

use crate::{
    BlockSequence, Error,
    block::{Salt, u32_at, u64_at},
};

/// Size of the longest header; a file of at most this size holds no block.
pub(crate) const FILE_HEADER_SIZE_BYTES_MAX: usize = 40;

const MAGIC: [u8; 8] = *b"STELEJNL";
const FORMAT_UNSALTED: u32 = 1;
const FORMAT_SALTED: u32 = 2;
const CHECKSUM_AT: usize = 24;
const SALT_AT: usize = 28;
const SALT_CHECKSUM_AT: usize = SALT_AT + Salt::SIZE_BYTES;
const UNSALTED_SIZE_BYTES: usize = 32;

/// The header of a journal file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) format: u32,
    pub(crate) shard: ShardId,
    pub(crate) first: BlockSequence,
    pub(crate) salt: Salt,
}

impl FileHeader {
    /// The format of new files.
    pub(crate) const FORMAT_LATEST: u32 = FORMAT_SALTED;

    /// Whether the file's checksums are salted. No blocks are added to a file without salt.
    pub(crate) fn is_salted(&self) -> bool {
        self.format != FORMAT_UNSALTED
    }

    /// The header's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut header = vec![0; self.size_bytes()];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&self.format.to_le_bytes());
        header[12..16].copy_from_slice(&u32::from(self.shard.0).to_le_bytes());
        header[16..24].copy_from_slice(&self.first.0.to_le_bytes());
        let checksum = crc32c::crc32c(&header[..CHECKSUM_AT]);
        header[CHECKSUM_AT..SALT_AT].copy_from_slice(&checksum.to_le_bytes());
        if self.format != FORMAT_UNSALTED {
            header[SALT_AT..SALT_CHECKSUM_AT].copy_from_slice(&self.salt.encode());
            let checksum = crc32c::crc32c(&header[SALT_AT..SALT_CHECKSUM_AT]);
            header[SALT_CHECKSUM_AT..SALT_CHECKSUM_AT + 4].copy_from_slice(&checksum.to_le_bytes());
        }
        header
    }

    /// Where the first block starts.
    pub(crate) fn size_bytes(&self) -> usize {
        if self.format == FORMAT_UNSALTED {
            UNSALTED_SIZE_BYTES
        } else {
            FILE_HEADER_SIZE_BYTES_MAX
        }
    }

    /// Reads the header at the start of the file `path`. Returns `None` if it is incomplete, as
    /// after a crash; fails if it is complete but its format is unknown.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Option<Self>, Error> {
        let Some(start) = bytes.first_chunk::<SALT_AT>() else {
            return Ok(None);
        };
        let checksum = crc32c::crc32c(&start[..CHECKSUM_AT]);
        if start[..8] != MAGIC || checksum != u32_at(start, CHECKSUM_AT) {
            return Ok(None);
        }
        let mut header = Self {
            format: u32_at(start, 8),
            shard: u16::try_from(u32_at(start, 12))
                .map(ShardId)
                .map_err(|_| Error::damaged(path, 12, "no such shard"))?,
            first: BlockSequence(u64_at(start, 16)),
            salt: Salt::NONE,
        };
        if ![FORMAT_UNSALTED, FORMAT_SALTED].contains(&header.format) {
            return Err(format_unknown(path, header.format));
        }
        let Some(bytes) = bytes.get(..header.size_bytes()) else {
            return Ok(None);
        };
        if header.format == FORMAT_SALTED {
            header.salt = Salt::decode(&bytes[SALT_AT..]);
        }
        Ok((bytes == header.encode()).then_some(header))
    }
}

fn format_unknown(path: &Path, format: u32) -> Error {
    Error::Format {
        path: path.to_owned(),
        what: format!(
            "journal format {format}, but this stele knows formats up to {FORMAT_SALTED}"
        ),
        advice: "use the version of stele that wrote it",
    }
}
