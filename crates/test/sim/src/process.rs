//! The broker's process: real shards, writers and settlers, driven one step at a time.
//!
//! It does what the broker's threads do, in an order that chance decides.

mod maintenance;
mod start;

use std::{collections::VecDeque, sync::Arc};

use parking_lot::RwLock;
use stele_base_types::{LogId, Timestamp};
use stele_core_broker::{Lane, News, Request, Shard};
use stele_core_engine::{Catalogue, Command};
use stele_core_storage::{
    Block, DataDirectory, Error, JournalWriter, Options, Retired, SettlePlan, Settled, Settler,
    SpaceGuard,
};

pub(crate) use self::start::Settings;

/// Blocks that a writer has at once.
const BLOCKS_IN_FLIGHT_MAX: usize = 4;

/// A running process. Dropping it leaves the disk as it is.
#[derive(Debug)]
pub(crate) struct Process {
    sites: Vec<Site>,
    lanes: Vec<Lane>,
    replica: Arc<RwLock<Catalogue>>,
    options: Options,
    _directory: DataDirectory,
}

/// A shard with what works for it.
#[derive(Debug)]
struct Site {
    shard: Shard,
    writer: JournalWriter,
    settler: Settler,
    guard: SpaceGuard,
    /// Blocks that the writer has, and whether each needs a sync.
    blocks: VecDeque<(Block, bool)>,
    news: VecDeque<News>,
    is_sync_due: bool,
    /// Blocks whose writing the shard hasn't heard of.
    in_flight: usize,
    /// What the settler is to do.
    plan: Option<SettlePlan>,
    /// What it has done, and the shard hasn't heard of.
    settled: Option<Settled>,
    /// The space of settled files, not given back yet.
    retired: Option<Retired>,
}

impl Process {
    /// How many shards there are.
    pub(crate) fn shard_count(&self) -> usize {
        self.sites.len()
    }

    /// The shard of a log.
    pub(crate) fn shard_of(&self, log: LogId) -> usize {
        (log.0 % self.sites.len() as u64) as usize
    }

    /// What fronts route by.
    pub(crate) fn catalogue(&self) -> Catalogue {
        self.replica.read().clone()
    }

    /// Its version: it is the same for as long as this is.
    pub(crate) fn catalogue_version(&self) -> u64 {
        self.replica.read().version()
    }

    /// A front's request.
    pub(crate) fn handle(&mut self, shard: usize, request: Request, now: Timestamp) {
        self.take_lane(shard, now);
        self.sites[shard].shard.handle(request, now);
    }

    /// Takes up what other shards have sent.
    pub(crate) fn take_lane(&mut self, shard: usize, now: Timestamp) {
        let mut commands: Vec<Command> = Vec::new();
        self.lanes[shard].take(&mut commands);
        for command in commands {
            self.sites[shard].shard.handle_lane(command, now);
        }
    }

    /// Does what is due, on all shards.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        for site in &mut self.sites {
            if site.shard.next_deadline().is_some_and(|due| due <= now) {
                site.shard.tick(now);
            }
        }
    }

    /// Gives the writer what it can take, and writes one block.
    pub(crate) fn write(&mut self, shard: usize, now: Timestamp) -> Result<(), Error> {
        let site = &mut self.sites[shard];
        while site.in_flight < BLOCKS_IN_FLIGHT_MAX
            && (site.in_flight == 0 || site.shard.has_sealed())
        {
            let Some(block) = site.shard.take_block(now) else {
                break;
            };
            let is_sync_due = site.shard.awaited(&block).is_synced;
            site.blocks.push_back((block, is_sync_due));
            site.in_flight += 1;
        }
        if let Some((block, is_sync_due)) = site.blocks.pop_front() {
            let written = site.writer.write(&block)?;
            site.is_sync_due |= is_sync_due;
            site.news.push_back(News::Written(written));
        }
        Ok(())
    }

    /// Syncs, if anything needs it or `anyway`.
    pub(crate) fn sync(&mut self, shard: usize, anyway: bool) -> Result<(), Error> {
        let site = &mut self.sites[shard];
        if site.is_sync_due || anyway {
            let next = site.writer.sync()?;
            site.is_sync_due = false;
            site.news.push_back(News::Synced(next));
        }
        Ok(())
    }

    /// Tells the shard one thing that its writer has done.
    pub(crate) fn deliver_news(&mut self, shard: usize, now: Timestamp) {
        let site = &mut self.sites[shard];
        if let Some(news) = site.news.pop_front() {
            if let News::Written(_) = news {
                site.in_flight -= 1;
            }
            site.shard.news(news, now);
        }
    }

    /// Lets everyone work until there is nothing left to do.
    pub(crate) fn settle_down(&mut self, now: Timestamp) -> Result<(), Error> {
        for _ in 0..8 {
            for shard in 0..self.sites.len() {
                self.take_lane(shard, now);
                self.sites[shard].shard.want_block();
                while !self.is_idle(shard) {
                    self.sites[shard].shard.want_block();
                    self.write(shard, now)?;
                    self.sync(shard, true)?;
                    while !self.sites[shard].news.is_empty() {
                        self.deliver_news(shard, now);
                    }
                }
            }
            self.tick(now);
        }
        Ok(())
    }

    fn is_idle(&self, shard: usize) -> bool {
        let site = &self.sites[shard];
        site.shard.is_synced() && site.in_flight == 0 && site.news.is_empty()
    }

    /// The stored form of a shard's state.
    pub(crate) fn state_of(&self, shard: usize) -> Vec<u8> {
        postcard::to_stdvec(self.sites[shard].shard.state())
            .expect("a state holds nothing that can't be stored")
    }
}
