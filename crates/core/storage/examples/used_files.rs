//! Measures the gain of reusing checkpointed journal files: commits to new files only, because
//! space counts as low, compared with commits to reused files. The records are acknowledged before
//! they are checkpointed, so nothing else is written.
//!
//! `cargo run --release -p stele-core-storage --example used_files -- [DIRECTORY]`
#![expect(clippy::print_stdout, reason = "a report for a person")]

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use stele_base_env::{Clock, Disk, LocalDisk, OsRng, SystemClock};
use stele_base_types::{ShardId, Timestamp};
use stele_core_storage::{
    BlockSequence, DataDirectory, Floors, Options, PartKey, Parts, Recovered, Replay, ReplayError,
    SpaceGuard, recover,
};

/// How much is written.
const TOTAL_BYTES: usize = 2 << 30;
/// How much of that is written before the measurement starts: by then files have been checkpointed.
const WARM_UP_BYTES: usize = 512 << 20;

/// A state that holds nothing.
struct Nothing;

impl Replay for Nothing {
    fn load_whole(&mut self, _: &[u8]) -> Result<(), ReplayError> {
        Ok(())
    }

    fn load(&mut self, _: PartKey, _: &[u8]) -> Result<(), ReplayError> {
        Ok(())
    }

    fn parts_of(&self, _: &[u8]) -> Result<Parts, ReplayError> {
        Ok(Parts::default())
    }

    fn control(&mut self, _: &[u8]) -> Result<(), ReplayError> {
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
    println!(
        "{:>10} {:>11} {:>10}",
        "block KiB", "fresh MB/s", "used MB/s"
    );
    for block_size_bytes in [256 << 10, 1 << 20, 4 << 20] {
        let mut rates = [0.0; 2];
        for (rate, reserve_bytes) in rates.iter_mut().zip([u64::MAX, 0]) {
            let directory = tempfile::tempdir_in(&root)?;
            let took = measure(&clock, directory.path(), block_size_bytes, reserve_bytes)?;
            *rate = (TOTAL_BYTES - WARM_UP_BYTES) as f64 / took.as_secs_f64() / 1e6;
        }
        let [fresh, used] = rates;
        let kib = block_size_bytes >> 10;
        println!("{kib:>10} {fresh:>11.0} {used:>10.0}");
    }
    Ok(())
}

/// How long the commits took, without the checkpoints.
fn measure(
    clock: &SystemClock,
    directory: &Path,
    block_size_bytes: usize,
    reserve_bytes: u64,
) -> Result<Duration, Box<dyn Error>> {
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let shard = DataDirectory::open(disk, directory, 1)?.shard(ShardId(0));
    let options = Options::default();
    let rng = &mut OsRng::new()?;
    let mut parts = recover(&shard, &options, &mut Nothing, rng, Timestamp(0))?;
    SpaceGuard::new(&shard, reserve_bytes).check(0)?;
    let record = vec![b'x'; block_size_bytes];
    let mut synced = BlockSequence(0);
    let mut took = Duration::ZERO;
    for at in 0..TOTAL_BYTES / block_size_bytes {
        checkpoint(&mut parts)?;
        parts.builder.push_control(&record)?;
        let block = parts.builder.finish(synced);
        parts.index.install(&block);
        let started = clock.monotonic();
        let written = parts.writer.append(&block)?;
        synced = parts.writer.sync()?;
        if at * block_size_bytes >= WARM_UP_BYTES {
            took += clock.monotonic() - started;
        }
        parts.index.written(&written, Timestamp(0));
    }
    Ok(took)
}

/// Checkpoints as much as is due.
fn checkpoint(parts: &mut Recovered) -> Result<(), Box<dyn Error>> {
    let now = Timestamp(0);
    while parts.index.should_checkpoint(now) {
        let filling = parts.builder.sequence();
        let floors = Floors {
            as_of: filling,
            complete_before: filling,
            ..Floors::default()
        };
        let plan = parts.index.plan_checkpoint(floors, now);
        let mut checkpoint = parts.checkpointer.checkpoint(&plan, &mut Nothing)?;
        drop(plan);
        let retired = parts.index.install_checkpoint(&mut checkpoint, usize::MAX);
        retired.expect("all at once").release()?;
    }
    Ok(())
}
