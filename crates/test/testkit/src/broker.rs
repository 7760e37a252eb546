//! A broker on a directory of its own.

use std::sync::Arc;

use stele_base_env::{Clock, OsRng};
use stele_core_broker::{Broker, Publish, Running, Settings};
use stele_core_engine::{AppendTarget, Durability};
use tempfile::TempDir;

use crate::{message, queue, scarce_disk::ScarceDisk, shifted_clock::ShiftedClock};

/// Publishing is refused while less than this is free, which never happens unless a test causes it.
const RESERVE_BYTES: u64 = 1 << 20;

/// A running broker on a temporary directory, which is removed with it.
#[derive(Debug)]
pub struct TestBroker {
    /// The handle.
    pub broker: Broker,
    running: Running,
    directory: TempDir,
    shards: u16,
    disk: Arc<ScarceDisk>,
    clock: Arc<ShiftedClock>,
}

impl TestBroker {
    /// Starts a broker with one shard. Must be called in a tokio runtime.
    pub fn start() -> Self {
        Self::with_shards(1)
    }

    /// Starts a broker with several shards.
    pub fn with_shards(shards: u16) -> Self {
        Self::on(
            tempfile::tempdir().expect("a directory for the test"),
            shards,
        )
    }

    /// Leaves less space than the reserve; returns once publishing is refused.
    pub async fn fill_disk(&self) {
        self.fill_disk_to(RESERVE_BYTES - 1).await;
    }

    /// Leaves less than half of the reserve, so that definitions are refused too.
    pub async fn fill_disk_for_definitions(&self) {
        self.fill_disk_to(RESERVE_BYTES / 2 - 1).await;
    }

    async fn fill_disk_to(&self, free_bytes: u64) {
        for shard in 0..self.shards {
            self.disk.set_free_bytes(shard, free_bytes);
        }
        for shard in 0..self.shards {
            self.await_blocked(shard, true).await;
        }
    }

    /// Frees all space again; returns once publishing is accepted.
    pub async fn empty_disk(&self) {
        for shard in 0..self.shards {
            self.empty_disk_of(shard).await;
        }
    }

    /// Frees all space for one shard, without waiting for it to notice.
    pub async fn empty_disk_of(&self, shard: u16) {
        self.disk.set_free_bytes(shard, u64::MAX);
        self.await_blocked(shard, false).await;
    }

    /// The broker's clock, for whatever else has to have the same time.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as _
    }

    /// Lets time pass; returns once every shard has done what has become due.
    pub async fn pass(&self, duration_ms: u64) {
        self.clock.pass(duration_ms);
        // A shard checks the time after each turn: the second answer comes after the first turn.
        for _ in 0..2 {
            let shards = self.broker.shard_statuses().await;
            drop(shards.expect("the broker runs"));
        }
    }

    /// Returns once everything that the shards have decided is on disk and can be seen: they write
    /// in order, so it writes something on each.
    pub async fn sync(&self) {
        for shard in 0..self.shards {
            let log = queue(&format!("sync {shard}"), Durability::Synced);
            let declared = self.broker.declare_log(log).await;
            let log = declared.expect("it can be declared").definition().id;
            let target = AppendTarget::any_partition(log);
            let appended = self.broker.append(Publish::to(target, message("")));
            drop(appended.await.expect("it is appended"));
        }
    }

    /// Returns once a shard has noticed, which it does by itself about once a second.
    async fn await_blocked(&self, shard: u16, blocked: bool) {
        loop {
            let shards = self.broker.shard_statuses().await;
            let shards = shards.expect("the broker runs");
            if shards[usize::from(shard)].is_blocked == blocked {
                return;
            }
        }
    }

    /// Stops the broker and starts another on the same directory.
    pub async fn restart(self) -> Self {
        self.running.stop().await;
        Self::on(self.directory, self.shards)
    }

    /// Stops the broker gracefully, and returns the directory, whose `data` it used.
    pub async fn stop_and_keep(self) -> TempDir {
        self.running.stop().await;
        self.directory
    }

    /// Stops the broker gracefully.
    pub async fn stop(self) {
        self.running.stop().await;
    }

    fn on(directory: TempDir, shards: u16) -> Self {
        let settings = Settings {
            directory: directory.path().join("data"),
            shards,
            storage: stele_core_storage::Options::default(),
            reserve_bytes: RESERVE_BYTES,
            unread_kept_ms: u64::MAX,
            open_files_max: 64,
            memory_bytes: 1 << 30,
        };
        let disk = Arc::new(ScarceDisk::new(shards));
        let clock = Arc::new(ShiftedClock::new());
        let (disk_too, clock_too) = (Arc::clone(&disk) as _, Arc::clone(&clock) as _);
        let mut rng = OsRng::new().expect("there is randomness");
        let started = Broker::start(&settings, disk_too, clock_too, &mut rng);
        let (broker, running) = started.expect("an empty directory can be used");
        Self {
            broker,
            running,
            directory,
            shards,
            disk,
            clock,
        }
    }
}
