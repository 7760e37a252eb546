//! Snapshots cost in proportion to what changed, and take little more space than their contents.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use stele_base_env::Disk;
use stele_base_types::ShardId;
use stele_test_disk::{MemoryDisk, Random};

use super::harness::{SMALL, Shard, batch, partition};
use crate::{
    BlockSequence, Options, PartKey, SegmentStore,
    limits::{
        PART_FILES_SLACK_BYTES, SMALL_PART_FILE_SIZE_BYTES, SMALL_PART_FILES_MAX,
        UNSYNCED_SIZE_BYTES_MAX,
    },
    snapshot::{Newest, PartWriter, SNAPSHOTS, Snapshot},
    store::MemoryStore,
};

const SHARD: ShardId = ShardId(0);

fn open(disk: &MemoryDisk) -> Shard {
    let options = Options {
        journal_file_size_bytes_max: 8 << 20,
        ..SMALL
    };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Shard::open_with(&shared, Path::new("/data"), &options).unwrap()
}

/// A shard with `logs` checkpointed logs.
fn checkpointed(disk: &MemoryDisk, logs: u64) -> Shard {
    let mut shard = open(disk);
    for log in 0..logs {
        shard.append(&[partition(log, 0)], &batch(&[&[b'x'; 100]]));
    }
    shard.commit().unwrap();
    shard.checkpoint_all().unwrap();
    shard
}

#[test]
fn a_checkpoint_reads_and_writes_what_it_changes_however_much_there_is() {
    let cost_of_one = |logs| {
        let disk = MemoryDisk::default();
        let mut shard = checkpointed(&disk, logs);
        // The first checkpoint of a process searches for leftovers of another.
        shard.append(&[partition(1, 0)], &batch(&[b"first"]));
        shard.commit().unwrap();
        shard.checkpoint_all().unwrap();
        shard.append(&[partition(1, 0)], &batch(&[b"second"]));
        shard.commit().unwrap();
        shard.parts.writer.seal().unwrap();
        shard.commit().unwrap();
        disk.take_read_bytes();
        disk.take_written_bytes();
        shard.checkpoint().unwrap();
        (disk.take_read_bytes(), disk.take_written_bytes())
    };
    let (few, many) = (cost_of_one(10), cost_of_one(500));
    assert!(many.0 < few.0 + 100, "read {few:?} {many:?}");
    // A bit for each unchanged part.
    let bits = 2 * 500 / 8;
    assert!(many.1 < few.1 + bits + 100, "written {few:?} {many:?}");
}

#[test]
fn a_checkpoint_gives_the_disk_little_at_a_time_however_many_partitions_it_covers() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    for log in 0..600 {
        shard.append(&[partition(log, 0)], &batch(&[&[b'x'; 300]]));
    }
    shard.control(&vec![7; 3 << 20]);
    shard.commit().unwrap();
    shard.parts.writer.seal().unwrap();
    shard.commit().unwrap();
    disk.take_unsynced_bytes_max();
    shard.checkpoint().unwrap();
    let unsynced_bytes = disk.take_unsynced_bytes_max();
    assert!(
        unsynced_bytes <= UNSYNCED_SIZE_BYTES_MAX as u64,
        "{unsynced_bytes}"
    );
    drop(shard);
    let shard = open(&disk);
    assert_eq!(shard.state.next.len(), 600);
    assert_eq!(shard.values(partition(599, 0)).len(), 1);
}

/// A snapshot in a store, and the parts that it must hold.
#[derive(Default)]
struct Kept {
    store: MemoryStore,
    snapshot: Snapshot,
    expected: BTreeMap<PartKey, Vec<u8>>,
    changed_bytes: u64,
}

impl Kept {
    /// Makes a snapshot with these changes.
    fn change(&mut self, changes: BTreeMap<PartKey, Option<Vec<u8>>>) {
        let mut output = self.store.writer().unwrap();
        let mut writer = PartWriter::new(&self.store, SHARD, &mut self.snapshot.parts);
        for (key, part) in changes {
            match part {
                Some(part) => {
                    self.changed_bytes += part.len() as u64 + 20;
                    writer.put(&mut *output, key, &part).unwrap();
                    self.expected.insert(key, part);
                }
                None => {
                    writer.remove(key);
                    self.expected.remove(&key);
                }
            }
        }
        writer.clean(&mut *output).unwrap();
        output.finish().unwrap();
        let next = BlockSequence(self.snapshot.next.0 + 1);
        self.snapshot.put(&self.store, SHARD, next).unwrap();
        self.snapshot.remove_others(&self.store).unwrap();
    }

    /// The sizes of the existing part files.
    fn sizes(&self) -> Vec<u64> {
        let names = self.store.list(SNAPSHOTS).unwrap().into_iter();
        let names = names.filter(|name| name.ends_with(".parts"));
        names
            .map(|name| self.store.read_whole(&name).unwrap().len() as u64)
            .collect()
    }

    fn assert_bounded(&self) {
        let parts = self.expected.values();
        let live: u64 = parts.map(|part| part.len() as u64 + 20).sum();
        let sizes = self.sizes();
        let total: u64 = sizes.iter().sum();
        assert!(
            total <= 2 * live + PART_FILES_SLACK_BYTES,
            "{total} for {live}"
        );
        let is_small = |size: &&u64| **size < SMALL_PART_FILE_SIZE_BYTES;
        let small = sizes.iter().filter(is_small).count();
        assert!(small <= SMALL_PART_FILES_MAX + 1, "{sizes:?}");
    }

    fn assert_reopens(&self) {
        let newest = Newest::find(&self.store, SHARD).unwrap();
        let mut found = BTreeMap::new();
        let mut load = |key, part: &[u8]| {
            let earlier = found.insert(key, part.to_owned());
            assert_eq!(earlier, None, "{key:?}");
            Ok(())
        };
        Snapshot::open(&self.store, SHARD, newest.stored.as_ref(), &mut load).unwrap();
        assert_eq!(found, self.expected);
    }
}

/// Changes of some of `keys`, at random, of about `size_bytes` each.
fn changes(random: &mut Random, keys: u64, size_bytes: u64) -> BTreeMap<PartKey, Option<Vec<u8>>> {
    let count = random.between(1, 40);
    let change = |random: &mut Random| {
        let key = PartKey {
            kind: random.below(3) as u8,
            id: random.below(keys),
        };
        let size_bytes = random.below(size_bytes) as usize;
        let part = vec![random.bits() as u8; size_bytes];
        (key, (!random.once_in(8)).then_some(part))
    };
    (0..count).map(|_| change(random)).collect()
}

#[test]
fn parts_take_no_more_than_twice_their_size_and_a_bit_and_are_written_a_few_times() {
    for (seed, size_bytes) in [(1, 100), (2, 5_000), (3, 100_000), (4, 1_000_000)] {
        let mut random = Random::new(seed);
        let mut kept = Kept::default();
        let mut written = 0;
        for round in 0..150 {
            let before = kept.snapshot.parts.next_number();
            kept.change(changes(&mut random, 100, size_bytes));
            written += kept.snapshot.parts.size_bytes_from(before);
            kept.assert_bounded();
            if round % 30 == 29 {
                kept.assert_reopens();
            }
        }
        let times = written / kept.changed_bytes.max(1);
        assert!(times <= 4, "{times} times {size_bytes}");
    }
}

#[test]
fn a_snapshot_has_a_bit_for_a_part_that_it_leaves_as_it_was() {
    let part = |id| (PartKey { kind: 1, id }, Some(vec![1; 10]));
    let mut kept = Kept::default();
    kept.change((0..100_000).map(part).collect());
    kept.change((0..100_000).step_by(3).map(part).collect());
    kept.change([part(5)].into());
    let names = kept.store.list(SNAPSHOTS).unwrap();
    let name = names.iter().find(|name| name.ends_with(".snapshot"));
    let list = kept.store.read_whole(name.unwrap()).unwrap();
    assert!(list.len() < 100_000 / 8 + 1000, "{}", list.len());
    kept.assert_bounded();
    kept.assert_reopens();
}

#[test]
fn a_snapshot_of_nothing_has_no_part_file() {
    let mut kept = Kept::default();
    let key = PartKey { kind: 1, id: 1 };
    kept.change([(key, Some(vec![1]))].into());
    kept.change([(key, None)].into());
    assert_eq!(kept.sizes(), []);
    kept.assert_reopens();
    kept.change([(key, Some(vec![2]))].into());
    kept.assert_reopens();
}
