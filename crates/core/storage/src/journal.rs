//! The journal: the blocks of a shard, in files of bounded size.
//!
//! ```text
//!  0  8 "STELEJNL"
//!  8  4 format          1
//! 12  4 shard
//! 16  8 first sequence  of the first block; also the file's name
//! 24  4 checksum        CRC-32C of bytes 0 to 24
//! 28  4 zeroes
//! 32  blocks, back to back; zeroes may follow in the file that is being written
//! ```
//!
//! Invariants: a file is made only once the one before is whole and on disk, so only the last can
//! have a torn tail. The last file is the only one that is ever written to.

mod retired;
mod scanner;
mod writer;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::DiskFile;
use stele_base_types::ShardId;

pub use self::retired::Retired;
pub(crate) use self::scanner::{Ending, ScannedBlock, Scanner};
pub(crate) use self::writer::create_file;
pub use self::writer::{JournalWriter, Written};
use crate::{
    BlockSequence, Error,
    block::{u32_at, u64_at},
};

/// Size of a journal file's header; the first block follows.
pub(crate) const FILE_HEADER_SIZE_BYTES: usize = 32;

const MAGIC: [u8; 8] = *b"STELEJNL";
const FORMAT_VERSION: u32 = 1;
const CHECKSUM_AT: usize = 24;

/// An open journal file. Readers of it outlive its removal.
pub struct JournalFile {
    pub(crate) path: PathBuf,
    pub(crate) first: BlockSequence,
    pub(crate) file: Arc<dyn DiskFile>,
}

impl fmt::Debug for JournalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

pub(crate) fn encode_file_header(
    shard: ShardId,
    first: BlockSequence,
) -> [u8; FILE_HEADER_SIZE_BYTES] {
    let mut header = [0; FILE_HEADER_SIZE_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&u32::from(shard.0).to_le_bytes());
    header[16..24].copy_from_slice(&first.0.to_le_bytes());
    let checksum = crc32c::crc32c(&header[..CHECKSUM_AT]);
    header[CHECKSUM_AT..28].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Whether `bytes` starts with the header that the file of this name must have.
///
/// Tells a header that isn't whole (`Ok(false)`, as a crash leaves it) from one that is whole and
/// wrong.
pub(crate) fn check_file_header(
    path: &Path,
    bytes: &[u8],
    shard: ShardId,
    first: BlockSequence,
) -> Result<bool, Error> {
    let Some(header) = bytes.first_chunk::<FILE_HEADER_SIZE_BYTES>() else {
        return Ok(false);
    };
    if *header == encode_file_header(shard, first) {
        return Ok(true);
    }
    if header[..8] != MAGIC || crc32c::crc32c(&header[..CHECKSUM_AT]) != u32_at(header, CHECKSUM_AT)
    {
        return Ok(false);
    }
    let version = u32_at(header, 8);
    if version != FORMAT_VERSION {
        return Err(Error::Format {
            path: path.to_owned(),
            what: format!("journal format {version}, but this stele knows format {FORMAT_VERSION}"),
            advice: "use the version of stele that wrote it",
        });
    }
    let what = format!(
        "the header is of shard {}, block {}",
        u32_at(header, 12),
        u64_at(header, 16)
    );
    Err(Error::damaged(path, 0, what))
}
