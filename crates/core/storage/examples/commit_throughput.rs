//! Measures what group commit costs in addition to the disk: blocks through builder, index and
//! journal, compared with the same bytes written and synced directly. Also measures their recovery.
//!
//! `cargo run --release -p stele-core-storage --example commit_throughput -- [DIRECTORY]`
#![expect(clippy::print_stdout, reason = "a report for a person")]

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use stele_base_env::{Clock, Disk, LocalDisk, OpenMode, OsRng, SystemClock};
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, ShardId, Timestamp};
use stele_core_storage::{
    BlockSequence, DataDirectory, Options, PartKey, Parts, Recovered, Replay, ReplayError, Target,
    recover,
};
use stele_wire_batch::{BatchBuilder, BatchHeader, Body, NewRecord};

/// The most that is written for one block size.
const TOTAL_BYTES_MAX: usize = 256 << 20;
/// The most commits: with small blocks only the disk's syncs matter anyway.
const BLOCKS_MAX: usize = 1000;
const RECORD_SIZE_BYTES: usize = 1024;

/// A state that only counts.
#[derive(Default)]
struct Counter {
    appends: u64,
}

impl Replay for Counter {
    fn load_whole(&mut self, _: &[u8]) -> Result<(), ReplayError> {
        Ok(())
    }

    fn load(&mut self, _: PartKey, _: &[u8]) -> Result<(), ReplayError> {
        Ok(())
    }

    fn parts_of(&self, _: &[u8]) -> Result<Parts, ReplayError> {
        Ok(Parts::default())
    }

    fn control(&mut self, _record: &[u8]) -> Result<(), ReplayError> {
        Ok(())
    }

    fn append(&mut self, targets: &[Target], _: &BatchHeader<'_>) -> Result<(), ReplayError> {
        self.appends += targets.len() as u64;
        Ok(())
    }

    fn take_changed(&mut self) -> Vec<PartKey> {
        Vec::new()
    }

    fn save(&self, _: PartKey) -> Result<Option<Vec<u8>>, ReplayError> {
        Ok(None)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let clock = SystemClock::new();
    println!("records of {RECORD_SIZE_BYTES} bytes, each a batch of its own; MB/s");
    println!(
        "{:>10} {:>8} {:>8} {:>8} {:>6} {:>8} {:>8}",
        "per block", "blocks", "bare", "journal", "ratio", "memory", "recovery"
    );
    for records_per_block in [16, 256, 1024] {
        let blocks = (TOTAL_BYTES_MAX / RECORD_SIZE_BYTES / records_per_block).min(BLOCKS_MAX);
        let directory = tempfile::tempdir_in(&root)?;
        let Measured {
            bare,
            journal,
            memory,
            recovery,
        } = measure(&clock, directory.path(), blocks, records_per_block)?;
        let size_bytes = blocks * records_per_block * RECORD_SIZE_BYTES;
        let rate = |took: Duration| size_bytes as f64 / took.as_secs_f64() / 1e6;
        println!(
            "{records_per_block:>10} {blocks:>8} {:>8.0} {:>8.0} {:>6.2} {:>8.0} {:>8.0}",
            rate(bare),
            rate(journal),
            rate(journal) / rate(bare),
            rate(memory),
            rate(recovery)
        );
    }
    Ok(())
}

/// How long each way took.
struct Measured {
    bare: Duration,
    journal: Duration,
    memory: Duration,
    recovery: Duration,
}

fn measure(
    clock: &SystemClock,
    directory: &Path,
    blocks: usize,
    records_per_block: usize,
) -> Result<Measured, Box<dyn Error>> {
    let options = Options::default();
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let data = DataDirectory::open(disk.clone(), directory, 1)?;
    let shard = data.shard(ShardId(0));
    let batch = batch()?;

    let parts = recover(
        &shard,
        &options,
        &mut Counter::default(),
        &mut OsRng::new()?,
        Timestamp(0),
    )?;
    let started = clock.monotonic();
    let (in_memory, block_size_bytes) = write(clock, parts, blocks, records_per_block, &batch)?;
    let journal = clock.monotonic() - started;

    let started = clock.monotonic();
    let mut counter = Counter::default();
    recover(
        &shard,
        &options,
        &mut counter,
        &mut OsRng::new()?,
        Timestamp(0),
    )?;
    let recovery = clock.monotonic() - started;
    assert_eq!(
        counter.appends as usize,
        blocks * records_per_block,
        "all is recovered"
    );

    Ok(Measured {
        bare: write_bare(clock, &*disk, directory, blocks, block_size_bytes)?,
        journal,
        memory: in_memory,
        recovery,
    })
}

/// Writes everything through the journal; returns how long the part before the disk took, and the
/// size of a block.
fn write(
    clock: &SystemClock,
    parts: Recovered,
    blocks: usize,
    records_per_block: usize,
    batch: &Bytes,
) -> Result<(Duration, usize), Box<dyn Error>> {
    let Recovered {
        mut builder,
        mut index,
        mut writer,
        ..
    } = parts;
    let partition = PartitionId::new(LogId(1), PartitionIndex(0));
    let mut next = Offset::ZERO;
    let mut synced = BlockSequence(0);
    let mut in_memory = Duration::ZERO;
    let mut size_bytes = 0;
    for _ in 0..blocks {
        let started = clock.monotonic();
        for _ in 0..records_per_block {
            let target = Target {
                partition,
                base_offset: next,
            };
            builder.push_append(&[target], 0, std::slice::from_ref(batch))?;
            next = next.next();
        }
        let block = builder.finish(synced);
        index.install(&block);
        in_memory += clock.monotonic() - started;
        size_bytes = block.size_bytes();
        let written = writer.append(&block)?;
        synced = writer.sync()?;
        index.written(&written, Timestamp(0));
    }
    Ok((in_memory, size_bytes))
}

/// Writes as many bytes in blocks of the same size, without anything else.
fn write_bare(
    clock: &SystemClock,
    disk: &dyn Disk,
    directory: &Path,
    blocks: usize,
    block_size_bytes: usize,
) -> Result<Duration, Box<dyn Error>> {
    let path = directory.join("bare");
    let file = disk.open(&path, OpenMode::CreateNew)?;
    let bytes = vec![b'x'; block_size_bytes];
    let started = clock.monotonic();
    for at in 0..blocks {
        file.write_at((at * block_size_bytes) as u64, &bytes)?;
        file.sync_data()?;
    }
    Ok(clock.monotonic() - started)
}

fn batch() -> Result<Bytes, Box<dyn Error>> {
    let value = vec![b'x'; RECORD_SIZE_BYTES];
    let record = NewRecord {
        timestamp: Timestamp(0),
        key: None,
        value: Body::Whole(&value),
        headers: &[],
    };
    Ok(BatchBuilder::single(&record)?.into_bytes())
}
