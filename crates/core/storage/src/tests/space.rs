//! Space: how it is promised, and what is freed when it is short.

use std::{path::Path, sync::Arc};

use stele_base_env::Disk;
use stele_base_types::{Offset, ShardId};
use stele_test_disk::MemoryDisk;

use super::harness::{NOW, SMALL, Shard, State, batch, partition};
use crate::{DataDirectory, Options, Purpose, SpaceGuard};

const PATH: &str = "/data";
const RESERVE: u64 = 8 << 20;

fn shard_on(disk: &MemoryDisk) -> Shard {
    Shard::open(&(Arc::new(disk.clone()) as _), Path::new(PATH)).unwrap()
}

/// Guards of two shards of a directory, on a disk with `free_bytes` free.
fn guards(disk: &MemoryDisk, free_bytes: u64) -> [SpaceGuard; 2] {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let directory = DataDirectory::open(shared, Path::new(PATH), 2).unwrap();
    disk.limit(Some(disk.used_bytes() + free_bytes));
    let guard = |shard| SpaceGuard::new(&directory.shard(ShardId(shard)), RESERVE);
    [guard(0), guard(1)]
}

#[test]
fn what_one_shard_is_promised_no_other_gets_before_and_after_it_is_written() {
    let disk = MemoryDisk::default();
    let [mut one, mut other] = guards(&disk, RESERVE + 1_000);
    assert!(one.has_room(1_000, Purpose::Messages));
    assert!(!one.has_room(1_001, Purpose::Messages));
    one.note_filled(600);
    one.note_filled(900);
    assert!(other.has_room(100, Purpose::Messages));
    assert!(!other.has_room(101, Purpose::Messages));
    one.note_finished(950);
    assert!(!other.has_room(51, Purpose::Messages));
    // It uses its space, which was counted already.
    disk.limit(Some(disk.used_bytes() + RESERVE + 50));
    one.note_written(950);
    for guard in [&mut one, &mut other] {
        assert!(guard.has_room(50, Purpose::Messages));
        assert!(!guard.has_room(51, Purpose::Messages));
    }
}

#[test]
fn what_others_take_is_seen_as_space_is_promised() {
    let disk = MemoryDisk::default();
    let [mut guard, _] = guards(&disk, RESERVE + (64 << 20));
    assert!(guard.has_room(1, Purpose::Messages));
    disk.limit(Some(disk.used_bytes()));
    let mut promised = 0;
    while guard.has_room(1 << 10, Purpose::Messages) {
        promised += 1 << 10;
        guard.note_finished(1 << 10);
    }
    assert!(promised <= 17 << 20, "{promised}");
}

#[test]
fn half_of_the_reserve_is_for_definitions() {
    let disk = MemoryDisk::default();
    let [mut guard, _] = guards(&disk, RESERVE - 1);
    assert!(!guard.has_room(1, Purpose::Messages));
    assert!(guard.has_room(RESERVE / 2 - 1, Purpose::Definitions));
    assert!(!guard.has_room(RESERVE / 2, Purpose::Definitions));
}

#[test]
fn there_is_always_room_to_copy_a_journal_file() {
    let disk = MemoryDisk::default();
    let [mut one, mut other] = guards(&disk, 2 * RESERVE);
    one.note_next_copies(RESERVE);
    // Half of the reserve is available for that as well. What is accepted may have to be copied
    // itself.
    for guard in [&mut one, &mut other] {
        assert!(guard.has_room(RESERVE / 4, Purpose::Messages));
        assert!(!guard.has_room(RESERVE / 4 + 1, Purpose::Messages));
    }
}

#[test]
fn a_refused_request_makes_space_low_unless_it_was_a_large_one() {
    let disk = MemoryDisk::default();
    let [mut guard, _] = guards(&disk, RESERVE + RESERVE / 8);
    assert!(!guard.has_room(RESERVE / 4, Purpose::Messages));
    assert!(!guard.note_refused().is_low);
    disk.limit(Some(disk.used_bytes() + RESERVE + RESERVE / 8 - 1));
    assert!(!guard.has_room(RESERVE / 4, Purpose::Messages));
    assert!(guard.note_refused().is_low);
}

#[test]
fn what_is_low_for_one_shard_is_low_for_all() {
    let disk = MemoryDisk::default();
    let [mut one, mut other] = guards(&disk, RESERVE + 1_000);
    assert!(!other.check(0).unwrap().is_low);
    assert!(!one.has_room(2_000, Purpose::Messages));
    assert!(one.note_refused().is_low);
    assert!(other.check(0).unwrap().is_low);
    disk.limit(Some(disk.used_bytes() + RESERVE + RESERVE / 8));
    for guard in [&mut one, &mut other] {
        assert!(!guard.check(0).unwrap().is_low);
    }
}

/// Fills the file being written with live records.
fn fill(shard: &mut Shard, records: usize) {
    for _ in 0..records {
        shard.append(&[partition(1, 0)], &batch(&[&vec![b'x'; 1 << 10]]));
        shard.commit().unwrap();
    }
}

#[test]
fn messages_leave_room_for_the_copies_until_they_are_promised() {
    let disk = MemoryDisk::default();
    let options = Options {
        journal_file_size_bytes_max: 1 << 20,
        ..SMALL
    };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut shard = Shard::open_with(&shared, Path::new(PATH), &options).unwrap();
    fill(&mut shard, 100);
    let reserve_bytes = 20_000;
    let mut guard = SpaceGuard::new(&shard.directory, reserve_bytes);
    let copied_bytes = shard.parts.index.copied_next_bytes();
    assert!(copied_bytes > 100 << 10);
    shard.parts.writer.seal().unwrap();
    fill(&mut shard, 1);
    disk.limit(Some(disk.used_bytes() + copied_bytes + reserve_bytes / 2));

    let late = NOW.plus_ms(options.journal_age_ms_max + 1);
    let plan = shard.parts.index.plan_checkpoint(shard.floors(), late);
    guard.note_next_copies(shard.parts.index.copied_next_bytes());
    guard.check(0).unwrap();
    assert!(
        !guard.has_room(1, Purpose::Messages),
        "the copies aren't promised yet"
    );
    let replay = &mut State::default();
    let checkpoint = shard.parts.checkpointer.checkpoint(&plan, replay).unwrap();
    drop(plan);
    shard.install(checkpoint).release().unwrap();
    guard.note_next_copies(shard.parts.index.copied_next_bytes());
    guard.check(0).unwrap();
    assert!(guard.has_room(1, Purpose::Messages));
}

#[test]
fn records_that_nobody_needs_are_not_counted_as_copies() {
    let disk = MemoryDisk::default();
    let mut shard = shard_on(&disk);
    shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
    let block = shard.parts.builder.finish(shard.synced);
    shard.parts.index.install(&block);
    let unwritten_bytes = shard.parts.index.copied_next_bytes();
    assert!(unwritten_bytes > 500, "{unwritten_bytes}");
    let written = shard.parts.writer.append(&block).unwrap();
    shard.parts.index.written(&written, NOW);
    assert!(shard.parts.index.copied_next_bytes() > 500);
    settle_all(&mut shard);
    assert_eq!(shard.parts.index.copied_next_bytes(), 0);
}

/// A shard with segments and closed files that nobody needs any more.
fn shard_with_dead_data(disk: &MemoryDisk) -> Shard {
    let mut shard = shard_on(disk);
    for round in 0..3 {
        for _ in 0..20 {
            shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
            shard.commit().unwrap();
        }
        if round < 2 {
            shard.checkpoint_all().unwrap();
        }
    }
    settle_all(&mut shard);
    shard
}

fn settle_all(shard: &mut Shard) {
    let next = shard.next(partition(1, 0));
    shard.floors.insert(partition(1, 0), next);
    shard.parts.index.advance_start(partition(1, 0), next);
}

/// What a shard in a broker does while space is short, until there is nothing left to do.
fn make_room(shard: &mut Shard) -> usize {
    let mut checkpoints = 0;
    loop {
        if shard.parts.index.should_rotate(NOW) {
            shard.parts.writer.seal().unwrap();
            shard.commit().unwrap();
        }
        if !shard.parts.index.should_checkpoint_at_once(NOW) {
            return checkpoints;
        }
        checkpoints += 1;
        let plan = shard.parts.index.plan_checkpoint(shard.floors(), NOW);
        let replay = &mut State::default();
        let checkpoint = shard.parts.checkpointer.checkpoint(&plan, replay).unwrap();
        drop(plan);
        shard.install(checkpoint).release().unwrap();
    }
}

fn size_of(disk: &MemoryDisk, extension: &str) -> u64 {
    let files = disk.files().into_iter();
    let of_kind = files.filter(|path| path.extension().is_some_and(|it| it == extension));
    of_kind
        .map(|path| disk.read(&path).unwrap().len() as u64)
        .sum()
}

#[test]
fn what_is_not_needed_goes_at_once_when_space_is_short() {
    let disk = MemoryDisk::default();
    let mut shard = shard_with_dead_data(&disk);
    let segments_bytes = size_of(&disk, "log");
    assert!(segments_bytes > 18_000, "{segments_bytes}");
    // They exist and are counted until they are removed.
    let usage = shard.parts.index.usage();
    assert_eq!(usage.segments_size_bytes, segments_bytes);
    assert!(!shard.parts.index.should_checkpoint_at_once(NOW));

    let mut guard = SpaceGuard::new(&shard.directory, 1 << 30);
    shard.parts.index.note_space(guard.check(0).unwrap());
    assert_eq!(make_room(&mut shard), 0, "there is plenty");
    disk.limit(Some(disk.used_bytes() + 20_000));
    shard.parts.index.note_space(guard.check(0).unwrap());
    let checkpoints = make_room(&mut shard);
    assert!((1..5).contains(&checkpoints), "{checkpoints}");
    assert_eq!(size_of(&disk, "log"), 0);
    assert_eq!(shard.parts.index.usage().segments_size_bytes, 0);
    let journal_bytes = size_of(&disk, "journal");
    assert!(journal_bytes < 4_000, "{journal_bytes}");
}

#[test]
fn what_is_not_needed_goes_before_messages_are_refused() {
    let disk = MemoryDisk::default();
    let mut shard = shard_with_dead_data(&disk);
    shard.append(&[partition(2, 0)], &batch(&[b"kept"]));
    shard.commit().unwrap();
    let reserve_bytes = 100_000;
    disk.limit(Some(disk.used_bytes() + reserve_bytes * 3 / 2));
    let mut guard = SpaceGuard::new(&shard.directory, reserve_bytes);
    let space = guard.check(0).unwrap();
    assert!(!space.is_low && space.is_nearly_low);
    shard.parts.index.note_space(space);
    assert!(make_room(&mut shard) > 0);
    let kept_bytes = size_of(&disk, "log");
    assert!((1..200).contains(&kept_bytes), "{kept_bytes}");
    assert_eq!(shard.values(partition(2, 0)).len(), 1);
    // Needed data isn't copied back and forth.
    for _ in 0..40 {
        shard.append(&[partition(2, 0)], &batch(&[&[b'x'; 500]]));
        shard.commit().unwrap();
    }
    shard.parts.index.note_space(guard.check(0).unwrap());
    assert_eq!(make_room(&mut shard), 0);
}

#[test]
fn so_it_does_after_a_restart() {
    let disk = MemoryDisk::default();
    drop(shard_with_dead_data(&disk));
    let mut shard = shard_on(&disk);
    settle_all(&mut shard);
    let segments_bytes = size_of(&disk, "log");
    let usage = shard.parts.index.usage();
    assert_eq!(usage.segments_size_bytes, segments_bytes);
    disk.limit(Some(disk.used_bytes() + 20_000));
    let mut guard = SpaceGuard::new(&shard.directory, RESERVE);
    shard.parts.index.note_space(guard.check(0).unwrap());
    make_room(&mut shard);
    assert_eq!(size_of(&disk, "log"), 0);
}

#[test]
fn much_that_a_deletion_frees_goes_at_once_though_there_is_space() {
    let disk = MemoryDisk::default();
    let options = Options {
        journal_file_size_bytes_max: 8 << 20,
        segment_size_bytes_max: 8 << 20,
        ..SMALL
    };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut shard = Shard::open_with(&shared, Path::new(PATH), &options).unwrap();
    for _ in 0..20 {
        shard.append(&[partition(1, 0)], &batch(&[&vec![b'x'; 1 << 20]]));
        shard.commit().unwrap();
    }
    shard.checkpoint_all().unwrap();
    assert!(size_of(&disk, "log") > 20 << 20);
    shard.parts.index.remove_log(partition(1, 0).log, 1);
    shard.floors.clear();
    assert_eq!(make_room(&mut shard), 1);
    assert_eq!(size_of(&disk, "log"), 0);
}

#[test]
fn a_checkpoint_leaves_what_is_for_the_journal() {
    let disk = MemoryDisk::default();
    let mut shard = shard_on(&disk);
    for _ in 0..20 {
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
        shard.commit().unwrap();
    }
    let _guard = SpaceGuard::new(&shard.directory, RESERVE);
    let before = disk.files();
    disk.limit(Some(disk.used_bytes() + 15_000));
    assert!(shard.checkpoint().unwrap_err().is_for_want());
    assert_eq!(disk.files(), before);
    shard.parts.index.abandon_checkpoint();
    shard.floors.insert(partition(1, 0), Offset(20));
    shard.checkpoint().unwrap();
}
