//! The journal: the blocks of a shard, in files of bounded size.
//!
//! ```text
//!  header   drawn in `journal/file_header.rs`
//!  blocks   back to back
//!  rest     of the file that is being written: zeroes, or what it held before it was used again
//! ```
//!
//! Invariants: a file is made only once the one before is whole and on disk, so only the last can
//! have a torn tail. The last file is the only one that is ever written to, until one is a spare.

mod file_header;
mod new_file;
mod retired;
mod scanner;
mod spares;
mod writer;

use std::{fmt, path::PathBuf, sync::Arc};

use stele_base_env::DiskFile;

pub(crate) use self::{
    file_header::{FILE_HEADER_SIZE_BYTES_MAX, FileHeader},
    new_file::NewFile,
    scanner::{Ending, ScannedBlock, Scanner},
    spares::Spares,
};
pub use self::{
    retired::Retired,
    writer::{JournalWriter, Written},
};
use crate::{BlockSequence, Error, error::AtPath};

/// An open journal file. Readers of it outlive its removal; while there are any, it isn't used
/// again.
pub struct JournalFile {
    pub(crate) path: PathBuf,
    pub(crate) first: BlockSequence,
    pub(crate) file: Arc<dyn DiskFile>,
}

impl JournalFile {
    pub(crate) fn size_bytes(&self) -> Result<u64, Error> {
        self.file.size_bytes().at("measure", &self.path)
    }
}

impl fmt::Debug for JournalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
