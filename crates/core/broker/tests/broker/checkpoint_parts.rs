//! The cost of a checkpoint depends on what its files change, not on the number of logs.

use std::{cell::Cell, path::Path, sync::Arc};

use smallvec::smallvec;
use stele_base_types::{LogId, Timestamp};
use stele_core_broker::{News, Opened, Replayed, ReplyTo, Request, Shard, Share};
use stele_core_engine::{
    Append, AppendTarget, Columns, Durability, limits::LOGS_IN_CATALOGUE_PART,
};
use stele_core_storage::{Checkpointer, Journal, Options, PartKey, Parts, Replay, ReplayError};
use stele_test_testkit::{first_shard, message, queue};
use tokio::sync::oneshot;

const LOGS: u64 = 10_000;
const START: Timestamp = Timestamp(1_700_000_000_000);

/// Everything journalled is checkpointed at once.
const OPTIONS: Options = Options {
    journal_file_size_bytes_max: 1 << 20,
    journal_size_bytes_max: 1,
    journal_age_ms_max: 1_000,
    segment_size_bytes_max: 1 << 20,
    cache_size_bytes_max: 64 << 10,
};

/// A state that counts how much of it a checkpoint touches.
#[derive(Default)]
struct Counted {
    replayed: Replayed,
    loaded: Vec<PartKey>,
    changed: Vec<PartKey>,
    /// The size of what was saved.
    saved_bytes: Cell<usize>,
}

impl Replay for Counted {
    fn load_whole(&mut self, state: &[u8]) -> Result<(), ReplayError> {
        self.replayed.load_whole(state)
    }

    fn load(&mut self, key: PartKey, bytes: &[u8]) -> Result<(), ReplayError> {
        self.loaded.push(key);
        self.replayed.load(key, bytes)
    }

    fn parts_of(&self, record: &[u8]) -> Result<Parts, ReplayError> {
        self.replayed.parts_of(record)
    }

    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError> {
        self.replayed.control(record)
    }

    fn take_changed(&mut self) -> Vec<PartKey> {
        self.changed = self.replayed.take_changed();
        self.changed.clone()
    }

    fn save(&self, key: PartKey) -> Result<Option<Vec<u8>>, ReplayError> {
        let saved = self.replayed.save(key)?;
        let size_bytes = saved.as_ref().map_or(0, Vec::len);
        self.saved_bytes.update(|before| before + size_bytes);
        Ok(saved)
    }
}

/// A shard with its writer and checkpointer.
struct Alone {
    shard: Shard,
    writer: Box<dyn Journal>,
    checkpointer: Checkpointer,
    now: Timestamp,
}

impl Alone {
    fn open(path: &Path) -> Self {
        let links = vec![Arc::default()];
        let opened = first_shard(path, &OPTIONS, Arc::default(), links, START);
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
            now: START,
        }
    }

    fn declare(&mut self, log: u64) {
        let declaration = queue(&log.to_string(), Durability::Synced);
        let (request, answer) = Request::call(declaration);
        self.shard.handle(request, START);
        drop(answer);
    }

    fn append(&mut self, log: LogId) {
        let body = message("x").into_bytes();
        let append = Append {
            count: 1,
            size_bytes: body.len() as u32,
            timestamp: self.now,
            producer: None,
            columns: Columns::default(),
            targets: smallvec![AppendTarget {
                log,
                partition: None,
            }],
        };
        let reply = ReplyTo::Call(oneshot::channel().0);
        let request = Request::Append {
            append,
            body,
            reply,
            room: Share::NONE,
        };
        self.shard.handle(request, self.now);
    }

    fn commit(&mut self) {
        self.shard.want_block();
        while let Some(block) = self.shard.take_block(self.now) {
            let written = self.writer.append(&block).unwrap();
            self.shard.news(News::Written(written), self.now);
        }
        let next = self.writer.sync().unwrap();
        self.shard.news(News::Synced(next), self.now);
    }

    /// Checkpoints everything committed.
    fn checkpoint(&mut self) -> Counted {
        self.writer.seal().unwrap();
        // A block that begins a new file closes the last one.
        self.append(LogId(0));
        self.commit();
        let plan = loop {
            self.now = self.now.plus_ms(1_000);
            if let Some(plan) = self.shard.plan_checkpoint(self.now) {
                break plan;
            }
            while self.shard.has_checkpoint_piece() {
                self.shard.checkpoint_piece(usize::MAX);
            }
            self.commit();
        };
        let mut counted = Counted::default();
        let checkpoint = self.checkpointer.checkpoint(&plan, &mut counted).unwrap();
        self.shard.checkpointed(checkpoint);
        while self.shard.has_checkpoint_piece() {
            self.shard.checkpoint_piece(usize::MAX);
        }
        counted
    }
}

#[test]
fn a_checkpoint_loads_and_saves_only_the_logs_in_its_files() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    for log in 0..LOGS {
        alone.declare(log);
    }
    alone.commit();
    let first = alone.checkpoint();
    let expected = LOGS + LOGS.div_ceil(LOGS_IN_CATALOGUE_PART) + 2;
    let what = "logs, definitions, the headers of the shard and of the catalogue";
    assert_eq!(first.changed.len() as u64, expected, "{what}");
    let second = alone.checkpoint();
    assert_eq!(second.changed.len(), 2, "{:?}", second.changed);
    assert_eq!(second.loaded.len(), 2, "{:?}", second.loaded);

    alone.declare(LOGS);
    alone.commit();
    let third = alone.checkpoint();
    assert_eq!(third.changed.len(), 5, "{:?}", third.changed);
    let size_bytes = third.saved_bytes.get();
    assert!(size_bytes < 4 << 10, "{size_bytes} bytes for a definition");

    drop(alone);
    let alone = Alone::open(directory.path());
    assert_eq!(alone.shard.state().logs.iter().count() as u64, LOGS + 1);
    assert_eq!(
        alone.shard.state().catalogue.all_logs().count() as u64,
        LOGS + 1
    );
}
