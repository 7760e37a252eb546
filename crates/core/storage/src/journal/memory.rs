//! A journal in memory, for tests. A clone is the same journal, as another process would find it.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use stele_base_env::{DiskFile, Rng};

use super::{BlockSink, Journal, JournalFile, ReplayedJournal, ScannedBlock, Written};
use crate::{
    Block, BlockBuilder, BlockSequence, Error,
    block::{Header, Salt},
};

/// A journal in memory. Everything appended is durable at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryJournal {
    files: Arc<Mutex<Vec<Arc<MemoryFile>>>>,
    next: BlockSequence,
    synced: Arc<AtomicU64>,
}

/// The blocks of a file, back to back.
#[derive(Debug)]
struct MemoryFile {
    first: BlockSequence,
    bytes: Mutex<Vec<u8>>,
}

impl MemoryJournal {
    fn files(&self) -> MutexGuard<'_, Vec<Arc<MemoryFile>>> {
        self.files.lock().expect("no test panics under the lock")
    }

    fn begin_file(&self) {
        self.files().push(Arc::new(MemoryFile {
            first: self.next,
            bytes: Mutex::default(),
        }));
    }
}

impl Journal for MemoryJournal {
    fn replay(
        &mut self,
        from: Option<BlockSequence>,
        sink: &mut dyn BlockSink,
    ) -> Result<ReplayedJournal, Error> {
        let mut files = self.files().clone();
        files.retain(|file| from.is_none_or(|from| file.first >= from));
        let first = files.first().map(|file| file.first);
        if first != from && from.is_some() {
            return Err(Error::damaged(
                "memory".as_ref(),
                0,
                "the blocks aren't there",
            ));
        }
        self.next = from.unwrap_or_default();
        let mut replayed = ReplayedJournal::default();
        for file in &files {
            let named = file.named();
            sink.file(&named);
            for block in file.blocks() {
                sink.block(&named, &block)?;
                self.next = block.header.sequence.next();
                replayed.size_bytes += block.bytes.len() as u64;
            }
        }
        replayed.next = self.next;
        let first = from.unwrap_or_default();
        self.files().retain(|file| file.first >= first);
        Ok(replayed)
    }

    fn begin(&mut self, _: &mut dyn Rng) -> Result<BlockBuilder, Error> {
        let is_empty = self.files().is_empty();
        if is_empty {
            self.begin_file();
        }
        self.synced.store(self.next.0, Ordering::Release);
        Ok(BlockBuilder::new(self.next, Salt::NONE))
    }

    fn append(&mut self, block: &Block) -> Result<Written, Error> {
        assert_eq!(block.sequence, self.next, "blocks are written in sequence");
        self.next = block.sequence.next();
        let file = self.files().last().cloned().expect("the journal has begun");
        let mut bytes = file.lock();
        let position = bytes.len() as u64;
        bytes.extend_from_slice(&block.bytes);
        Ok(Written {
            sequence: block.sequence,
            file: file.named(),
            position,
            size_bytes: block.bytes.len() as u32,
        })
    }

    fn sync(&mut self) -> Result<BlockSequence, Error> {
        self.synced.store(self.next.0, Ordering::Release);
        Ok(self.next)
    }

    fn seal(&mut self) -> Result<(), Error> {
        let first = self.files().last().map(|file| file.first);
        if first != Some(self.next) {
            self.begin_file();
        }
        Ok(())
    }

    fn mark_end(&mut self) -> Result<(), Error> {
        // Nothing of it can be lost.
        self.sync().map(drop)
    }

    fn synced_watch(&mut self) -> Arc<AtomicU64> {
        self.synced.clone()
    }
}

impl MemoryFile {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("no test panics under the lock")
    }

    fn named(self: &Arc<Self>) -> Arc<JournalFile> {
        Arc::new(JournalFile {
            path: format!("{:020}.journal", self.first.0).into(),
            first: self.first,
            file: self.clone(),
        })
    }

    fn blocks(&self) -> Vec<ScannedBlock> {
        let mut rest = Bytes::from(self.lock().clone());
        let mut blocks = Vec::new();
        let mut position = 0;
        while let Some(header) = Header::decode(&rest, Salt::NONE) {
            let bytes = rest.split_to(header.block_size_bytes());
            let size_bytes = bytes.len() as u64;
            blocks.push(ScannedBlock {
                position,
                header,
                bytes,
            });
            position += size_bytes;
        }
        blocks
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read_at(&self, position: u64, length: usize) -> io::Result<Bytes> {
        let bytes = self.lock();
        let start = (position as usize).min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        Ok(Bytes::copy_from_slice(&bytes[start..end]))
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn preallocate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.lock().len() as u64)
    }
}
