//! Starting the process: recovery of every shard, then the catalogue's view of them.

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

use parking_lot::RwLock;
use stele_base_env::Disk;
use stele_base_types::{ProcessEpoch, Timestamp};
use stele_core_broker::{LinkInbox, Mailbox, Opened};
use stele_core_engine::{Catalogue, State};
use stele_core_storage::{DataDirectory, Error, Options, SpaceGuard};
use stele_test_disk::{MemoryDisk, Random};

use super::{Postman, Process, Progress, Site};
use crate::{event::Found, run::AGED_MS};

/// Settings that stay the same throughout a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The data directory.
    pub directory: PathBuf,
    /// The number of shards.
    pub shards: u16,
    /// Sizes so small that every boundary is crossed.
    pub options: Options,
    /// Publishing is refused while less than this is free.
    pub reserve_bytes: u64,
    /// The seed of secrets.
    pub secret: u64,
    /// How writers report.
    pub telling: Telling,
    /// How much a shard does in one piece.
    pub piece_records: u32,
    /// How long queues keep records that groups haven't read.
    pub unread_kept_ms: u64,
    /// Whether clients use queues that records leave by themselves.
    pub has_letters: bool,
}

/// When a writer reports to its shard that a block is written or synced. A shard must work with
/// either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Each as soon as it is done.
    Apart,
    /// Both together, as the broker's writer does; separately only if the write itself is awaited.
    Together,
}

impl Settings {
    /// Random settings.
    pub(crate) fn choose(random: &mut Random) -> Self {
        let file_size_bytes = 1 << random.between(10, 15);
        Self {
            directory: PathBuf::from("/data"),
            shards: random.between(1, 3) as u16,
            options: Options {
                journal_file_size_bytes_max: file_size_bytes,
                journal_size_bytes_max: file_size_bytes * random.between(1, 4),
                journal_age_ms_max: random.between(1_000, 600_000),
                segment_size_bytes_max: 1 << random.between(10, 15),
                cache_size_bytes_max: 1 << random.between(10, 16),
            },
            reserve_bytes: 64 << 10,
            secret: random.bits(),
            piece_records: 1 << random.between(0, 8),
            unread_kept_ms: random.between(1_000, AGED_MS),
            has_letters: random.once_in(2),
            telling: if random.once_in(2) {
                Telling::Apart
            } else {
                Telling::Together
            },
        }
    }
}

impl Process {
    /// Starts at the calendar's time, or at the latest time noted on disk if that is later; returns
    /// the state that each shard recovered.
    pub(crate) fn start(
        settings: &Settings,
        disk: &MemoryDisk,
        calendar: Timestamp,
    ) -> Result<(Self, Vec<Found>), Error> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let directory = DataDirectory::open(disk, &settings.directory, settings.shards)?;
        let replica = Arc::new(RwLock::new(Catalogue::default()));
        let links: Vec<LinkInbox> = (0..directory.shard_count())
            .map(|_| Arc::new(Mailbox::default()))
            .collect();
        let mut process = Self {
            sites: Vec::new(),
            links,
            has_lost: false,
            replica,
            telling: settings.telling,
            epoch: ProcessEpoch::default(),
            began: calendar,
            _directory: directory,
        };
        let opened = Opened::all(
            &process._directory,
            &settings.options,
            &process.replica,
            &process.links,
            &mut Random::new(settings.secret),
            calendar,
        )?;
        let states = || opened.iter().map(|opened| opened.shard.state());
        let epoch = states().map(State::next_epoch).max().unwrap_or_default();
        let latest = states().map(State::latest).max().unwrap_or_default();
        let now = calendar.max(latest);
        (process.epoch, process.began) = (epoch, now);
        for mut opened in opened {
            opened.shard.limit_pieces(settings.piece_records);
            opened.shard.keep_unread_for(settings.unread_kept_ms);
            let guard = SpaceGuard::new(&opened.directory, settings.reserve_bytes);
            opened.shard.guard_space(guard);
            opened.recover(epoch, now)?;
            process.sites.push(Site::new(opened));
        }
        let shards = 0..process.sites.len();
        let states = shards.map(|shard| process.state_of(shard)).collect();
        let catalogue = process.catalogue();
        for site in &mut process.sites {
            site.shard.reconcile(&catalogue, now);
            site.shard.resend();
        }
        Ok((process, states))
    }
}

impl Site {
    fn new(opened: Opened) -> Self {
        let Opened {
            shard,
            writer,
            checkpointer,
            ..
        } = opened;
        Self {
            shard,
            writer,
            checkpointer,
            blocks: VecDeque::new(),
            untold: Progress::default(),
            told: VecDeque::new(),
            is_sync_due: false,
            in_flight: 0,
            plan: None,
            checkpoint: None,
            retired: None,
            postman: Postman::default(),
        }
    }
}
