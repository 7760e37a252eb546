//! Starting a shard: recovery, then reconciliation with the catalogue. All shards are read, and
//! found intact, before any of them is changed.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use hashbrown::{HashMap, HashSet};
use parking_lot::RwLock;
use stele_base_env::Rng;
use stele_base_types::{LogId, PartitionId, PartitionIndex, ProcessEpoch, ShardId, Timestamp};
use stele_core_engine::{Catalogue, OpenLog, Topology};
use stele_core_storage::{
    Checkpointer, DataDirectory, Error, Intact, Journal, Options, Recovered, RecoveryReport,
    ShardDirectory,
};

use super::{
    Checkpointing, Counters, Counting, LinkInbox, Replayed, Shard,
    arrivals::Arrivals,
    dead::DeadNews,
    maintain::Maintained,
    release::{News, Unreleased},
};
use crate::limits::{PIECE_RECORDS, UNREAD_KEPT_MS};

/// A recovered shard, with its writer and checkpointer.
#[derive(Debug)]
pub struct Opened {
    /// The shard.
    pub shard: Shard,
    /// Writes the shard's blocks.
    pub writer: Box<dyn Journal>,
    /// Checkpoints the shard's journal.
    pub checkpointer: Checkpointer,
    /// The shard's directory.
    pub directory: ShardDirectory,
}

/// A shard that was read and found intact. Nothing of it has been changed yet.
#[derive(Debug)]
pub struct IntactShard {
    directory: ShardDirectory,
    storage: Intact,
    replayed: Replayed,
}

impl Opened {
    /// Opens every shard of a directory. If one of them can't be read, none is changed. A new
    /// directory gets its secrets from `rng`. `links` has one end for each shard.
    pub fn all(
        directory: &DataDirectory,
        options: &Options,
        replica: &Arc<RwLock<Catalogue>>,
        links: &[LinkInbox],
        rng: &mut dyn Rng,
        now: Timestamp,
    ) -> Result<Vec<Self>, Error> {
        let shards = (0..directory.shard_count()).map(ShardId);
        let read = |shard| IntactShard::read(directory.shard(shard), options, now);
        let intact: Vec<_> = shards.map(read).collect::<Result<_, _>>()?;
        let intact = intact.into_iter();
        let opened = intact.map(|intact| intact.open(replica, links, rng, now));
        opened.collect()
    }

    /// Begins a new process epoch: drops what doesn't survive the previous process, and returns
    /// what its sessions had leased. `epoch` must be at least the `State::next_epoch` of every
    /// shard. On shard 0, the replica becomes a copy of the catalogue.
    ///
    /// Everything is on disk when this returns. If a crash lost the epoch, but leases of it had
    /// been handed out, the next process would use the same epoch and hand out the same leases
    /// again.
    pub fn recover(&mut self, epoch: ProcessEpoch, now: Timestamp) -> Result<(), Error> {
        self.shard.recover(epoch, now);
        self.shard.want_block();
        while let Some(block) = self.shard.take_block(now) {
            let written = self.writer.append(&block)?;
            self.shard.news(News::Written(written), now);
        }
        let next = self.writer.sync()?;
        self.shard.news(News::Synced(next), now);
        Ok(())
    }
}

impl IntactShard {
    /// Replays the contents of `directory`.
    pub fn read(
        directory: ShardDirectory,
        options: &Options,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut replayed = Replayed::default();
        let storage = Intact::read(&directory, options, &mut replayed, now)?;
        Ok(Self {
            directory,
            storage,
            replayed,
        })
    }

    /// Opens the shard for writing. [`Opened::recover`] follows once the process's epoch is known.
    /// `links` has one end for each shard. A new directory gets a secret from `rng`.
    pub fn open(
        self,
        replica: &Arc<RwLock<Catalogue>>,
        links: &[LinkInbox],
        rng: &mut dyn Rng,
        now: Timestamp,
    ) -> Result<Opened, Error> {
        let (directory, mut replayed) = (self.directory, self.replayed);
        let Recovered {
            builder,
            index,
            writer,
            checkpointer,
            report,
        } = self.storage.begin(rng)?;
        let next = builder.sequence();
        replayed
            .state
            .set_topology(topology(directory.shard(), links));
        let shard = Shard {
            id: directory.shard(),
            state: replayed.state,
            builder,
            index,
            synced: next,
            written: next,
            is_block_wanted: false,
            filling_since: now,
            sealed: VecDeque::new(),
            unreleased: VecDeque::from([Unreleased::default()]),
            unreleased_first: next,
            leasers: HashMap::new(),
            deletions: HashMap::new(),
            joins: HashMap::new(),
            syncs: HashMap::new(),
            tickets: HashMap::new(),
            next_token: 0,
            sessions: HashMap::new(),
            watches: HashMap::new(),
            releasable: Vec::new(),
            purged: Vec::new(),
            replica: Arc::clone(replica),
            links: links.to_vec(),
            guard: None,
            is_blocked: false,
            is_stopping: false,
            waiting: VecDeque::new(),
            maintained: Maintained::default(),
            unread_kept_ms: UNREAD_KEPT_MS,
            arrivals: Arrivals::default(),
            owed: Vec::new(),
            settling: Vec::new(),
            piece_records: PIECE_RECORDS,
            dispatched: 0,
            dispatched_last: None,
            checkpointing: Checkpointing::default(),
            dead: DeadNews::default(),
            scratch: Vec::new(),
            counters: Counters::default(),
            counting: Counting::default(),
            now,
        };
        log_recovery(directory.shard(), &report);
        Ok(Opened {
            shard,
            writer,
            checkpointer,
            directory,
        })
    }
}

fn topology(own: ShardId, links: &[LinkInbox]) -> Topology {
    let shards = u16::try_from(links.len()).expect("shards are counted by 16 bits");
    Topology { own, shards }
}

fn log_recovery(shard: ShardId, report: &RecoveryReport) {
    tracing::info!(
        %shard,
        blocks = report.block_count,
        journal_bytes = report.journal_size_bytes,
        rewritten_bytes = report.unproven_size_bytes,
        torn_bytes = report.torn_size_bytes,
        "recovered"
    );
}

impl Shard {
    fn recover(&mut self, epoch: ProcessEpoch, now: Timestamp) {
        self.now = now;
        loop {
            let decision = self.state.recover(epoch, now);
            if !self.apply_own(decision) {
                break;
            }
        }
        self.place_index();
        if self.id == Topology::CATALOGUE {
            *self.replica.write() = self.state.catalogue.clone();
        }
        while self.state.logs.has_leavings() {
            self.clean_up();
        }
        // All at once, as nobody waits: what one recovery leaves another one would do.
        while self.state.logs.is_too_long() {
            let decision = self.state.shorten();
            self.apply_own(decision);
        }
        self.dispatch();
    }

    /// Opens the logs that the catalogue defines and drops all others, in case of a crash between
    /// the two changes. Called once, with shard 0's catalogue, after all shards have recovered.
    pub fn reconcile(&mut self, catalogue: &Catalogue, now: Timestamp) {
        self.now = now;
        let closed: BTreeSet<LogId> = self.state.logs.closed().collect();
        let mut defined = HashSet::new();
        for definition in catalogue.all_logs() {
            if self.shard_of(definition.id) != self.id {
                continue;
            }
            defined.insert(definition.id);
            if closed.contains(&definition.id) {
                // The log was being deleted, and only its definition is left.
                let decision = self.state.finish_deletion(definition.id, now);
                self.apply_own(decision);
            } else {
                self.tell(OpenLog {
                    log: definition.id,
                    config: definition.config,
                });
            }
        }
        // On other shards than the catalogue's, a closed log is forgotten when the catalogue's
        // shard says so. Until then, a command to open it may still be in flight.
        let closed = closed
            .into_iter()
            .filter(|_| self.id == Topology::CATALOGUE);
        let orphans: Vec<LogId> = self
            .state
            .logs
            .iter()
            .map(|(log, _)| log)
            .chain(closed)
            .filter(|log| !defined.contains(log))
            .collect();
        for log in orphans {
            let decision = self.state.logs.forget(log);
            self.apply_own(decision);
        }
        self.dispatch();
    }

    /// Tells the index where partitions start and which logs recovery has dropped, which only the
    /// state knows.
    fn place_index(&mut self) {
        let logs = &self.state.logs;
        self.index.retain_logs(|log| logs.log(log).is_some());
        for (log, state) in self.state.logs.iter() {
            for (index, partition) in state.partitions.iter().enumerate() {
                let index = PartitionIndex(index as u32);
                self.index
                    .advance_start(PartitionId::new(log, index), partition.start);
            }
        }
    }
}
