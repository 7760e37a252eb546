//! Appends to very many partitions: the cost of one of them doesn't depend on how many there are.

use std::{path::Path, sync::Arc};

use stele_base_env::Disk;
use stele_base_types::{Offset, PartitionId};
use stele_test_disk::MemoryDisk;

use super::harness::{SMALL, Shard, batch, partition};
use crate::{
    Options, Slice,
    block::{BlockBuilder, BlockSequence, Salt, Target},
    limits::TARGETS_SKIPPED_MIN,
};

const OPTIONS: Options = Options {
    journal_file_size_bytes_max: 1 << 20,
    ..SMALL
};

fn open(disk: &MemoryDisk) -> Shard {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Shard::open_with(&shared, Path::new("/data"), &OPTIONS).unwrap()
}

/// `count` partitions, in scrambled order.
fn partitions(count: u64) -> Vec<PartitionId> {
    (0..count).map(|at| partition(at * 13 % count, 0)).collect()
}

fn appended_to(partitions: &[PartitionId]) -> Shard {
    let mut shard = open(&MemoryDisk::default());
    shard.append(&partitions[..1], &batch(&[b"alone"]));
    shard.append(partitions, &batch(&[b"to", b"all"]));
    shard.append(&partitions[..1], &batch(&[b"after"]));
    shard
}

fn assert_read(shard: &Shard, partitions: &[PartitionId]) {
    let all = [b"to".to_vec(), b"all".to_vec()];
    for of in &partitions[1..] {
        let values: Vec<_> = (0..).zip(all.clone()).collect();
        assert_eq!(shard.values(*of), values, "{of}");
    }
    let [to, all] = all;
    let values = [b"alone".to_vec(), to, all, b"after".to_vec()];
    let values: Vec<_> = (0..).zip(values).collect();
    assert_eq!(shard.values(partitions[0]), values);
}

#[test]
fn a_batch_to_many_is_read_wherever_it_lies() {
    for count in [TARGETS_SKIPPED_MIN as u64 - 1, TARGETS_SKIPPED_MIN as u64] {
        let partitions = partitions(count);
        let mut shard = appended_to(&partitions);
        let block = shard.parts.builder.finish(shard.synced);
        shard.parts.index.install(&block);
        assert_read(&shard, &partitions);
        let written = shard.parts.writer.append(&block).unwrap();
        shard.parts.index.written(&written, super::harness::NOW);
        // The cache holds only the newest block, and is too small for two.
        shard.control(&[0; 2048]);
        shard.commit().unwrap();
        let slices = shard
            .parts
            .index
            .read(partitions[1], Offset(0), Offset(9), 1000);
        assert!(matches!(slices[..], [Slice::Disk(_)]), "{slices:?}");
        assert_read(&shard, &partitions);
        shard.checkpoint_all().unwrap();
        assert_read(&shard, &partitions);
    }
}

#[test]
fn a_restart_finds_a_batch_to_many_again() {
    let disk = MemoryDisk::default();
    let partitions = partitions(1000);
    let mut shard = open(&disk);
    shard.append(&partitions, &batch(&[b"to all"]));
    shard.commit().unwrap();
    drop(shard);
    let shard = open(&disk);
    for of in partitions {
        assert_eq!(shard.values(of), [(0, b"to all".to_vec())], "{of}");
    }
}

#[test]
fn reading_one_target_of_many_walks_none_of_the_others() {
    let targets: Vec<_> = partitions(800)
        .into_iter()
        .map(|partition| Target {
            partition,
            base_offset: Offset(3),
        })
        .collect();
    let batch = batch(&[b"to all"]);
    let mut builder = BlockBuilder::new(BlockSequence(0), Salt::NONE);
    builder
        .push_append(&targets, -1, std::slice::from_ref(&batch))
        .unwrap();
    let block = builder.finish(BlockSequence(0));
    for appended in block.appended.iter() {
        let place = appended.place;
        assert_eq!((place.end - place.start) as usize, batch.len());
    }
}

#[test]
fn a_checkpoint_of_a_batch_to_many_reads_as_much_as_it_writes() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    let partitions = partitions(800);
    let batch = batch(&[&[b'x'; 200]]);
    shard.append(&partitions, &batch);
    shard.commit().unwrap();
    // The cache holds only the newest block.
    shard.control(&[0; 2048]);
    shard.commit().unwrap();
    disk.take_read_bytes();
    shard.checkpoint_all().unwrap();
    let written_bytes = (partitions.len() * batch.len()) as u64;
    let read_bytes = disk.take_read_bytes();
    assert!(
        read_bytes < 2 * written_bytes,
        "{read_bytes} for {written_bytes}"
    );
}
