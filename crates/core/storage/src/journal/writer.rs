//! Writes blocks, and tells when they are on disk. Owned by the shard's writer thread.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use stele_base_env::is_out_of_space;

use super::{JournalFile, NewFile};
use crate::{
    Block, BlockSequence, Error, Options, ShardDirectory,
    block::Salt,
    error::AtPath,
    limits::{PREALLOCATION_STEP_BYTES, ZEROED_AHEAD_BYTES, ZEROED_FOR_SIZE_BYTES_MAX},
};

/// A block was handed to the operating system. Goes to the shard, for
/// [`crate::ReadIndex::written`].
#[derive(Clone, Debug)]
pub struct Written {
    pub(crate) sequence: BlockSequence,
    pub(crate) file: Arc<JournalFile>,
    pub(crate) position: u64,
    pub(crate) size_bytes: u32,
}

impl Written {
    /// Which block.
    pub fn sequence(&self) -> BlockSequence {
        self.sequence
    }

    /// How large it is.
    pub fn size_bytes(&self) -> u64 {
        u64::from(self.size_bytes)
    }
}

/// The end of a journal in files.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    directory: ShardDirectory,
    file_size_bytes_max: u64,
    salt: Salt,
    file: Arc<JournalFile>,
    /// Where the next block goes.
    position: u64,
    /// How far the file may hold what it held before it was used again.
    stale: u64,
    /// How far the file reaches.
    allocated: u64,
    /// How far something was written, zeroes or what a spare held, rather than space only
    /// allocated.
    written: u64,
    next: BlockSequence,
    /// Every block before this one is on disk. Shared with the checkpointer, which must not remove
    /// data on the word of records that a crash would take back.
    synced: Arc<AtomicU64>,
    has_failed: bool,
}

impl JournalWriter {
    /// Continues `file` at `position`, where all that is before is on disk and nothing follows.
    pub(super) fn resume(
        directory: &ShardDirectory,
        options: &Options,
        salt: Salt,
        file: Arc<JournalFile>,
        position: u64,
        next: BlockSequence,
    ) -> Self {
        Self {
            directory: directory.clone(),
            file_size_bytes_max: options.journal_file_size_bytes_max,
            salt,
            file,
            position,
            stale: 0,
            allocated: position,
            written: position,
            next,
            synced: Arc::new(AtomicU64::new(next.0)),
            has_failed: false,
        }
    }

    /// See [`super::Journal::append`].
    pub(super) fn write(&mut self, block: &Block) -> Result<Written, Error> {
        assert_eq!(block.sequence, self.next, "blocks are written in sequence");
        self.guarded(|writer| writer.write_block(block))
    }

    /// See [`super::Journal::sync`].
    pub(super) fn sync(&mut self) -> Result<BlockSequence, Error> {
        if self.synced.load(Ordering::Acquire) < self.next.0 {
            self.guarded(|writer| writer.sync_file())?;
        }
        Ok(self.next)
    }

    /// See [`super::Journal::seal`].
    pub(super) fn rotate(&mut self) -> Result<(), Error> {
        if self.is_file_empty() {
            return Ok(());
        }
        self.guarded(Self::start_file)
    }

    /// Where the first block that isn't on disk is told, as it moves.
    pub(super) fn synced_watch(&self) -> Arc<AtomicU64> {
        self.synced.clone()
    }

    fn guarded<T>(
        &mut self,
        operation: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.has_failed {
            let earlier = io::Error::other("an earlier write or sync of this journal failed");
            return Err(Error::io("write", &self.file.path, earlier));
        }
        let done = operation(self);
        self.has_failed = matches!(&done, Err(error) if !error.is_for_want_before_a_sync());
        done
    }

    fn write_block(&mut self, block: &Block) -> Result<Written, Error> {
        let size_bytes = block.bytes.len() as u64;
        if !self.is_file_empty() && self.position + size_bytes > self.file_size_bytes_max {
            self.start_file()?;
        }
        let position = self.position;
        let end = position + size_bytes;
        self.allocate(end)?;
        if size_bytes < ZEROED_FOR_SIZE_BYTES_MAX {
            self.zero_ahead(end)?;
        }
        // Where zeroes or nothing follows, that marks the end.
        let marked = block.ended.len() as u64;
        let length = (self.stale.saturating_sub(position)).clamp(size_bytes, marked);
        let bytes = &block.ended[..length as usize];
        let file = &self.file;
        file.file
            .write_at(position, bytes)
            .at("write", &file.path)?;
        self.position = end;
        self.next = block.sequence.next();
        Ok(Written {
            sequence: block.sequence,
            file: file.clone(),
            position,
            size_bytes: u32::try_from(size_bytes).expect("a block's limit fits 32 bits"),
        })
    }

    /// Takes the space up to `end` before anything is written there: a full disk shows here, and
    /// not in the middle of a block.
    fn allocate(&mut self, end: u64) -> Result<(), Error> {
        if end <= self.allocated {
            return Ok(());
        }
        let stepped = end.next_multiple_of(PREALLOCATION_STEP_BYTES);
        let mut target = stepped.min(self.file_size_bytes_max).max(end);
        // What is taken ahead of a full disk would be missing elsewhere.
        if target > end && !self.directory.may_take_ahead(target - self.allocated) {
            target = end;
        }
        let file = &self.file;
        let allocated = match file.file.preallocate(target) {
            // The last of the space is still good for what is at hand.
            Err(error) if is_out_of_space(&error) => file.file.preallocate(end).map(|()| end),
            done => done.map(|()| target),
        };
        self.allocated = allocated.at("preallocate", &file.path)?;
        Ok(())
    }

    /// Writes zeroes after `end`, where the next blocks go, unless something was written there.
    fn zero_ahead(&mut self, end: u64) -> Result<(), Error> {
        let target = (end + ZEROED_AHEAD_BYTES).min(self.allocated);
        if end <= self.written || target <= end {
            return Ok(());
        }
        let length = usize::try_from(target - end).expect("it is at most the limit");
        let file = &self.file;
        let zeroes = vec![0; length];
        match file.file.write_at(end, &zeroes) {
            // Where space can't be taken ahead. It goes without them.
            Err(error) if is_out_of_space(&error) => return Ok(()),
            written => written.at("write", &file.path)?,
        }
        self.written = target;
        Ok(())
    }

    fn sync_file(&mut self) -> Result<(), Error> {
        self.file.file.sync_data().at("sync", &self.file.path)?;
        self.synced.store(self.next.0, Ordering::Release);
        Ok(())
    }

    /// Makes the current file whole and starts the next. Where there is no room for that one, the
    /// current one can still be written to.
    fn start_file(&mut self) -> Result<(), Error> {
        let file = &self.file;
        file.file.truncate(self.position).at("cut", &file.path)?;
        self.stale = self.position;
        self.allocated = self.position;
        self.written = self.position;
        self.sync_file()?;
        let NewFile {
            file,
            position,
            size_bytes,
        } = NewFile::start(&self.directory, self.next, self.salt)?;
        self.file = file;
        self.position = position;
        self.stale = size_bytes;
        self.allocated = size_bytes;
        self.written = size_bytes;
        Ok(())
    }

    fn is_file_empty(&self) -> bool {
        self.next == self.file.first
    }
}
