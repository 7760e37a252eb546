//! If one shard refuses to start, none of them is changed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::{Disk, LocalDisk, OpenMode, OsRng, SystemClock};
use stele_core_broker::{Broker, Settings, StartError};
use stele_core_engine::Durability;
use stele_core_storage::Error;
use stele_test_testkit::{TestBroker, queue};

const SHARDS: u16 = 3;

fn start(directory: &Path) -> Result<Broker, StartError> {
    let settings = Settings {
        directory: directory.to_owned(),
        shards: SHARDS,
        storage: stele_core_storage::Options::default(),
        reserve_bytes: 0,
        unread_kept_ms: u64::MAX,
        open_files_max: 64,
        memory_bytes: 1 << 30,
    };
    let mut rng = OsRng::new().unwrap();
    let clock = Arc::new(SystemClock::new());
    let started = Broker::start(&settings, Arc::new(LocalDisk), clock, &mut rng);
    started.map(|(broker, _running)| broker)
}

/// All files below `directory`, with their contents.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut contents = Vec::new();
    for entry in LocalDisk.list(directory).unwrap() {
        let path = directory.join(entry.name);
        if entry.is_dir {
            contents.extend(self::contents(&path));
        } else {
            let bytes = LocalDisk.read(&path).unwrap();
            contents.push((path, bytes.to_vec()));
        }
    }
    contents
}

#[tokio::test]
async fn a_journal_that_is_cut_after_a_stop_is_refused_and_no_shard_is_changed() {
    let test = TestBroker::with_shards(SHARDS);
    for at in 0..10 {
        let declared = queue(&format!("orders-{at}"), Durability::Synced);
        test.broker.declare_log(declared).await.unwrap();
    }
    let kept = test.stop_and_keep().await;
    let directory = kept.path().join("data");
    for shard in 0..SHARDS {
        let mark = directory.join(format!("shard-{shard}.stopped"));
        assert!(LocalDisk.exists(&mark).unwrap(), "{}", mark.display());
    }
    let last = "shard-2/journal/00000000000000000000.journal";
    let last = LocalDisk.open(&directory.join(last), OpenMode::Write);
    last.unwrap().truncate(60).unwrap();
    let before = contents(&directory);
    let refused = start(&directory).expect_err("the journal of a shard is cut");
    let StartError::Storage(Error::Damaged { path, .. }) = &refused else {
        panic!("{refused}");
    };
    assert!(LocalDisk.exists(path).unwrap(), "{refused}");
    assert!(contents(&directory) == before, "{refused}");
}
