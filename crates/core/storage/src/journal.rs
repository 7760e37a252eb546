//! The journal: the blocks of a shard, in files of bounded size.
//!
//! ```text
//!  header   drawn in `journal/file_header.rs`
//!  blocks   back to back
//!  rest     of the file that is being written: zeroes, or what it held before it was used again
//! ```
//!
//! Invariants: a file is created only once the one before is complete and on disk, so only the last
//! can have a torn tail. Only the last file is written to, until a file is reused as a spare.

mod file_header;
mod local;
#[cfg(test)]
mod memory;
mod new_file;
mod progress;
mod retired;
mod scanner;
mod spares;
mod writer;

use std::{
    fmt::{self, Debug},
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
};

use stele_base_env::{DiskFile, Rng};

#[cfg(test)]
pub(crate) use self::memory::MemoryJournal;
pub(crate) use self::{
    file_header::{FILE_HEADER_SIZE_BYTES_MAX, FileHeader},
    local::LocalJournal,
    new_file::NewFile,
    scanner::{Ending, Scanner},
    spares::Spares,
    writer::JournalWriter,
};
pub use self::{retired::Retired, scanner::ScannedBlock, writer::Written};
use crate::{Block, BlockBuilder, BlockSequence, Error, error::AtPath};

/// The journal of a shard: blocks are appended at its end, in sequence, and read back by a replay.
///
/// The stages are replay, begin, append, each once. After an error the contents of its end are
/// unknown: every later call fails too, and the process must stop and recover. The exception is an
/// error of [`Journal::append`] or [`Journal::seal`] for lack of space or descriptors
/// ([`Error::is_for_want_before_a_sync`]): nothing has changed, and the same call may be repeated.
pub trait Journal: Debug + Send {
    /// Passes every whole block from `from` on to the sink; `from` is where a snapshot ends.
    /// Without a snapshot, starts with the first block possible. Changes nothing.
    ///
    /// Fails with [`Error::Damaged`] if a crash can't explain what is found: at position 0 if
    /// `from` is missing, and also if the journal ends before the point that [`Journal::mark_end`]
    /// noted.
    fn replay(
        &mut self,
        from: Option<BlockSequence>,
        sink: &mut dyn BlockSink,
    ) -> Result<ReplayedJournal, Error>;

    /// Cuts off an incomplete tail, makes everything that was replayed durable, and removes what
    /// comes before the replayed blocks. Returns the builder for the following blocks. A new
    /// journal gets a secret from `rng`, which must be suitable for secrets.
    fn begin(&mut self, rng: &mut dyn Rng) -> Result<BlockBuilder, Error>;

    /// Writes a block. From then on it is readable, by other processes as well, and survives a
    /// crash of this process, but not of the machine.
    fn append(&mut self, block: &Block) -> Result<Written, Error>;

    /// Returns once every block appended so far survives a crash of the machine. The result is the
    /// first block that doesn't yet, for [`BlockBuilder::finish`].
    fn sync(&mut self) -> Result<BlockSequence, Error>;

    /// Ends the current file if it holds any block, so that it can be checkpointed. For an idle
    /// shard, whose file wouldn't fill up for days.
    fn seal(&mut self) -> Result<(), Error>;

    /// Syncs, and records separately how many blocks there are: a later replay that finds fewer
    /// fails instead of treating the end of the journal as a torn tail. For a graceful stop.
    fn mark_end(&mut self) -> Result<(), Error>;

    /// The sequence of the first block that isn't on disk, kept up to date.
    fn synced_watch(&mut self) -> Arc<AtomicU64>;
}

/// Receives the blocks of a replay.
pub trait BlockSink {
    /// The blocks that follow are in this file.
    fn file(&mut self, file: &Arc<JournalFile>);

    /// The next block.
    fn block(&mut self, file: &JournalFile, block: &ScannedBlock) -> Result<(), Error>;
}

/// What a replay has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayedJournal {
    /// The block after the last.
    pub next: BlockSequence,
    /// The size of what was read.
    pub size_bytes: u64,
    /// The size of the blocks that nothing proves to have been on disk: they are written again.
    pub unproven_size_bytes: u64,
    /// The size of the torn tail that follows.
    pub torn_size_bytes: u64,
}

/// An open journal file. Readers can outlive its removal; it isn't reused while there are any.
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

impl Debug for JournalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
