//! The broker's process: real shards, writers and checkpointers, driven one step at a time.
//!
//! It does the work of the broker's threads, in random order.

mod maintenance;
mod postman;
mod start;

use std::{collections::VecDeque, mem, sync::Arc};

use parking_lot::RwLock;
use stele_base_types::{LogId, ProcessEpoch, SessionId, ShardId, Timestamp};
use stele_core_broker::{Awaited, LinkInbox, LinkNews, News, Request, Shard};
use stele_core_engine::{Catalogue, LedgerId, Record, State};
use stele_core_storage::{
    Block, Checkpoint, CheckpointPlan, Checkpointer, DataDirectory, Error, Journal, Retired,
};

use self::postman::Postman;
pub(crate) use self::start::{Settings, Telling};
use crate::event::{Found, LinkEnds};

/// The most blocks that a writer has at once.
const BLOCKS_IN_FLIGHT_MAX: usize = 4;

/// A running process. Dropping it leaves the disk as it is.
#[derive(Debug)]
pub(crate) struct Process {
    sites: Vec<Site>,
    links: Vec<LinkInbox>,
    /// Something sent between shards was lost, and wasn't sent again yet.
    has_lost: bool,
    replica: Arc<RwLock<Catalogue>>,
    telling: Telling,
    epoch: ProcessEpoch,
    /// Its start, by its own clock.
    began: Timestamp,
    _directory: DataDirectory,
}

/// What happens to something sent between shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    Arrives,
    Lost,
    Doubled,
}

/// A shard with its writer and checkpointer.
#[derive(Debug)]
struct Site {
    shard: Shard,
    writer: Box<dyn Journal>,
    checkpointer: Checkpointer,
    /// The writer's blocks, and what is awaited of each.
    blocks: VecDeque<(Block, Awaited)>,
    /// Finished work that the writer hasn't reported.
    untold: Progress,
    /// Reports that the shard hasn't received.
    told: VecDeque<Progress>,
    is_sync_due: bool,
    /// Blocks that the shard believes the writer isn't done with.
    in_flight: usize,
    /// The checkpointer's next plan.
    plan: Option<CheckpointPlan>,
    /// A finished checkpoint that the shard hasn't received.
    checkpoint: Option<Checkpoint>,
    /// Checkpointed files whose space isn't freed yet.
    retired: Option<Retired>,
    /// The task that moves dead letters.
    postman: Postman,
}

/// A writer's report to its shard.
#[derive(Debug, Default)]
struct Progress {
    news: Vec<News>,
    /// The number of finished blocks.
    through: usize,
}

impl Process {
    /// The number of shards.
    pub(crate) fn shard_count(&self) -> usize {
        self.sites.len()
    }

    /// Its start, by its own clock.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// The session id of a number unique in this process.
    pub(crate) fn session(&self, number: u64) -> SessionId {
        SessionId(self.epoch.first_number() + number)
    }

    /// The shard of a log.
    pub(crate) fn shard_of(&self, log: LogId) -> usize {
        usize::from(stele_core_engine::shard_of(log, self.sites.len()).0)
    }

    /// The catalogue that fronts route by.
    pub(crate) fn catalogue(&self) -> Catalogue {
        self.replica.read().clone()
    }

    /// The catalogue's version, which changes with its content.
    pub(crate) fn catalogue_version(&self) -> u64 {
        self.replica.read().version()
    }

    /// Handles a front's request.
    pub(crate) fn handle(&mut self, shard: usize, request: Request, now: Timestamp) {
        self.take_link(shard, now);
        self.sites[shard].shard.handle(request, now);
    }

    /// Receives everything that other shards have sent: a front that has heard of a change finds it
    /// applied.
    pub(crate) fn take_link(&mut self, shard: usize, now: Timestamp) {
        if mem::take(&mut self.has_lost) {
            self.sites.iter().for_each(|site| site.shard.resend());
        }
        for news in self.taken_from_link(shard) {
            self.sites[shard].shard.handle_link(news, now);
        }
    }

    /// Receives the next command that other shards have sent, or applies `luck` to it.
    pub(crate) fn carry_link(&mut self, shard: usize, luck: Luck, now: Timestamp) {
        let mut on_way = self.taken_from_link(shard).into_iter();
        let Some(next) = on_way.next() else {
            return;
        };
        let later = on_way.chain((luck == Luck::Doubled).then(|| next.clone()));
        later.for_each(|news| self.links[shard].push(news));
        if luck == Luck::Lost {
            self.has_lost = true;
        } else {
            self.sites[shard].shard.handle_link(next, now);
        }
    }

    fn taken_from_link(&self, shard: usize) -> Vec<LinkNews> {
        let mut on_way = Vec::new();
        self.links[shard].take(&mut on_way);
        on_way
    }

    /// The state of the links between all pairs of shards.
    pub(crate) fn links(&self) -> Vec<LinkEnds> {
        let shards = || (0..self.sites.len()).map(|shard| ShardId(shard as u16));
        let pairs = shards().flat_map(|from| shards().map(move |to| (from, to)));
        let ends = pairs.filter(|(from, to)| from != to).map(|(from, to)| {
            let links = |shard: ShardId| &self.sites[usize::from(shard.0)].shard.state().links;
            LinkEnds {
                from,
                to,
                sent: links(from).sent(to),
                taken: links(to).taken(from),
                acknowledged: links(from).acknowledged(to),
            }
        });
        ends.collect()
    }

    /// The open logs on all shards, in order.
    pub(crate) fn open_logs(&self) -> Vec<LogId> {
        let shards = self.sites.iter().map(|site| &site.shard.state().logs);
        let mut logs: Vec<_> = shards
            .flat_map(|logs| logs.iter().map(|(id, _)| id))
            .collect();
        logs.sort_unstable();
        logs
    }

    /// The logs for which groups have committed offsets.
    pub(crate) fn read_logs(&self) -> Vec<LogId> {
        let groups = self.sites.iter().map(|site| &site.shard.state().groups);
        let read = groups.flat_map(|groups| groups.read_logs(None));
        read.map(|(_, log)| log).collect()
    }

    /// The logs with records in transit to others.
    pub(crate) fn moving_logs(&self) -> Vec<LogId> {
        let logs = self
            .sites
            .iter()
            .flat_map(|site| site.shard.state().logs.iter());
        let moving = logs.filter(|(_, log)| {
            let ledger = log.ledger(LedgerId::DEFAULT);
            ledger.is_some_and(|ledger| ledger.moving() > 0)
        });
        moving.map(|(log, _)| log).collect()
    }

    /// Does what is due, on all shards.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        for site in &mut self.sites {
            while site.shard.is_due(now) {
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
            let awaited = site.shard.awaited(&block);
            site.blocks.push_back((block, awaited));
            site.in_flight += 1;
        }
        if let Some((block, awaited)) = site.blocks.pop_front() {
            let written = match site.writer.append(&block) {
                Ok(written) => written,
                // It is retried if the process continues.
                Err(error) => {
                    site.blocks.push_front((block, awaited));
                    return Err(error);
                }
            };
            site.is_sync_due |= awaited.is_synced;
            site.untold.news.push(News::Written(written));
            site.untold.through += 1;
            match self.telling {
                Telling::Apart => site.tell(),
                Telling::Together if awaited.is_written => site.tell_news(),
                Telling::Together => {}
            }
        }
        Ok(())
    }

    /// Syncs if necessary or if `anyway` is set. The writer is then done with what it wrote.
    pub(crate) fn sync(&mut self, shard: usize, anyway: bool) -> Result<(), Error> {
        let site = &mut self.sites[shard];
        if site.is_sync_due || anyway {
            let next = site.writer.sync()?;
            site.is_sync_due = false;
            site.untold.news.push(News::Synced(next));
        }
        site.tell();
        Ok(())
    }

    /// The shard receives what its writer has reported at one time.
    pub(crate) fn deliver_news(&mut self, shard: usize, now: Timestamp) {
        let site = &mut self.sites[shard];
        if let Some(progress) = site.told.pop_front() {
            site.in_flight -= progress.through;
            for news in progress.news {
                site.shard.news(news, now);
            }
        }
    }

    /// Runs everything until there is nothing left to do.
    pub(crate) fn run_until_idle(&mut self, now: Timestamp) -> Result<(), Error> {
        let mut left = 8;
        // A letter may die again where it comes to.
        for _ in 0..100 {
            if left == 0 {
                break;
            }
            left -= 1;
            for shard in 0..self.sites.len() {
                self.take_link(shard, now);
                self.write_all(shard, now)?;
            }
            self.tick(now);
            for shard in 0..self.sites.len() {
                // Dead letters that can't be read are never in their places.
                if self.post(shard, now).unwrap_or(false) {
                    left = 8;
                }
            }
        }
        Ok(())
    }

    /// Stops gracefully: everything decided is on disk, and each journal has its stop mark.
    pub(crate) fn stop(&mut self, now: Timestamp) -> Result<(), Error> {
        for shard in 0..self.sites.len() {
            self.write_all(shard, now)?;
            self.sites[shard].shard.stop();
            self.write_all(shard, now)?;
            self.sites[shard].writer.mark_end()?;
        }
        Ok(())
    }

    /// Writes and syncs everything decided, in at least one block.
    fn write_all(&mut self, shard: usize, now: Timestamp) -> Result<(), Error> {
        self.sites[shard].shard.want_block();
        while !self.is_idle(shard) {
            self.sites[shard].shard.want_block();
            self.write(shard, now)?;
            self.sync(shard, true)?;
            while !self.sites[shard].told.is_empty() {
                self.deliver_news(shard, now);
            }
        }
        Ok(())
    }

    fn is_idle(&self, shard: usize) -> bool {
        let site = &self.sites[shard];
        site.shard.is_synced() && site.in_flight == 0 && site.told.is_empty()
    }

    /// A shard's state.
    pub(crate) fn state_of(&self, shard: usize) -> Found {
        let stored = self.sites[shard].shard.state().store();
        let mut read = State::default();
        for (part, bytes) in &stored {
            let loaded = read.load_part(*part, bytes);
            loaded.expect("it was stored just now");
        }
        let reads_back = read.store() == stored;
        read.apply(&Record::Started(ProcessEpoch::default()));
        Found {
            state: read.store(),
            reads_back,
        }
    }
}

impl Site {
    /// Reports what the writer has done; it is finished with that.
    fn tell(&mut self) {
        let progress = mem::take(&mut self.untold);
        if !progress.news.is_empty() || progress.through > 0 {
            self.told.push_back(progress);
        }
    }

    /// Reports what the writer has done so far; it continues.
    fn tell_news(&mut self) {
        self.told.push_back(Progress {
            news: mem::take(&mut self.untold.news),
            through: 0,
        });
    }
}
