//! Requests wait for a checkpointer that is slower than they are, so that the amount of data that a
//! start has to read is bounded.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
};

use stele_base_env::{
    Disk, DiskFile, DiskLock, Entry, FileSystem, LocalDisk, OpenMode, OsRng, SystemClock,
};
use stele_core_broker::{Broker, Publish, Settings};
use stele_core_engine::{AppendTarget, Declared, Durability};
use stele_core_storage::Options;
use stele_test_testkit::{message, queue};

/// Checkpoints as soon as there are two files.
const OPTIONS: Options = Options {
    journal_file_size_bytes_max: 256 << 10,
    journal_size_bytes_max: 512 << 10,
    journal_age_ms_max: 60 * 60 * 1000,
    segment_size_bytes_max: 64 << 20,
    cache_size_bytes_max: 64 << 10,
};

const BODY_SIZE_BYTES: usize = 64 << 10;
const MESSAGES: usize = 320;

/// The number of simultaneous publishes, all of which may be in unwritten blocks.
const PUBLISHERS: usize = 32;

/// How often the broker checks the disk space, about once a second, until the checkpointer may
/// continue.
const LOOKS: usize = 2;

/// The real disk, on which no segments can be created for a while.
#[derive(Debug)]
struct GatedDisk {
    journal: PathBuf,
    gate: Mutex<Gate>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct Gate {
    is_reached: bool,
    looks: usize,
    /// The size of the journal when the gate opened.
    journal_size_bytes: Option<u64>,
}

impl GatedDisk {
    /// Blocks the checkpointer until the gate is open.
    fn pass(&self) {
        let mut gate = self.gate.lock().unwrap();
        gate.is_reached = true;
        while gate.journal_size_bytes.is_none() {
            gate = self.opened.wait(gate).unwrap();
        }
    }

    /// Called when the broker checks the disk space, which shows that time has passed.
    fn look(&self) -> io::Result<()> {
        let mut gate = self.gate.lock().unwrap();
        gate.looks += usize::from(gate.is_reached);
        if gate.looks >= LOOKS && gate.journal_size_bytes.is_none() {
            gate.journal_size_bytes = Some(self.journal_size_bytes()?);
            self.opened.notify_all();
        }
        Ok(())
    }

    fn journal_size_bytes(&self) -> io::Result<u64> {
        let entries = LocalDisk.list(&self.journal)?.into_iter();
        let sizes = entries.map(|entry| {
            let file = LocalDisk.open(&self.journal.join(entry.name), OpenMode::Read)?;
            file.size_bytes()
        });
        sizes.sum()
    }
}

impl Disk for GatedDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let is_segment = path.components().any(|it| it.as_os_str() == "segments");
        if is_segment && mode == OpenMode::CreateNew {
            self.pass();
        }
        LocalDisk.open(path, mode)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        LocalDisk.try_lock(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        LocalDisk.exists(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        LocalDisk.list(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(path)
    }

    fn file_system(&self, path: &Path) -> io::Result<Option<Arc<dyn FileSystem>>> {
        LocalDisk.file_system(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.look()?;
        LocalDisk.free_bytes(path)
    }

    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        LocalDisk.total_bytes(path)
    }
}

#[tokio::test]
async fn the_journal_stays_within_a_bound_however_long_a_checkpoint_takes() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        directory: directory.path().join("data"),
        shards: 1,
        storage: OPTIONS,
        reserve_bytes: 0,
        unread_kept_ms: u64::MAX,
        open_files_max: 64,
        memory_bytes: 1 << 30,
    };
    let disk = Arc::new(GatedDisk {
        journal: settings.directory.join("shard-0/journal"),
        gate: Mutex::default(),
        opened: Condvar::new(),
    });
    let mut rng = OsRng::new().unwrap();
    let clock = Arc::new(SystemClock::new());
    let started = Broker::start(&settings, disk.clone(), clock, &mut rng);
    let (broker, running) = started.unwrap();
    publish_all(&broker).await;
    let found = disk.gate.lock().unwrap().journal_size_bytes;
    let found = found.expect("all is taken up only once something was checkpointed");
    let limit = 4 * OPTIONS.journal_size_bytes_max;
    let at_once = (PUBLISHERS * (BODY_SIZE_BYTES + 1024)) as u64;
    // The most that is preallocated after the end of the last file.
    let ahead = OPTIONS.journal_file_size_bytes_max;
    assert!(found > limit, "{found}");
    assert!(found <= limit + at_once + ahead, "{found}");
    running.stop().await;
}

async fn publish_all(broker: &Broker) {
    let declared = broker.declare_log(queue("flood", Durability::Synced)).await;
    let Declared::Created(definition) = declared.unwrap() else {
        panic!("it is new");
    };
    let target = AppendTarget {
        log: definition.id,
        partition: None,
    };
    let body = "x".repeat(BODY_SIZE_BYTES);
    for _ in 0..MESSAGES / PUBLISHERS {
        let publishing = (0..PUBLISHERS).map(|_| {
            let publish = Publish::to(target, message(&body));
            let broker = broker.clone();
            tokio::spawn(async move { broker.append(publish).await.unwrap() })
        });
        let publishing: Vec<_> = publishing.collect();
        for published in publishing {
            published.await.unwrap();
        }
    }
}
