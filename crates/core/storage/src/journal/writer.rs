//! Writes blocks, and tells when they are on disk. Owned by the shard's writer thread.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use stele_base_env::OpenMode;

use super::{FILE_HEADER_SIZE_BYTES, JournalFile, encode_file_header};
use crate::{
    Block, BlockSequence, Error, Options, ShardDirectory,
    directory::sync_dir,
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
}

/// The end of a shard's journal.
///
/// After an error nothing is known of what the file holds: every later call fails too, and the
/// process is to stop and recover.
#[derive(Debug)]
pub struct JournalWriter {
    directory: ShardDirectory,
    file_size_bytes_max: u64,
    file: Arc<JournalFile>,
    /// Where the next block goes.
    position: u64,
    /// How far the file reaches, with zeroes beyond `position`.
    allocated: u64,
    /// How far the zeroes were written, rather than only allocated.
    zeroed: u64,
    next: BlockSequence,
    /// Every block before this one is on disk. Shared with the settler, which must not remove
    /// data on the word of records that a crash would take back.
    synced: Arc<AtomicU64>,
    has_failed: bool,
}

impl JournalWriter {
    /// Continues `file` at `position`, where all that is before is on disk and nothing follows.
    pub(crate) fn resume(
        directory: &ShardDirectory,
        options: &Options,
        file: Arc<JournalFile>,
        position: u64,
        next: BlockSequence,
    ) -> Self {
        Self {
            directory: directory.clone(),
            file_size_bytes_max: options.journal_file_size_bytes_max,
            file,
            position,
            allocated: position,
            zeroed: position,
            next,
            synced: Arc::new(AtomicU64::new(next.0)),
            has_failed: false,
        }
    }

    /// Hands a block to the operating system: readable by other processes, safe from a crash of
    /// this one, not from one of the machine. Blocks come in sequence.
    pub fn write(&mut self, block: &Block) -> Result<Written, Error> {
        assert_eq!(block.sequence, self.next, "blocks are written in sequence");
        self.guarded(|writer| writer.write_block(block))
    }

    /// Returns once every block written so far survives a crash of the machine. The result is the
    /// first block that doesn't yet, for [`crate::BlockBuilder::finish`].
    pub fn sync(&mut self) -> Result<BlockSequence, Error> {
        if self.synced.load(Ordering::Acquire) < self.next.0 {
            self.guarded(|writer| writer.sync_file())?;
        }
        Ok(self.next)
    }

    /// Closes the current file, if it holds any block, so that it can be settled. For an idle
    /// shard, whose file wouldn't fill up for days.
    pub fn rotate(&mut self) -> Result<(), Error> {
        if self.position == FILE_HEADER_SIZE_BYTES as u64 {
            return Ok(());
        }
        self.guarded(Self::start_file)
    }

    /// Where the first block that isn't on disk is told, as it moves.
    pub(crate) fn synced_watch(&self) -> Arc<AtomicU64> {
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
        self.has_failed = done.is_err();
        done
    }

    fn write_block(&mut self, block: &Block) -> Result<Written, Error> {
        let size_bytes = block.bytes.len() as u64;
        let is_started = self.position > FILE_HEADER_SIZE_BYTES as u64;
        if is_started && self.position + size_bytes > self.file_size_bytes_max {
            self.start_file()?;
        }
        self.allocate(self.position + size_bytes)?;
        if size_bytes < ZEROED_FOR_SIZE_BYTES_MAX {
            self.zero_ahead(self.position + size_bytes)?;
        }
        let position = self.position;
        let file = &self.file;
        file.file
            .write_at(position, &block.bytes)
            .at("write", &file.path)?;
        self.position += size_bytes;
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
        let target = stepped.min(self.file_size_bytes_max).max(end);
        let file = &self.file;
        let allocated = match file.file.preallocate(target) {
            // The last of the space is still good for what is at hand.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                file.file.preallocate(end).map(|()| end)
            }
            done => done.map(|()| target),
        };
        self.allocated = allocated.at("preallocate", &file.path)?;
        Ok(())
    }

    /// Writes zeroes after `end`, where the next blocks go, unless some are left there.
    fn zero_ahead(&mut self, end: u64) -> Result<(), Error> {
        let target = (end + ZEROED_AHEAD_BYTES).min(self.allocated);
        if end <= self.zeroed || target <= end {
            return Ok(());
        }
        let length = usize::try_from(target - end).expect("it is at most the limit");
        let file = &self.file;
        let zeroes = vec![0; length];
        file.file.write_at(end, &zeroes).at("write", &file.path)?;
        self.zeroed = target;
        Ok(())
    }

    fn sync_file(&mut self) -> Result<(), Error> {
        self.file.file.sync_data().at("sync", &self.file.path)?;
        self.synced.store(self.next.0, Ordering::Release);
        Ok(())
    }

    /// Makes the current file whole and starts the next.
    fn start_file(&mut self) -> Result<(), Error> {
        let file = &self.file;
        file.file.truncate(self.position).at("cut", &file.path)?;
        self.sync_file()?;
        self.file = create_file(&self.directory, self.next)?;
        self.position = FILE_HEADER_SIZE_BYTES as u64;
        self.allocated = self.position;
        self.zeroed = self.position;
        Ok(())
    }
}

/// Makes an empty journal file that survives a crash.
pub(crate) fn create_file(
    directory: &ShardDirectory,
    first: BlockSequence,
) -> Result<Arc<JournalFile>, Error> {
    let path = directory.journal_file(first);
    let file = directory
        .disk
        .open(&path, OpenMode::CreateNew)
        .at("create", &path)?;
    let header = encode_file_header(directory.shard, first);
    file.write_at(0, &header).at("write", &path)?;
    file.sync_data().at("sync", &path)?;
    sync_dir(&*directory.disk, &directory.journal())?;
    Ok(Arc::new(JournalFile { path, first, file }))
}
