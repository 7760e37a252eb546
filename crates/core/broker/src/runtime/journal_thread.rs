//! Writes a shard's blocks: as many as are waiting, then one sync for all.

use std::{
    io, mem,
    sync::{Arc, mpsc as std_mpsc},
};

use stele_base_env::{Clock, spawn_thread};
use stele_base_types::ShardId;
use stele_core_storage::{Block, Error, Journal};
use tokio::sync::{mpsc, watch};

use super::shard_thread::{Heard, Progress};
use crate::{
    limits::{BLOCKS_IN_FLIGHT_MAX, UNSYNCED_BLOCKS_MAX},
    meter::ShardMeter,
    shard::{Awaited, News},
};

/// What the writer is asked.
#[derive(Debug)]
pub(super) enum Write {
    /// Write a block, and tell what is awaited.
    Block(Block, Awaited),
    /// Start a new file.
    Rotate,
}

/// Room for a rotation beside the blocks: asking for one doesn't wait.
const ROTATIONS_MAX: usize = 1;

pub(super) type Blocks = std_mpsc::SyncSender<Write>;

/// Starts the thread. It ends when the sender is dropped, or at the first failure, which it tells:
/// the page cache can't be believed after that, so nothing is tried again.
pub(super) fn spawn(
    shard: ShardId,
    writer: Box<dyn Journal>,
    news: mpsc::Sender<Heard>,
    failing: watch::Sender<Option<Arc<str>>>,
    clock: Arc<dyn Clock>,
    meter: Arc<ShardMeter>,
    alive: mpsc::Sender<()>,
) -> io::Result<Blocks> {
    let (blocks, receiver) = std_mpsc::sync_channel(BLOCKS_IN_FLIGHT_MAX + ROTATIONS_MAX);
    let mut thread = JournalThread {
        writer,
        news,
        clock,
        meter,
        progress: Progress::default(),
        unsynced: 0,
    };
    spawn_thread(&format!("journal-{shard}"), move || {
        if let Err(error) = thread.run(&receiver) {
            tracing::error!(%shard, %error, "the journal can't be written");
            drop(failing.send(Some(error.to_string().into())));
        }
        thread.tell(Heard::WriterEnded);
        // The writer holds the directory's lock: who hears that nobody is alive may open it again.
        drop(thread);
        drop(alive);
    })?;
    Ok(blocks)
}

struct JournalThread {
    writer: Box<dyn Journal>,
    news: mpsc::Sender<Heard>,
    clock: Arc<dyn Clock>,
    meter: Arc<ShardMeter>,
    /// What the shard is to be told.
    progress: Progress,
    /// Blocks written since the last sync.
    unsynced: usize,
}

impl JournalThread {
    fn run(&mut self, writes: &std_mpsc::Receiver<Write>) -> Result<(), Error> {
        while let Ok(first) = writes.recv() {
            let mut taken = 0;
            let mut is_sync_due = self.write(first, &mut taken)?;
            while let Ok(next) = writes.try_recv() {
                is_sync_due |= self.write(next, &mut taken)?;
            }
            if is_sync_due || self.unsynced >= UNSYNCED_BLOCKS_MAX {
                self.sync()?;
            }
            self.progress.through = taken;
            self.tell_progress();
        }
        self.sync()?;
        self.tell_progress();
        self.mark_end();
        Ok(())
    }

    /// All is on disk, so this stop is one: without its mark too, if there is no room for it. The
    /// mark of an earlier stop holds as before.
    fn mark_end(&mut self) {
        if let Err(error) = self.writer.mark_end() {
            tracing::warn!(%error, "no mark of this stop could be left");
        }
    }

    /// Does it, and gives whether a sync is due.
    fn write(&mut self, write: Write, taken: &mut usize) -> Result<bool, Error> {
        match write {
            Write::Block(block, awaited) => {
                let written = self.writer.append(&block)?;
                self.meter.wrote(block.size_bytes() as u64);
                self.unsynced += 1;
                *taken += 1;
                self.progress.news.push(News::Written(written));
                if awaited.is_written {
                    self.tell_progress();
                }
                Ok(awaited.is_synced)
            }
            Write::Rotate => {
                self.writer.seal()?;
                Ok(false)
            }
        }
    }

    fn sync(&mut self) -> Result<(), Error> {
        let begun = self.clock.monotonic();
        let next = self.writer.sync()?;
        self.meter
            .synced(self.clock.monotonic().saturating_sub(begun));
        self.unsynced = 0;
        self.progress.news.push(News::Synced(next));
        Ok(())
    }

    /// All at once: each telling may wake the shard's thread.
    fn tell_progress(&mut self) {
        let progress = mem::take(&mut self.progress);
        self.tell(Heard::Progress(progress));
    }

    fn tell(&self, heard: Heard) {
        // A shard that has stopped needs no news.
        drop(self.news.blocking_send(heard));
    }
}
