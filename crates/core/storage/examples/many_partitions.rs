//! Measures the cost of many partitions: how long a checkpoint blocks the shard, how long it takes,
//! and how long recovery takes.
//!
//! `cargo run --release -p stele-core-storage --example many_partitions -- DIRECTORY PARTITIONS`
#![expect(clippy::print_stdout, reason = "a report for a person")]

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    mem,
    path::Path,
    sync::Arc,
};

use stele_base_env::{Clock, Disk, LocalDisk, OsRng, SystemClock};
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, ShardId, Timestamp};
use stele_core_storage::{
    BlockSequence, DataDirectory, Floors, Options, PartKey, Parts, Recovered, Replay, ReplayError,
    Target, recover,
};
use stele_wire_batch::{BatchBuilder, BatchHeader, Body, NewRecord};

const RECORD_SIZE_BYTES: usize = 1024;
const ROUNDS: u64 = 4;

/// A state with a part for each partition.
#[derive(Default)]
struct Nexts {
    nexts: HashMap<LogId, Offset>,
    changed: HashSet<LogId>,
}

fn part_of(log: LogId) -> PartKey {
    PartKey { kind: 0, id: log.0 }
}

impl Replay for Nexts {
    fn load_whole(&mut self, _: &[u8]) -> Result<(), ReplayError> {
        Err("no earlier version wrote this".into())
    }

    fn load(&mut self, key: PartKey, bytes: &[u8]) -> Result<(), ReplayError> {
        self.nexts
            .insert(LogId(key.id), postcard::from_bytes(bytes)?);
        Ok(())
    }

    fn parts_of(&self, _record: &[u8]) -> Result<Parts, ReplayError> {
        Ok(Parts::default())
    }

    fn control(&mut self, _record: &[u8]) -> Result<(), ReplayError> {
        Ok(())
    }

    fn append(&mut self, targets: &[Target], header: &BatchHeader<'_>) -> Result<(), ReplayError> {
        for target in targets {
            let count = u64::from(header.last_offset_delta()) + 1;
            let next = target.base_offset.plus(count);
            self.nexts.insert(target.partition.log, next);
            self.changed.insert(target.partition.log);
        }
        Ok(())
    }

    fn take_changed(&mut self) -> Vec<PartKey> {
        mem::take(&mut self.changed)
            .into_iter()
            .map(part_of)
            .collect()
    }

    fn save(&self, key: PartKey) -> Result<Option<Vec<u8>>, ReplayError> {
        let next = self.nexts.get(&LogId(key.id));
        Ok(next.map(postcard::to_stdvec).transpose()?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let count: u64 = std::env::args()
        .nth(2)
        .map_or(Ok(10_000), |count| count.parse())?;
    let directory = tempfile::tempdir_in(root)?;
    measure(directory.path(), count)
}

fn measure(directory: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    let clock = SystemClock::new();
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let shard = DataDirectory::open(disk, directory, 1)?.shard(ShardId(0));
    let now = Timestamp(0);
    let options = Options {
        journal_age_ms_max: 0,
        ..Options::default()
    };
    let mut parts = recover(
        &shard,
        &options,
        &mut Nexts::default(),
        &mut OsRng::new()?,
        now,
    )?;
    // All of them twice, then one.
    for (round, appended) in [count, count, 1].into_iter().enumerate() {
        let synced = fill(&mut parts, appended, round as u64)?;
        parts.writer.seal()?;
        // The index learns of the new file by its first block.
        let block = parts.builder.finish(synced);
        parts.index.install(&block);
        let written = parts.writer.append(&block)?;
        parts.index.written(&written, now);
        let as_of = parts.writer.sync()?;

        let started = clock.monotonic();
        let starts = (0..count)
            .map(|log| (partition(log), Offset::ZERO))
            .collect();
        let floors = Floors {
            as_of,
            complete_before: as_of,
            starts,
        };
        let plan = parts.index.plan_checkpoint(floors, now.plus_ms(1));
        let planned = clock.monotonic() - started;
        let mut checkpoint = parts
            .checkpointer
            .checkpoint(&plan, &mut Nexts::default())?;
        let copied = clock.monotonic() - started - planned;
        drop(plan);
        let started = clock.monotonic();
        let retired = parts.index.install_checkpoint(&mut checkpoint, usize::MAX);
        let installed = clock.monotonic() - started;
        retired.expect("all at once").release()?;
        println!("{count} partitions, a checkpoint of {appended} of them:");
        println!("  the shard is held up {planned:?} and {installed:?}");
        println!("  the checkpointer takes {copied:?}");
    }
    drop(parts);
    let started = clock.monotonic();
    let mut state = Nexts::default();
    recover(&shard, &options, &mut state, &mut OsRng::new()?, now)?;
    println!("recovery takes {:?}", clock.monotonic() - started);
    assert_eq!(state.nexts.len() as u64, count, "all is recovered");
    Ok(())
}

/// Appends some records to each partition, in blocks of a few hundred.
fn fill(parts: &mut Recovered, count: u64, round: u64) -> Result<BlockSequence, Box<dyn Error>> {
    let value = vec![b'x'; RECORD_SIZE_BYTES];
    let record = NewRecord {
        timestamp: Timestamp(0),
        key: None,
        value: Body::Whole(&value),
        headers: &[],
    };
    let batch = [BatchBuilder::single(&record)?.into_bytes()];
    let mut synced = parts.builder.sequence();
    for offset in round * ROUNDS..(round + 1) * ROUNDS {
        for log in 0..count {
            let target = Target {
                partition: partition(log),
                base_offset: Offset(offset),
            };
            parts.builder.push_append(&[target], 0, &batch)?;
            if log % 500 == 499 || log + 1 == count {
                let block = parts.builder.finish(synced);
                parts.index.install(&block);
                let written = parts.writer.append(&block)?;
                parts.index.written(&written, Timestamp(0));
            }
        }
        synced = parts.writer.sync()?;
    }
    Ok(synced)
}

fn partition(log: u64) -> PartitionId {
    PartitionId::new(LogId(log), PartitionIndex(0))
}
