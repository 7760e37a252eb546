//! A failing disk: nothing is retried, nothing is corrupted.

use std::{io, path::Path, sync::Arc};

use stele_base_env::Disk;
use stele_base_types::Offset;
use stele_test_disk::{Loss, MemoryDisk};

use super::harness::{NOW, SMALL, Shard, State, batch, partition};
use crate::{Error, Floors, Options, SpaceGuard, limits::UNSYNCED_SIZE_BYTES_MAX};

const PATH: &str = "/data";

fn shard_on(disk: &MemoryDisk) -> Shard {
    Shard::open(&(Arc::new(disk.clone()) as _), Path::new(PATH)).unwrap()
}

#[test]
fn a_failed_sync_is_the_end_of_the_journal() {
    let disk = MemoryDisk::default();
    let mut shard = shard_on(&disk);
    shard.append(&[partition(1, 0)], &batch(&[b"kept"]));
    shard.commit().unwrap();
    shard.append(&[partition(1, 0)], &batch(&[b"unknown"]));
    shard.write().unwrap();
    disk.fail_sync_after(0, Loss::Everything);
    assert!(matches!(
        shard.parts.writer.sync(),
        Err(Error::Io { action: "sync", .. })
    ));
    // The disk works again, but its contents are unknown: no later call may claim otherwise.
    shard.parts.writer.sync().unwrap_err();
    let block = shard.parts.builder.finish(shard.synced);
    shard.parts.writer.append(&block).unwrap_err();
    shard.parts.writer.seal().unwrap_err();

    let disk = disk.after(Loss::Everything);
    let shard = shard_on(&disk);
    assert_eq!(shard.values(partition(1, 0)), [(0, b"kept".to_vec())]);
}

/// Appends and seals, each batch synced by itself. Adds the batches reported as synced to
/// `acknowledged`.
fn live(disk: &MemoryDisk, count: usize, acknowledged: &mut Vec<u8>) -> Result<(), Error> {
    let mut shard = Shard::open(&(Arc::new(disk.clone()) as _), Path::new(PATH))?;
    for at in 0..count as u8 {
        shard.append(&[partition(1, 0)], &batch(&[&[at; 300]]));
        // Some syncs cover two blocks.
        if at % 3 == 0 {
            shard.write()?;
        } else {
            shard.commit()?;
            *acknowledged = (0..=at).collect();
        }
        if at % 5 == 4 {
            shard.parts.writer.seal()?;
        }
    }
    Ok(())
}

fn first_bytes(shard: &Shard) -> Vec<u8> {
    let values = shard.values(partition(1, 0)).into_iter();
    values.map(|(_, value)| value[0]).collect()
}

#[test]
fn what_a_start_shows_after_a_failed_sync_survives_a_power_cut() {
    for syncs in 0.. {
        for loss in [Loss::Everything, Loss::Some(syncs), Loss::Some(!syncs)] {
            let disk = MemoryDisk::default();
            let mut acknowledged = Vec::new();
            disk.fail_sync_after(syncs, loss);
            let lived = live(&disk, 12, &mut acknowledged);
            if disk.is_sync_to_fail() {
                assert!(syncs > 12, "the syncs of seals are among them");
                return;
            }
            lived.unwrap_err();
            disk.restart();
            // Reads return what the kernel takes for clean, though it isn't on the disk.
            let mut shard = shard_on(&disk);
            let mut shown = first_bytes(&shard);
            assert!(shown.starts_with(&acknowledged), "sync {syncs} {loss:?}");
            shard.append(&[partition(1, 0)], &batch(&[b"x"]));
            shard.commit().unwrap();
            shown.push(b'x');
            let disk = disk.after(Loss::Everything);
            assert_eq!(
                first_bytes(&shard_on(&disk)),
                shown,
                "sync {syncs} {loss:?}"
            );
        }
    }
}

#[test]
fn a_start_whose_own_sync_fails_is_followed_by_one_that_does_it_again() {
    let disk = MemoryDisk::default();
    disk.fail_sync_after(9, Loss::Everything);
    live(&disk, 12, &mut Vec::new()).unwrap_err();
    for syncs in 0..3 {
        disk.restart();
        disk.fail_sync_after(syncs, Loss::Everything);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        drop(Shard::open(&shared, Path::new(PATH)));
    }
    disk.restart();
    let shown = first_bytes(&shard_on(&disk));
    assert!(shown.len() > 5, "{shown:?}");
    let disk = disk.after(Loss::Everything);
    assert_eq!(first_bytes(&shard_on(&disk)), shown);
}

#[test]
fn a_full_disk_stops_writing_and_corrupts_nothing() {
    let disk = MemoryDisk::default();
    let mut shard = shard_on(&disk);
    disk.limit(Some(20_000));
    let mut count = 0;
    let error = loop {
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
        match shard.commit() {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    let Error::Io { source, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    assert!(count > 5, "{count}");
    drop(shard);

    // Starting on the full disk works: existing messages can be read and acknowledged.
    let shard = shard_on(&disk);
    assert_eq!(shard.values(partition(1, 0)).len(), count);
    drop(shard);
    disk.limit(None);
    let mut shard = shard_on(&disk);
    shard.append(&[partition(1, 0)], &batch(&[b"more"]));
    shard.commit().unwrap();
    assert_eq!(shard.values(partition(1, 0)).len(), count + 1);
}

#[test]
fn a_checkpoint_without_space_leaves_all_as_it_was() {
    let disk = MemoryDisk::default();
    let mut shard = shard_on(&disk);
    for _ in 0..30 {
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
        shard.commit().unwrap();
    }
    disk.limit(Some(0));
    let error = shard.checkpoint().unwrap_err();
    assert!(error.is_for_want(), "{error}");
    shard.parts.index.abandon_checkpoint();
    // Without a restart.
    disk.limit(None);
    shard.checkpoint().unwrap();
    assert_eq!(shard.values(partition(1, 0)).len(), 30);
    for _ in 0..30 {
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
        shard.commit().unwrap();
    }
    // With one.
    disk.limit(Some(0));
    shard.checkpoint().unwrap_err();
    drop(shard);
    disk.limit(None);
    let mut shard = shard_on(&disk);
    assert_eq!(shard.values(partition(1, 0)).len(), 60);
    shard.checkpoint_all().unwrap();
    assert_eq!(shard.values(partition(1, 0)).len(), 60);
}

/// A shard with several partitions, closed files, segments of earlier checkpoints and some below
/// the floors.
fn shard_to_checkpoint(disk: &MemoryDisk) -> Shard {
    let mut shard = shard_on(disk);
    for at in 0..40u8 {
        let partition = partition(1 + u64::from(at % 3), 0);
        shard.append(&[partition], &batch(&[&[at; 500]]));
        shard.control(&[at]);
        shard.commit().unwrap();
        if at == 20 {
            shard.checkpoint_all().unwrap();
        }
    }
    shard.floors.insert(partition(2, 0), Offset(7));
    shard.control(b"acknowledged");
    shard.parts.writer.seal().unwrap();
    shard.commit().unwrap();
    shard
}

/// The values above the floors.
fn kept(shard: &Shard) -> Vec<Vec<(u64, Vec<u8>)>> {
    let values = |log: u64| {
        let mut values = shard.values(partition(log, 0));
        values.retain(|(offset, _)| log != 2 || *offset >= 7);
        values
    };
    (1..4).map(values).collect()
}

/// A resource that runs out after so many operations, and whether it has; afterwards it is
/// available again.
type Want = (fn(&MemoryDisk, u64), fn(&MemoryDisk) -> bool);

const NO_ROOM: Want = (MemoryDisk::fill_after, MemoryDisk::take_filled);
const NO_FILES: Want = (
    MemoryDisk::run_out_of_files_after,
    MemoryDisk::take_out_of_files,
);

#[test]
fn no_room_at_any_point_of_a_checkpoint_is_no_damage() {
    checkpoint_in_want(NO_ROOM);
}

#[test]
fn no_descriptors_at_any_point_of_a_checkpoint_are_no_damage() {
    checkpoint_in_want(NO_FILES);
}

fn checkpoint_in_want((run_out_after, take_run_out): Want) {
    for operations in 0.. {
        let disk = MemoryDisk::default();
        let mut shard = shard_to_checkpoint(&disk);
        let expected = kept(&shard);
        run_out_after(&disk, operations);
        let plan = shard
            .parts
            .index
            .plan_checkpoint(shard.floors(), NOW.plus_ms(1_000_000));
        let replay = &mut State::default();
        let checkpointed = shard.parts.checkpointer.checkpoint(&plan, replay);
        drop(plan);
        let mut left = None;
        match checkpointed {
            Ok(checkpoint) => {
                let mut retired = shard.install(checkpoint);
                if let Err(error) = retired.release() {
                    assert!(error.is_for_want(), "{operations}: {error}");
                    left = Some(retired);
                }
            }
            Err(error) => {
                assert!(error.is_for_want(), "{operations}: {error}");
                shard.parts.index.abandon_checkpoint();
            }
        }
        let has_run_out = take_run_out(&disk);
        for loss in [Loss::Nothing, Loss::Everything, Loss::Some(operations)] {
            let started = shard_on(&disk.after(loss));
            assert_eq!(kept(&started), expected, "{operations} {loss:?}");
            assert_eq!(started.state, shard.state, "{operations} {loss:?}");
        }
        // Once there is room, in the same process.
        left.iter_mut().for_each(|left| left.release().unwrap());
        shard.append(&[partition(3, 0)], &batch(&[b"later"]));
        shard.commit().unwrap();
        shard.checkpoint_all().unwrap();
        shard.checkpoint_all().unwrap();
        let expected = kept(&shard);
        let started = shard_on(&disk.after(Loss::Everything));
        assert_eq!(kept(&started), expected, "{operations}");
        assert_eq!(started.state, shard.state, "{operations}");
        if !has_run_out {
            assert!(operations > 10, "a checkpoint does that much");
            return;
        }
    }
}

#[test]
fn what_a_checkpoint_had_no_room_for_takes_none() {
    let disk = MemoryDisk::default();
    let mut shard = shard_to_checkpoint(&disk);
    let before = disk.files();
    disk.limit(Some(disk.used_bytes() + 5_000));
    assert!(shard.checkpoint().unwrap_err().is_for_want());
    assert_eq!(disk.files(), before);
}

#[test]
fn a_journal_for_which_there_was_no_room_goes_on_once_there_is() {
    journal_in_want(NO_ROOM, 5);
}

#[test]
fn a_journal_for_which_there_was_no_descriptor_goes_on_once_there_is() {
    journal_in_want(NO_FILES, 2);
}

fn journal_in_want((run_out_after, take_run_out): Want, operations_min: u64) {
    for operations in 0.. {
        let disk = MemoryDisk::default();
        let mut shard = shard_on(&disk);
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 3_000]]));
        shard.commit().unwrap();
        shard.append(&[partition(1, 0)], &batch(&[&[b'y'; 3_000]]));
        let block = shard.parts.builder.finish(shard.synced);
        shard.parts.index.install(&block);
        run_out_after(&disk, operations);
        let mut appended = shard.parts.writer.append(&block);
        let has_run_out = take_run_out(&disk);
        if let Err(error) = &appended {
            if !error.is_for_want_before_a_sync() {
                // The result of a failed sync is unknown.
                assert!(matches!(error, Error::Io { action: "sync", .. }), "{error}");
                continue;
            }
            appended = shard.parts.writer.append(&block);
        }
        shard.parts.index.written(&appended.unwrap(), NOW);
        shard.synced = shard.parts.writer.sync().unwrap();
        let started = shard_on(&disk.after(Loss::Everything));
        assert_eq!(started.values(partition(1, 0)).len(), 2, "{operations}");
        if !has_run_out {
            assert!(operations >= operations_min, "it begins a file");
            return;
        }
    }
}

#[test]
fn a_checkpoint_leaves_little_for_a_sync_to_wait_for() {
    let disk = MemoryDisk::default();
    let options = Options {
        journal_file_size_bytes_max: 8 << 20,
        segment_size_bytes_max: 8 << 20,
        ..SMALL
    };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut shard = Shard::open_with(&shared, Path::new(PATH), &options).unwrap();
    for _ in 0..100 {
        let batch = batch(&[&[b'x'; 20_000]]);
        shard.append(&[partition(1, 0)], &batch);
        shard.commit().unwrap();
    }
    shard.parts.writer.seal().unwrap();
    shard.commit().unwrap();
    disk.take_unsynced_bytes_max();
    shard.checkpoint().unwrap();
    let unsynced_bytes = disk.take_unsynced_bytes_max();
    let expected = 200_000..UNSYNCED_SIZE_BYTES_MAX as u64 + 21_000;
    assert!(expected.contains(&unsynced_bytes), "{unsynced_bytes}");
}

#[test]
fn low_space_is_told_and_has_a_margin() {
    let disk = MemoryDisk::default();
    let shard = shard_on(&disk);
    let mut guard = SpaceGuard::new(&shard.directory, 800);
    assert!(!guard.check(0).unwrap().is_low);
    let used = u64::MAX - disk.free_bytes(Path::new(PATH)).unwrap();
    for (free_bytes, is_low) in [
        (800, false),
        (799, true),
        (899, true),
        (900, false),
        (850, false),
    ] {
        disk.limit(Some(used + free_bytes));
        let space = guard.check(0).unwrap();
        assert_eq!((space.left_bytes, space.is_low), (free_bytes, is_low));
    }
}

#[test]
fn floors_that_stand_on_unsynced_records_are_refused() {
    let disk = MemoryDisk::default();
    let mut shard = shard_on(&disk);
    shard.append(&[partition(1, 0)], &batch(&[b"a"]));
    shard.commit().unwrap();
    shard.control(b"acknowledge");
    shard.write().unwrap();
    let floors = Floors {
        starts: [(partition(1, 0), Offset(1))].into(),
        ..shard.floors()
    };
    let plan = shard.parts.index.plan_checkpoint(floors, NOW);
    let error = shard
        .parts
        .checkpointer
        .checkpoint(&plan, &mut shard.state)
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::FloorsNotSynced {
                as_of: 2,
                synced: 1
            }
        ),
        "{error}"
    );
}

#[test]
fn the_journal_is_due_by_size_and_by_age() {
    let disk = MemoryDisk::default();
    let mut shard = shard_on(&disk);
    assert!(!shard.parts.index.should_checkpoint(NOW) && !shard.parts.index.should_rotate(NOW));
    shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
    shard.commit().unwrap();
    let late = NOW.plus_ms(SMALL.journal_age_ms_max + 1);
    assert!(!shard.parts.index.should_rotate(NOW));
    assert!(shard.parts.index.should_rotate(late));
    shard.parts.writer.seal().unwrap();
    shard.commit().unwrap();
    assert!(!shard.parts.index.should_checkpoint(NOW));
    assert!(shard.parts.index.should_checkpoint(late));
    while !shard.parts.index.should_checkpoint(NOW) {
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
        shard.commit().unwrap();
    }
    let before = shard.parts.index.usage().journal_size_bytes;
    assert!(before > SMALL.journal_size_bytes_max);
    let floors = shard.floors();
    let plan = shard.parts.index.plan_checkpoint(floors, NOW);
    assert!(!shard.parts.index.should_checkpoint(late), "one at a time");
    let checkpoint = shard
        .parts
        .checkpointer
        .checkpoint(&plan, &mut State::default())
        .unwrap();
    shard.install(checkpoint).release().unwrap();
    assert!(!shard.parts.index.should_checkpoint(NOW));
    assert!(shard.parts.index.usage().journal_size_bytes <= SMALL.journal_size_bytes_max);
}

#[test]
fn a_block_larger_than_a_file_gets_one_of_its_own() {
    let disk = MemoryDisk::default();
    let mut shard = shard_on(&disk);
    let large = vec![b'x'; 3 * SMALL.journal_file_size_bytes_max as usize];
    for value in [b"small", &large[..], b"small"] {
        shard.append(&[partition(1, 0)], &batch(&[value]));
        shard.commit().unwrap();
    }
    drop(shard);
    let mut shard = shard_on(&disk);
    assert_eq!(shard.values(partition(1, 0))[1].1, large);
    shard.checkpoint_all().unwrap();
    assert_eq!(shard.values(partition(1, 0))[1].1, large);
    let files = disk.files();
    let logs = files
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "log"));
    assert_eq!(logs.count(), 3);
}

#[test]
fn what_is_not_one_batch_is_refused_and_leaves_no_trace() {
    let disk = MemoryDisk::default();
    let mut shard = shard_on(&disk);
    shard.append(&[partition(1, 0)], &batch(&[b"a"]));
    let before = shard.parts.builder.size_bytes();
    let good = batch(&[b"b"]);
    let double = [&good[..], &good[..]].concat();
    let target = crate::Target {
        partition: partition(1, 0),
        base_offset: Offset(1),
    };
    for bad in [&b""[..], b"nonsense", &good[..good.len() - 1], &double] {
        let bad = bytes::Bytes::copy_from_slice(bad);
        let error = shard
            .parts
            .builder
            .push_append(&[target], -1, &[bad])
            .unwrap_err();
        assert!(matches!(error, Error::Batch(_)), "{error}");
        assert_eq!(shard.parts.builder.size_bytes(), before);
    }
    shard.commit().unwrap();
    drop(shard);
    assert_eq!(shard_on(&disk).values(partition(1, 0)).len(), 1);
}

#[test]
fn default_sizes_work_together() {
    let options = Options::default();
    assert!(options.journal_file_size_bytes_max * 2 <= options.journal_size_bytes_max);
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let mut shard = Shard::open_with(&disk, Path::new(PATH), &options).unwrap();
    shard.append(&[partition(1, 0)], &batch(&[b"a"]));
    shard.commit().unwrap();
    assert_eq!(shard.values(partition(1, 0)).len(), 1);
}
