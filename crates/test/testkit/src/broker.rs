//! A broker on a directory of its own.

use std::sync::Arc;

use stele_base_env::{LocalDisk, SystemClock};
use stele_core_broker::{Broker, Running, Settings};
use tempfile::TempDir;

/// A running broker on a temporary directory, which goes with it.
#[derive(Debug)]
pub struct TestBroker {
    /// The handle.
    pub broker: Broker,
    running: Running,
    directory: TempDir,
    shards: u16,
}

impl TestBroker {
    /// Starts one with one shard. Must be called in a tokio runtime.
    pub fn start() -> Self {
        Self::with_shards(1)
    }

    /// Starts one with several shards.
    pub fn with_shards(shards: u16) -> Self {
        Self::on(
            tempfile::tempdir().expect("a directory for the test"),
            shards,
        )
    }

    /// Stops it and starts another on the same directory.
    pub async fn restart(self) -> Self {
        self.running.stop().await;
        Self::on(self.directory, self.shards)
    }

    /// Stops it in order, and gives the directory, whose `data` it used.
    pub async fn stop_and_keep(self) -> TempDir {
        self.running.stop().await;
        self.directory
    }

    /// Stops it in order.
    pub async fn stop(self) {
        self.running.stop().await;
    }

    fn on(directory: TempDir, shards: u16) -> Self {
        let settings = Settings {
            directory: directory.path().join("data"),
            shards,
            storage: stele_core_storage::Options::default(),
            reserve_bytes: 0,
        };
        let disk = Arc::new(LocalDisk);
        let clock = Arc::new(SystemClock::new());
        let (broker, running) =
            Broker::start(&settings, disk, clock).expect("an empty directory can be used");
        Self {
            broker,
            running,
            directory,
            shards,
        }
    }
}
