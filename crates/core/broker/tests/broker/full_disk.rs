//! A full disk: decisions wait, and everything continues once there is space.

use std::{path::PathBuf, sync::Arc};

use stele_base_env::{OsRng, SystemClock};
use stele_core_broker::{Broker, Running, Settings};
use stele_core_engine::{Declared, DeleteLog, Durability};
use stele_core_storage::Options;
use stele_test_disk::MemoryDisk;
use stele_test_testkit::queue;
use tokio::{select, task::yield_now};

/// So small that every other request needs a new file.
const OPTIONS: Options = Options {
    journal_file_size_bytes_max: 4 << 10,
    journal_size_bytes_max: 64 << 10,
    journal_age_ms_max: 60 * 60 * 1000,
    segment_size_bytes_max: 64 << 10,
    cache_size_bytes_max: 64 << 10,
};

const QUEUES: usize = 200;

fn start(disk: &MemoryDisk) -> (Broker, Running) {
    let settings = Settings {
        directory: PathBuf::from("/data"),
        shards: 1,
        storage: OPTIONS,
        reserve_bytes: 1 << 20,
        unread_kept_ms: u64::MAX,
        memory_bytes: 256 << 20,
        open_files_max: 64,
    };
    let mut rng = OsRng::new().unwrap();
    let clock = Arc::new(SystemClock::new());
    Broker::start(&settings, Arc::new(disk.clone()), clock, &mut rng).unwrap()
}

async fn declare(broker: &Broker, number: usize) -> DeleteLog {
    let name = format!("queue-{number}");
    let declared = broker.declare_log(queue(&name, Durability::Synced)).await;
    let Declared::Created(definition) = declared.unwrap() else {
        panic!("it is new");
    };
    DeleteLog {
        log: definition.id,
        if_unused: false,
        if_empty: false,
    }
}

#[tokio::test]
async fn what_deletes_waits_for_room_and_ends_no_process() {
    let disk = MemoryDisk::default();
    let (broker, mut running) = start(&disk);
    let mut deletions = Vec::new();
    for number in 0..QUEUES {
        deletions.push(declare(&broker, number).await);
    }
    disk.limit(Some(disk.used_bytes()));
    let deleting = deletions.into_iter().map(|delete| {
        let broker = broker.clone();
        tokio::spawn(async move { broker.delete_log(delete).await })
    });
    let deleting: Vec<_> = deleting.collect();
    let refused = async {
        while disk.refusals() < 2 {
            yield_now().await;
        }
    };
    select! {
        reason = running.failed() => panic!("{reason}"),
        () = refused => {}
    }
    disk.limit(None);
    for deletion in deleting {
        deletion.await.unwrap().unwrap();
    }
    running.stop().await;
    let (broker, running) = start(&disk);
    assert_eq!(broker.shard_statuses().await.unwrap()[0].logs, 0);
    running.stop().await;
}
