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

/// The journal of a shard: blocks go in at its end, in sequence, and come out again in a replay.
///
/// It is replayed, then it begins, then blocks are appended: each stage once. After an error
/// nothing is known of what its end holds: every later call fails too, and the process is to stop
/// and recover. After one for want ([`Error::is_for_want_before_a_sync`]) of [`Journal::append`] or
/// [`Journal::seal`] all is as before, and the same call may be made again.
pub trait Journal: Debug + Send {
    /// Gives every whole block from `from` on, where a snapshot ends; from the first one there can
    /// be where there is no snapshot. Changes nothing.
    ///
    /// Fails with [`Error::Damaged`] where a crash doesn't explain what is found: at position 0
    /// where `from` isn't there. So it does where less is there than [`Journal::mark_end`] noted.
    fn replay(
        &mut self,
        from: Option<BlockSequence>,
        sink: &mut dyn BlockSink,
    ) -> Result<ReplayedJournal, Error>;

    /// Cuts off what isn't whole, and makes all that was replayed survive a crash. Gives what makes
    /// the blocks that follow, with a secret from `rng`, which is for secrets, where there is none
    /// yet. What comes before the replayed blocks is removed.
    fn begin(&mut self, rng: &mut dyn Rng) -> Result<BlockBuilder, Error>;

    /// Hands a block over: readable from then on, by other processes as well, and safe from a crash
    /// of this one, not from one of the machine.
    fn append(&mut self, block: &Block) -> Result<Written, Error>;

    /// Returns once every block appended so far survives a crash of the machine. The result is the
    /// first block that doesn't yet, for [`BlockBuilder::finish`].
    fn sync(&mut self) -> Result<BlockSequence, Error>;

    /// Ends the current file, if it holds any block, so that it can be checkpointed. For an idle
    /// shard, whose file wouldn't fill up for days.
    fn seal(&mut self) -> Result<(), Error>;

    /// Syncs, and notes apart from the blocks how many there are: a later replay that finds fewer
    /// fails, rather than take the end of the journal for what a crash left. For a graceful stop.
    fn mark_end(&mut self) -> Result<(), Error>;

    /// Where the first block that isn't on disk is told, as it moves.
    fn synced_watch(&mut self) -> Arc<AtomicU64>;
}

/// What a replay gives its blocks to.
pub trait BlockSink {
    /// The blocks that follow are in this file.
    fn file(&mut self, file: &Arc<JournalFile>);

    /// The next block.
    fn block(&mut self, file: &JournalFile, block: &ScannedBlock) -> Result<(), Error>;
}

/// What was replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayedJournal {
    /// The block after the last.
    pub next: BlockSequence,
    /// What was read.
    pub size_bytes: u64,
    /// How much of that nothing proves to have been on disk, so that it is written again.
    pub unproven_size_bytes: u64,
    /// How much follows that a crash tore.
    pub torn_size_bytes: u64,
}

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

impl Debug for JournalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
