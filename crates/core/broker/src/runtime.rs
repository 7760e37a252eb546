//! The threads: for each shard one that decides and one that writes, and one checkpointer for all
//! shards.

mod checkpointer_thread;
mod journal_thread;
mod pace;
mod shard_thread;

use std::{io, path::PathBuf, sync::Arc};

use parking_lot::RwLock;
use stele_base_env::{Clock, Disk, Rng, spawn_thread};
use stele_base_types::ProcessEpoch;
use stele_core_engine::{Catalogue, State};
use stele_core_storage::{self as storage, DataDirectory, SpaceGuard};
use tokio::sync::{mpsc, watch};

use self::{
    checkpointer_thread::CheckpointerJob,
    shard_thread::{Channels, ShardThread},
};
use crate::{
    Broker, Memory,
    limits::{CHECKPOINTER_JOBS_PER_SHARD_MAX, INBOX_REQUESTS_MAX, NEWS_MAX},
    mailbox::Mailbox,
    memory::state_bounds,
    meter::Meters,
    shard::{DeadSignals, LinkInbox, Opened},
};

/// The broker's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub directory: PathBuf,
    /// The number of shards; an existing directory keeps its own.
    pub shards: u16,
    /// Sizes and ages for the storage of each shard.
    pub storage: storage::Options,
    /// Publishes are refused while less disk space than this is free.
    pub reserve_bytes: u64,
    /// How long a queue keeps records that a consumer group with an offset on it hasn't read, in
    /// milliseconds.
    pub unread_kept_ms: u64,
    /// How many segments of all shards stay open between reads.
    pub open_files_max: usize,
    /// The memory that clients may use.
    pub memory_bytes: usize,
}

/// Why the broker couldn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory can't be used; the message says what to do.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The operating system refused to create a thread.
    #[error("can't start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// The running threads. [`Running::stop`] ends them and waits; dropping it ends them without
/// waiting.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    stopped: mpsc::Receiver<()>,
    failed: watch::Receiver<Option<Arc<str>>>,
}

impl Running {
    /// Returns the reason when a shard can't go on. The process must then end and recover, since
    /// its memory is ahead of the disk. Otherwise never returns.
    pub async fn failed(&mut self) -> Arc<str> {
        loop {
            if let Some(reason) = self.failed.borrow_and_update().clone() {
                return reason;
            }
            if self.failed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Writes and syncs the accepted requests, refuses later ones, and ends the threads.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // Every thread holds a sender, so this ends with the last thread.
        while self.stopped.recv().await.is_some() {}
    }
}

impl Broker {
    /// Recovers the data directory and starts the threads. Blocks while recovering. A new directory
    /// gets its secrets from `rng`.
    pub fn start(
        settings: &Settings,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        rng: &mut dyn Rng,
    ) -> Result<(Self, Running), StartError> {
        let directory = DataDirectory::open(disk, &settings.directory, settings.shards)?;
        let directory = directory.with_open_files(settings.open_files_max);
        let shards = directory.shard_count();
        let replica = Arc::new(RwLock::new(Catalogue::default()));
        let links: Vec<LinkInbox> = (0..shards).map(|_| Arc::new(Mailbox::default())).collect();
        let (epoch, mut opened) = recover(settings, &directory, &replica, &links, &*clock, rng)?;
        let dead = notify_of_dead(&mut opened);

        let (stop, stopping) = watch::channel(false);
        let (alive, stopped) = mpsc::channel(1);
        let (failing, failed) = watch::channel(None);
        let jobs_max = usize::from(shards) * CHECKPOINTER_JOBS_PER_SHARD_MAX;
        let (checkpointing, jobs) = std::sync::mpsc::sync_channel::<CheckpointerJob>(jobs_max);
        checkpointer_thread::spawn(jobs, failing.clone(), alive.clone())?;

        let memory = Memory::new(settings.memory_bytes);
        let (mut inboxes, mut meters) = (Vec::new(), Meters::default());
        for (opened, link) in opened.into_iter().zip(&links) {
            let Opened {
                shard,
                writer,
                checkpointer,
                ..
            } = opened;
            let meter = meters.journal();
            let (inbox, requests) = mpsc::channel(INBOX_REQUESTS_MAX);
            let (news, heard) = mpsc::channel(NEWS_MAX);
            let writer = journal_thread::spawn(
                shard.id(),
                writer,
                Arc::clone(&clock),
                Arc::clone(&meter),
                journal_thread::Ends {
                    news: news.clone(),
                    failing: failing.clone(),
                    stopping: stopping.clone(),
                    alive: alive.clone(),
                    memory: memory.clone(),
                },
            )?;
            inboxes.push(inbox);
            let channels = Channels {
                requests,
                news: heard,
                link: Arc::clone(link),
                writer,
                checkpointing: checkpointing.clone(),
                checkpointed: news,
                stopping: stopping.clone(),
                _alive: alive.clone(),
            };
            let name = format!("shard-{}", shard.id());
            let clock = Arc::clone(&clock);
            let thread = ShardThread::new(shard, checkpointer, clock, meter, channels);
            spawn_thread(&name, move || thread.run())?;
        }
        let running = Running {
            stop,
            stopped,
            failed,
        };
        let broker = Self::new(epoch, inboxes, replica, meters, memory, dead);
        Ok((broker, running))
    }
}

/// What all shards notify of dead records.
fn notify_of_dead(opened: &mut [Opened]) -> Arc<DeadSignals> {
    let dead = Arc::new(DeadSignals::default());
    for opened in opened {
        opened.shard.tell_of_dead_to(Arc::clone(&dead));
    }
    dead
}

/// Opens every shard, begins a new epoch, and brings the shards in line with the catalogue.
fn recover(
    settings: &Settings,
    directory: &DataDirectory,
    replica: &Arc<RwLock<Catalogue>>,
    links: &[LinkInbox],
    clock: &dyn Clock,
    rng: &mut dyn Rng,
) -> Result<(ProcessEpoch, Vec<Opened>), StartError> {
    let options = &settings.storage;
    let mut shards = Opened::all(directory, options, replica, links, rng, clock.now())?;
    let bounds = state_bounds(settings.memory_bytes, shards.len());
    for opened in &mut shards {
        opened.shard.bound_state(bounds);
        opened.shard.keep_unread_for(settings.unread_kept_ms);
        let guard = SpaceGuard::new(&opened.directory, settings.reserve_bytes);
        opened.shard.guard_space(guard);
    }
    let states = || shards.iter().map(|opened| opened.shard.state());
    let epoch = states().map(State::next_epoch).max().unwrap_or_default();
    let latest = states().map(State::latest).max().unwrap_or_default();
    clock.not_before(latest);
    for opened in &mut shards {
        opened.recover(epoch, clock.now())?;
    }
    let catalogue = replica.read().clone();
    for opened in &mut shards {
        opened.shard.reconcile(&catalogue, clock.now());
        opened.shard.resend();
    }
    Ok((epoch, shards))
}
