//! Writes blocks, and tracks which are on disk. Owned by the shard's writer thread.

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

/// A block was handed to the operating system. For the shard, which passes it to
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
    /// The end of the old contents of a reused file.
    stale: u64,
    /// The end of the allocated space.
    allocated: u64,
    /// The end of the space that has been written, with zeroes or by a spare's earlier use, rather
    /// than only allocated.
    written: u64,
    next: BlockSequence,
    /// Every block before this one is on disk. Shared with the checkpointer, which must not remove
    /// data because of records that a crash would undo.
    synced: Arc<AtomicU64>,
    has_failed: bool,
}

impl JournalWriter {
    /// Continues `file` at `position`; everything before is on disk and nothing follows.
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

    /// The sequence of the first block that isn't on disk, kept up to date.
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
        // If zeroes or nothing follows, that already marks the end.
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

    /// Allocates the space up to `end` before anything is written there, so that a full disk is
    /// noticed here, and not in the middle of a block.
    fn allocate(&mut self, end: u64) -> Result<(), Error> {
        if end <= self.allocated {
            return Ok(());
        }
        let stepped = end.next_multiple_of(PREALLOCATION_STEP_BYTES);
        let mut target = stepped.min(self.file_size_bytes_max).max(end);
        // Space allocated ahead on a nearly full disk would be missing elsewhere.
        if target > end && !self.directory.may_take_ahead(target - self.allocated) {
            target = end;
        }
        let file = &self.file;
        let allocated = match file.file.preallocate(target) {
            // The remaining space may still suffice for the current write.
            Err(error) if is_out_of_space(&error) => file.file.preallocate(end).map(|()| end),
            done => done.map(|()| target),
        };
        self.allocated = allocated.at("preallocate", &file.path)?;
        Ok(())
    }

    /// Writes zeroes after `end`, where the next blocks go, unless that space was written before.
    fn zero_ahead(&mut self, end: u64) -> Result<(), Error> {
        let target = (end + ZEROED_AHEAD_BYTES).min(self.allocated);
        if end <= self.written || target <= end {
            return Ok(());
        }
        let length = usize::try_from(target - end).expect("it is at most the limit");
        let file = &self.file;
        let zeroes = vec![0; length];
        match file.file.write_at(end, &zeroes) {
            // Space can't be allocated ahead; the zeroes are optional.
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

    /// Completes the current file and starts the next. If there is no room for the next, the
    /// current one remains writable.
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
