//! Writes a shard's blocks: all that are waiting, then one sync for them together.

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

use super::{
    pace::Pace,
    shard_thread::{Heard, Progress},
};
use crate::{
    Memory,
    limits::{BLOCKS_IN_FLIGHT_MAX, STOP_ATTEMPTS_MAX, UNSYNCED_BLOCKS_MAX, WANT_RETRY_MS},
    meter::ShardMeter,
    shard::{Awaited, News},
};

/// A request to the writer.
#[derive(Debug)]
pub(super) enum Write {
    /// Write a block, and send the news that are awaited.
    Block(Block, Awaited),
    /// Start a new file.
    Rotate,
}

/// Room for a rotation besides the blocks, so that asking for one never waits.
const ROTATIONS_MAX: usize = 1;

/// The shard's end.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) blocks: std_mpsc::SyncSender<Write>,
    /// How fast it is.
    pub(super) pace: Arc<Pace>,
}

/// The thread's ends of the channels.
pub(super) struct Ends {
    pub(super) news: mpsc::Sender<Heard>,
    pub(super) failing: watch::Sender<Option<Arc<str>>>,
    pub(super) stopping: watch::Receiver<bool>,
    /// Only signals, by being dropped, that the thread has ended.
    pub(super) alive: mpsc::Sender<()>,
    /// Where what is on its way to a slow disk is kept small.
    pub(super) memory: Memory,
}

/// Starts the thread. It ends when the sender is dropped, or at the first failure, which it
/// reports. It doesn't retry, because after a failed sync the page cache can't be trusted.
pub(super) fn spawn(
    shard: ShardId,
    writer: Box<dyn Journal>,
    clock: Arc<dyn Clock>,
    meter: Arc<ShardMeter>,
    ends: Ends,
) -> io::Result<Writer> {
    let Ends {
        news,
        failing,
        stopping,
        alive,
        memory,
    } = ends;
    let pace = Arc::<Pace>::default();
    let (blocks, receiver) = std_mpsc::sync_channel(BLOCKS_IN_FLIGHT_MAX + ROTATIONS_MAX);
    let mut thread = JournalThread {
        shard,
        pace: Arc::clone(&pace),
        memory,
        writer,
        news,
        clock,
        meter,
        stopping,
        progress: Progress::default(),
        unsynced: 0,
        bytes: 0,
    };
    spawn_thread(&format!("journal-{shard}"), move || {
        if let Err(error) = thread.run(&receiver) {
            tracing::error!(%shard, %error, "the journal can't be written");
            drop(failing.send(Some(error.to_string().into())));
        }
        thread.tell(Heard::WriterEnded);
        // The writer holds the directory's lock. Drop it before signalling the end, so that the
        // directory can then be opened again.
        drop(thread);
        drop(alive);
    })?;
    Ok(Writer { blocks, pace })
}

struct JournalThread {
    shard: ShardId,
    pace: Arc<Pace>,
    memory: Memory,
    writer: Box<dyn Journal>,
    news: mpsc::Sender<Heard>,
    clock: Arc<dyn Clock>,
    meter: Arc<ShardMeter>,
    stopping: watch::Receiver<bool>,
    /// What is to be reported to the shard.
    progress: Progress,
    /// Blocks written since the last sync.
    unsynced: usize,
    /// Bytes written since the shard was last told that blocks are through.
    bytes: usize,
}

impl JournalThread {
    fn run(&mut self, writes: &std_mpsc::Receiver<Write>) -> Result<(), Error> {
        while let Ok(first) = writes.recv() {
            let begun = self.clock.monotonic();
            let mut taken = 0;
            let mut is_sync_due = self.write(first, &mut taken)?;
            while let Ok(next) = writes.try_recv() {
                is_sync_due |= self.write(next, &mut taken)?;
            }
            if is_sync_due || self.unsynced >= UNSYNCED_BLOCKS_MAX {
                self.sync()?;
            }
            let took = self.clock.monotonic().saturating_sub(begun);
            let bytes = mem::take(&mut self.bytes);
            if let Some(allowed) = self.pace.note(bytes, took) {
                self.memory.keep_waiting_to(self.shard, allowed);
            }
            self.progress.through = taken;
            self.tell_progress();
        }
        self.sync()?;
        self.tell_progress();
        self.mark_end();
        Ok(())
    }

    /// Marks a clean stop, as everything is on disk. If there is no space for the mark, the stop is
    /// still clean, and the mark of an earlier stop remains valid.
    fn mark_end(&mut self) {
        if let Err(error) = self.writer.mark_end() {
            tracing::warn!(%error, "can't write the mark of a clean stop");
        }
    }

    /// Carries out a request; returns whether a sync is due.
    fn write(&mut self, write: Write, taken: &mut usize) -> Result<bool, Error> {
        match write {
            Write::Block(block, awaited) => {
                let written = self.append(&block)?;
                self.meter.wrote(block.size_bytes() as u64);
                self.unsynced += 1;
                self.bytes += block.size_bytes();
                *taken += 1;
                self.progress.news.push(News::Written(written));
                if awaited.is_written {
                    self.tell_progress();
                }
                Ok(awaited.is_synced)
            }
            Write::Rotate => match self.writer.seal() {
                // The shard asks again.
                Err(error) if error.is_for_want_before_a_sync() => {
                    tracing::warn!(%error, "no space for the next journal file");
                    Ok(false)
                }
                sealed => sealed.map(|()| false),
            },
        }
    }

    /// Writes a block. If there is no space, it waits: decisions can't be undone, and space is
    /// freed by acknowledgements and deletions. While the process stops, it waits for a limited
    /// time.
    fn append(&mut self, block: &Block) -> Result<Written, Error> {
        let mut attempts_while_stopping = 0;
        let mut has_told = false;
        loop {
            match self.writer.append(block) {
                Err(error) if error.is_for_want_before_a_sync() => {
                    if !mem::replace(&mut has_told, true) {
                        tracing::warn!(%error, "no space for the journal; waiting");
                        // A checkpoint, which frees space, may depend on earlier writes.
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
                    tracing::info!("the journal has space again");
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

    /// Reports everything at once, as each report may wake the shard's thread.
    fn tell_progress(&mut self) {
        let progress = mem::take(&mut self.progress);
        self.tell(Heard::Progress(progress));
    }

    fn tell(&self, heard: Heard) {
        // A stopped shard needs no news.
        drop(self.news.blocking_send(heard));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no signal for free space, and this thread has nothing else to do"
)]
fn rest() {
    thread::sleep(Duration::from_millis(WANT_RETRY_MS));
}
