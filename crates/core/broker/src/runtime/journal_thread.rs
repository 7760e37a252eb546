//! Writes a shard's blocks: as many as are waiting, then one sync for all.

use std::{
    io, mem,
    sync::{Arc, mpsc as std_mpsc},
    thread,
    time::Duration,
};

use stele_base_env::{Clock, spawn_thread};
use stele_base_types::ShardId;
use stele_core_storage::{Block, Error, Journal, Written};
use tokio::sync::{mpsc, watch};

use super::shard_thread::{Heard, Progress};
use crate::{
    limits::{BLOCKS_IN_FLIGHT_MAX, STOP_ATTEMPTS_MAX, UNSYNCED_BLOCKS_MAX, WANT_RETRY_MS},
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

/// Whom the thread tells, and who tells it.
pub(super) struct Ends {
    pub(super) news: mpsc::Sender<Heard>,
    pub(super) failing: watch::Sender<Option<Arc<str>>>,
    pub(super) stopping: watch::Receiver<bool>,
    /// Dropped when the thread ends, which is all that it is for.
    pub(super) alive: mpsc::Sender<()>,
}

/// Starts the thread. It ends when the sender is dropped, or at the first failure, which it tells:
/// the page cache can't be believed after that, so nothing is tried again.
pub(super) fn spawn(
    shard: ShardId,
    writer: Box<dyn Journal>,
    clock: Arc<dyn Clock>,
    meter: Arc<ShardMeter>,
    ends: Ends,
) -> io::Result<Blocks> {
    let Ends {
        news,
        failing,
        stopping,
        alive,
    } = ends;
    let (blocks, receiver) = std_mpsc::sync_channel(BLOCKS_IN_FLIGHT_MAX + ROTATIONS_MAX);
    let mut thread = JournalThread {
        writer,
        news,
        clock,
        meter,
        stopping,
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
    stopping: watch::Receiver<bool>,
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
                let written = self.append(&block)?;
                self.meter.wrote(block.size_bytes() as u64);
                self.unsynced += 1;
                *taken += 1;
                self.progress.news.push(News::Written(written));
                if awaited.is_written {
                    self.tell_progress();
                }
                Ok(awaited.is_synced)
            }
            Write::Rotate => match self.writer.seal() {
                // It is asked for again.
                Err(error) if error.is_for_want_before_a_sync() => {
                    tracing::warn!(%error, "no room for the next journal file");
                    Ok(false)
                }
                sealed => sealed.map(|()| false),
            },
        }
    }

    /// Where there is no room, it waits for some: what has been decided can't be taken back, and
    /// whatever is acknowledged or deleted meanwhile makes room. While the process stops, it waits
    /// for a while.
    fn append(&mut self, block: &Block) -> Result<Written, Error> {
        let mut attempts_while_stopping = 0;
        let mut has_told = false;
        loop {
            match self.writer.append(block) {
                Err(error) if error.is_for_want_before_a_sync() => {
                    if !mem::replace(&mut has_told, true) {
                        tracing::warn!(%error, "the journal waits for room");
                        // A checkpoint, which makes room, may wait for what was written before.
                        self.sync()?;
                        self.tell_progress();
                    }
                    attempts_while_stopping += u32::from(self.is_stopping());
                    if attempts_while_stopping > STOP_ATTEMPTS_MAX {
                        return Err(error);
                    }
                    rest();
                }
                Ok(written) if has_told => {
                    tracing::info!("the journal has room again");
                    return Ok(written);
                }
                done => return done,
            }
        }
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
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

#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells when there is room, and this thread has nothing else to do"
)]
fn rest() {
    thread::sleep(Duration::from_millis(WANT_RETRY_MS));
}
