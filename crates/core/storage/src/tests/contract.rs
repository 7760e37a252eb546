//! The contract, on every disk: what was appended is read back, wherever it is stored.

use std::{path::Path, sync::Arc};

use stele_base_env::{Disk, LocalDisk};
use stele_base_types::{LogId, Offset, Timestamp};
use stele_test_disk::MemoryDisk;

use super::harness::{NOW, SMALL, Shard, batch, batch_at, next_offset, partition, values};
use crate::*;

/// Runs `test` on a real directory and in memory.
fn on_every_disk(test: fn(&Arc<dyn Disk>, &Path)) {
    let directory = tempfile::tempdir().unwrap();
    test(&(Arc::new(LocalDisk) as _), directory.path());
    test(&(Arc::new(MemoryDisk::default()) as _), Path::new("/data"));
}

/// Appends `count` batches of about 200 bytes to `log`, alternating with another log's, in blocks
/// of three.
fn fill(shard: &mut Shard, log: u64, count: u64) {
    for at in 0..count {
        let value = format!("{log}-{at:04}-{}", "x".repeat(120));
        shard.append(&[partition(log, 0)], &batch(&[value.as_bytes()]));
        shard.append(
            &[partition(log + 1, 0)],
            &batch(&[b"other", value.as_bytes()]),
        );
        if at % 3 == 2 {
            shard.commit().unwrap();
        }
    }
    shard.commit().unwrap();
}

/// Asserts that `log` holds what [`fill`] put there, from `first` on.
fn assert_filled(shard: &Shard, log: u64, first: u64, count: u64) {
    let values = shard.values(partition(log, 0));
    assert_eq!(values.len() as u64, count - first);
    for (at, (offset, value)) in (first..).zip(values) {
        assert_eq!(offset, at);
        assert!(
            value.starts_with(format!("{log}-{at:04}-").as_bytes()),
            "offset {at}"
        );
    }
}

#[test]
fn what_was_appended_is_read_before_it_is_written() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        shard.append(&[partition(1, 0)], &batch(&[b"a", b"b"]));
        shard.append(&[partition(1, 0)], &batch(&[b"c"]));
        let block = shard.parts.builder.finish(shard.synced);
        shard.parts.index.install(&block);
        let slices = shard
            .parts
            .index
            .read(partition(1, 0), Offset(0), Offset(9), 1 << 20);
        assert!(slices.iter().all(|slice| matches!(slice, Slice::Memory(_))));
        let expected = [(0, b"a".to_vec()), (1, b"b".to_vec()), (2, b"c".to_vec())];
        assert_eq!(shard.values(partition(1, 0)), expected);
    });
}

#[test]
fn data_is_read_from_memory_journal_and_segments_alike() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        fill(&mut shard, 1, 100);
        assert_filled(&shard, 1, 0, 100);
        shard.checkpoint().unwrap();
        let usage = shard.parts.index.usage();
        assert!(
            usage.segments_size_bytes > 0 && usage.journal_size_bytes > 0,
            "{usage:?}"
        );
        assert_filled(&shard, 1, 0, 100);
        shard.checkpoint_all().unwrap();
        assert_filled(&shard, 1, 0, 100);
        assert_eq!(shard.values(partition(2, 0)).len(), 200);
    });
}

#[test]
fn a_restart_finds_everything_again() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        shard.control(b"declare");
        fill(&mut shard, 1, 30);
        shard.checkpoint_all().unwrap();
        fill(&mut shard, 5, 30);
        shard.control(b"acknowledge");
        shard.commit().unwrap();
        let state = shard.state.clone();
        drop(shard);
        let shard = Shard::open(disk, path).unwrap();
        assert_eq!(shard.state, state);
        assert_eq!(shard.parts.report.torn_size_bytes, 0);
        assert!(shard.parts.report.snapshot.is_some());
        assert_filled(&shard, 1, 0, 30);
        assert_filled(&shard, 5, 0, 30);
    });
}

#[test]
fn appending_goes_on_after_a_restart() {
    on_every_disk(|disk, path| {
        for start in 0..4 {
            let mut shard = Shard::open(disk, path).unwrap();
            let value = start.to_string();
            let offset = shard.append(&[partition(1, 0)], &batch(&[value.as_bytes()]));
            assert_eq!(offset, Offset(start));
            shard.commit().unwrap();
            assert_eq!(shard.values(partition(1, 0)).len() as u64, start + 1);
        }
    });
}

#[test]
fn a_fan_out_is_stored_once_and_read_at_each_targets_offsets() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        shard.append(&[partition(2, 0)], &batch(&[b"earlier"]));
        let body = vec![b'x'; 3000];
        let targets = [partition(1, 0), partition(2, 0), partition(3, 7)];
        shard.append(&targets, &batch(&[&body]));
        assert!(shard.parts.builder.size_bytes() < 4000);
        shard.commit().unwrap();
        let assert_read = |shard: &Shard| {
            assert_eq!(shard.values(partition(1, 0)), [(0, body.clone())]);
            assert_eq!(shard.values(partition(2, 0))[1], (1, body.clone()));
            assert_eq!(shard.values(partition(3, 7)), [(0, body.clone())]);
        };
        assert_read(&shard);
        shard.checkpoint_all().unwrap();
        assert_read(&shard);
        drop(shard);
        let shard = Shard::open(disk, path).unwrap();
        assert_read(&shard);
        // In a segment each batch has its own partition's offset in its header.
        let stored = &shard.read_all(partition(2, 0), Offset(1))[0];
        let header = stele_wire_batch::BatchHeader::parse(&stored.bytes).unwrap();
        assert_eq!(header.base_offset(), Offset(1));
    });
}

#[test]
fn a_read_begins_with_the_batch_that_holds_the_offset() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        for _ in 0..10 {
            shard.append(&[partition(1, 0)], &batch(&[b"a", b"b", b"c"]));
        }
        shard.commit().unwrap();
        let assert_reads = |shard: &Shard| {
            for from in 0..30 {
                let read = shard.read_all(partition(1, 0), Offset(from));
                assert_eq!(read[0].base_offset, Offset(from / 3 * 3));
                assert_eq!(next_offset(read.last().unwrap()), Offset(30));
            }
            assert!(shard.read_all(partition(1, 0), Offset(30)).is_empty());
            assert!(shard.read_all(partition(1, 1), Offset(0)).is_empty());
        };
        assert_reads(&shard);
        shard.checkpoint_all().unwrap();
        assert_reads(&shard);
    });
}

#[test]
fn a_large_batch_is_read_once_by_who_takes_it_in_parts() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        let large: Vec<&[u8]> = vec![&[b'x'; 2_000]; 10];
        for _ in 0..3 {
            shard.append(&[partition(1, 0)], &batch(&large));
            shard.append(&[partition(2, 0)], &batch(&[b"small", b"small"]));
            shard.commit().unwrap();
        }
        let part = |shard: &Shard, log, from, until| {
            let index = &shard.parts.index;
            let partition = partition(log, 0);
            let mut slices = index.read(partition, Offset(from), Offset(until), 1 << 20);
            assert_eq!(slices.len(), 1);
            slices.remove(0)
        };
        let assert_parts = |shard: &Shard, first: u64| {
            let read = part(shard, 1, first, first + 4).at_hand().unwrap_err();
            let resolved = read.resolve().unwrap();
            for (from, until) in [
                (first, first + 4),
                (first + 4, first + 8),
                (first + 8, first + 10),
            ] {
                let rest = part(shard, 1, from, until);
                assert_eq!(rest.resolve().unwrap(), resolved);
                assert_eq!(rest.at_hand().ok().as_ref(), resolved.first());
            }
            // Ranges beyond it and before it are read from disk.
            for (from, until) in [(first + 8, first + 12), (first + 10, first + 12)] {
                part(shard, 1, from, until).at_hand().unwrap_err();
            }
            // A batch read to its end isn't kept, nor is a small one.
            part(shard, 1, first, first + 10).resolve().unwrap();
            part(shard, 2, 0, 1).resolve().unwrap();
            part(shard, 2, 1, 2).at_hand().unwrap_err();
        };
        assert_parts(&shard, 0);
        shard.checkpoint_all().unwrap();
        assert_parts(&shard, 10);
    });
}

#[test]
fn a_read_ends_before_the_watermark_and_at_the_size() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        for _ in 0..20 {
            shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 100]]));
        }
        shard.commit().unwrap();
        let read = |shard: &Shard, until, size_bytes_max| -> Vec<StoredBatch> {
            let index = &shard.parts.index;
            let slices = index.read(partition(1, 0), Offset(3), Offset(until), size_bytes_max);
            slices
                .iter()
                .flat_map(|slice| slice.resolve().unwrap())
                .collect()
        };
        let assert_bounds = |shard: &Shard| {
            assert_eq!(read(shard, 8, 1 << 20).len(), 5);
            assert_eq!(read(shard, 3, 1 << 20).len(), 0);
            assert_eq!(read(shard, 20, 1).len(), 1);
            let some = read(shard, 20, 600);
            let size_bytes: usize = some.iter().map(|batch| batch.bytes.len()).sum();
            assert!(size_bytes <= 600 && some.len() == 3, "{size_bytes}");
        };
        assert_bounds(&shard);
        shard.checkpoint_all().unwrap();
        assert_bounds(&shard);
    });
}

#[test]
fn what_lies_below_the_floor_is_not_written_again_and_goes() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        fill(&mut shard, 1, 60);
        shard.floors.insert(partition(1, 0), Offset(60));
        shard.floors.insert(partition(2, 0), Offset(100));
        shard.checkpoint_all().unwrap();
        let usage = shard.parts.index.usage();
        let kept = usage.segments_size_bytes;
        assert!(kept > 0 && kept < 10 * 400, "{usage:?}");
        assert_eq!(shard.values(partition(2, 0))[0].0, 100);

        fill(&mut shard, 1, 3);
        assert_eq!(shard.values(partition(1, 0)).len(), 3);
        shard.floors.insert(partition(2, 0), Offset(126));
        shard.checkpoint_all().unwrap();
        drop(shard);
        let shard = Shard::open(disk, path).unwrap();
        assert_eq!(shard.values(partition(1, 0)).len(), 3);
        assert_eq!(shard.values(partition(2, 0)).len(), 0);
    });
}

#[test]
fn segments_roll_at_their_size_and_go_as_a_whole() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        fill(&mut shard, 1, 100);
        shard.checkpoint_all().unwrap();
        let segments = path.join("shard-0/segments/1/0");
        let logs = |disk: &Arc<dyn Disk>| -> Vec<String> {
            let entries = disk.list(&segments).unwrap().into_iter();
            let names = entries.map(|entry| entry.name);
            names.filter(|name| name.ends_with(".log")).collect()
        };
        let before = logs(disk);
        assert!(before.len() >= 3, "{before:?}");
        let second: u64 = before[1].trim_end_matches(".log").parse().unwrap();
        shard.floors.insert(partition(1, 0), Offset(second + 1));
        shard
            .parts
            .index
            .advance_start(partition(1, 0), Offset(second + 1));
        shard.checkpoint().unwrap();
        assert_eq!(logs(disk), before[1..]);
        // Segments are removed only as a whole: the batches before the start, in the same segment,
        // are skipped.
        assert_filled(&shard, 1, second + 1, 100);
        drop(shard);
        let shard = Shard::open(disk, path).unwrap();
        assert_filled(&shard, 1, second, 100);
    });
}

#[test]
fn a_deleted_logs_files_go_with_the_next_checkpoint() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        fill(&mut shard, 1, 30);
        shard.checkpoint_all().unwrap();
        fill(&mut shard, 1, 3);
        shard.floors.remove(&partition(1, 0));
        shard.parts.index.remove_log(LogId(1), 1);
        shard.checkpoint_all().unwrap();
        assert!(!disk.exists(&path.join("shard-0/segments/1")).unwrap());
        assert!(disk.exists(&path.join("shard-0/segments/2/0")).unwrap());
        assert!(shard.values(partition(1, 0)).is_empty());
        assert_eq!(shard.values(partition(2, 0)).len(), 66);
    });
}

#[test]
fn a_partition_made_after_the_floors_were_taken_is_not_taken_for_deleted() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        fill(&mut shard, 1, 10);
        shard.commit().unwrap();
        let floors = shard.floors();
        fill(&mut shard, 3, 10);
        shard.parts.writer.seal().unwrap();
        shard.commit().unwrap();
        let checkpoint = shard.checkpoint_above(floors).unwrap();
        let mut retired = shard.install(checkpoint);
        retired.release().unwrap();
        assert_filled(&shard, 1, 0, 10);
        assert_filled(&shard, 3, 0, 10);
        shard.checkpoint().unwrap();
        assert_filled(&shard, 3, 0, 10);
    });
}

#[test]
fn everything_is_readable_between_the_pieces_in_which_a_checkpoint_is_taken_over() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        fill(&mut shard, 1, 40);
        shard.parts.writer.seal().unwrap();
        shard.commit().unwrap();
        let late = NOW.plus_ms(SMALL.journal_age_ms_max + 1);
        let mut checkpoint = shard.checkpoint_above(shard.floors()).unwrap();
        let mut pieces = 0;
        let mut retired = loop {
            let retired = shard.parts.index.install_checkpoint(&mut checkpoint, 1);
            assert_filled(&shard, 1, 0, 40);
            pieces += 1;
            if let Some(retired) = retired {
                break retired;
            }
            assert!(!shard.parts.index.should_checkpoint(late), "one at a time");
        };
        assert_eq!(pieces, 2, "a partition each");
        retired.release().unwrap();
        assert_filled(&shard, 1, 0, 40);
    });
}

#[test]
fn a_plan_made_before_a_checkpoint_is_still_good_after_it() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        fill(&mut shard, 1, 60);
        let index = &shard.parts.index;
        let plans = index.read(partition(1, 0), Offset(0), Offset(u64::MAX), 1 << 20);
        assert!(matches!(plans[0], Slice::Disk(_)));
        shard.checkpoint_all().unwrap();
        assert_eq!(values(&plans[0].resolve().unwrap()[0])[0].0, 0);
    });
}

#[test]
fn records_are_found_by_time_wherever_they_lie() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        for at in 0..60 {
            let times = [at * 10, at * 10 + 5, at * 10 + 3];
            let batch = batch_at(&[b"a", &[b'x'; 150], b"c"], &times);
            shard.append(&[partition(9, 0), partition(1, 0)], &batch);
            shard.append(&[partition(1, 0)], &batch_at(&[b"old"], &[0]));
            shard.commit().unwrap();
        }
        let find = |shard: &Shard, time| {
            let lookup = shard
                .parts
                .index
                .find_by_time(partition(1, 0), Timestamp(time));
            lookup
                .resolve(1 << 20)
                .unwrap()
                .map(|found| (found.offset.0, found.timestamp.0))
        };
        let assert_found = |shard: &Shard| {
            assert_eq!(find(shard, i64::MIN), Some((0, 0)));
            assert_eq!(find(shard, 301), Some((30 * 4 + 1, 305)));
            assert_eq!(find(shard, 304), Some((30 * 4 + 1, 305)));
            assert_eq!(find(shard, 306), Some((31 * 4, 310)));
            assert_eq!(find(shard, 595), Some((59 * 4 + 1, 595)));
            assert_eq!(find(shard, 596), None);
        };
        assert_found(&shard);
        shard.checkpoint().unwrap();
        assert_found(&shard);
        shard.checkpoint_all().unwrap();
        assert_found(&shard);
        // Records before the start aren't found, though they still exist.
        shard
            .parts
            .index
            .advance_start(partition(1, 0), Offset(30 * 4 + 2));
        assert_eq!(find(&shard, 304), Some((31 * 4, 310)));
    });
}

#[test]
fn a_directory_has_one_user_at_a_time() {
    on_every_disk(|disk, path| {
        let held = DataDirectory::open(disk.clone(), path, 3).unwrap();
        let error = DataDirectory::open(disk.clone(), path, 3).unwrap_err();
        assert!(matches!(error, Error::Locked { .. }), "{error}");
        let shard = held.shard(stele_base_types::ShardId(1));
        drop(held);
        DataDirectory::open(disk.clone(), path, 3).unwrap_err();
        drop(shard);
        // It keeps the number of shards that it was created with.
        let again = DataDirectory::open(disk.clone(), path, 5).unwrap();
        assert_eq!(again.shard_count(), 3);
    });
}

#[test]
fn the_cache_holds_what_is_set_and_what_is_not_written() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        fill(&mut shard, 1, 60);
        let usage = shard.parts.index.usage();
        assert!(
            usage.cache_size_bytes <= SMALL.cache_size_bytes_max,
            "{usage:?}"
        );
        let mut blocks = Vec::new();
        for _ in 0..10 {
            shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 1000]]));
            let block = shard.parts.builder.finish(shard.synced);
            shard.parts.index.install(&block);
            blocks.push(block);
        }
        let usage = shard.parts.index.usage();
        assert!(usage.cache_size_bytes > 10_000, "{usage:?}");
        for block in blocks {
            let written = shard.parts.writer.append(&block).unwrap();
            shard.parts.index.written(&written, NOW);
        }
        let usage = shard.parts.index.usage();
        assert!(
            usage.cache_size_bytes <= SMALL.cache_size_bytes_max,
            "{usage:?}"
        );
        assert_eq!(shard.values(partition(1, 0)).len(), 70);
    });
}

#[test]
fn a_merged_segment_stays_for_as_long_as_somebody_is_to_read_it() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        fill(&mut shard, 1, 6);
        shard.checkpoint_all().unwrap();
        let read = |shard: &Shard| {
            let index = &shard.parts.index;
            index.read(partition(1, 0), Offset(0), Offset(u64::MAX), 1 << 20)
        };
        let earlier = read(&shard);
        assert!(matches!(earlier[..], [Slice::Disk(_)]));
        let directory = path.join("shard-0/segments/1/0");
        let count = || disk.list(&directory).unwrap().len();
        assert_eq!(count(), 2);
        for _ in 0..2 {
            // As it is small, each checkpoint merges it with what comes after.
            shard.append(&[partition(1, 0)], &batch(&[b"more"]));
            shard.commit().unwrap();
            shard.checkpoint_all().unwrap();
        }
        assert_eq!(count(), 6);
        assert_eq!(values(&earlier[0].resolve().unwrap()[0])[0].0, 0);
        assert_eq!(shard.values(partition(1, 0)).len(), 8);
        drop(earlier);
        shard.checkpoint_all().unwrap();
        assert_eq!(count(), 2);
        assert_eq!(shard.values(partition(1, 0)).len(), 8);
    });
}

#[test]
fn a_damaged_segment_is_not_merged_but_left_to_its_readers() {
    let disk = MemoryDisk::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let path = Path::new("/data");
    let mut shard = Shard::open(&shared, path).unwrap();
    fill(&mut shard, 1, 3);
    shard.checkpoint_all().unwrap();
    let directory = path.join("shard-0/segments/1/0");
    let index = directory.join("00000000000000000000.index");
    disk.edit(&index, |bytes| bytes[0] ^= 1);
    shard.append(&[partition(1, 0)], &batch(&[b"more"]));
    shard.commit().unwrap();
    shard.checkpoint_all().unwrap();
    assert_eq!(disk.list(&directory).unwrap().len(), 4);
    let slices = shard
        .parts
        .index
        .read(partition(1, 0), Offset(0), Offset(1), 1);
    slices[0].resolve().unwrap_err();
    let slices = shard
        .parts
        .index
        .read(partition(1, 0), Offset(3), Offset(4), 1);
    assert_eq!(slices[0].resolve().unwrap().len(), 1);
}

#[test]
fn checkpoints_are_behind_once_the_journal_is_several_times_as_large_as_it_should_be() {
    on_every_disk(|disk, path| {
        let mut shard = Shard::open(disk, path).unwrap();
        let size = |shard: &Shard| shard.parts.index.usage().journal_size_bytes;
        let limit = 4 * SMALL.journal_size_bytes_max;
        while size(&shard) <= limit {
            assert!(!shard.parts.index.are_checkpoints_behind());
            fill(&mut shard, 1, 3);
        }
        assert!(shard.parts.index.are_checkpoints_behind());
        // There was no room.
        let plan = shard.parts.index.plan_checkpoint(shard.floors(), NOW);
        assert!(shard.parts.index.are_checkpoints_behind());
        shard.parts.index.abandon_checkpoint();
        assert!(!shard.parts.index.are_checkpoints_behind());
        drop(plan);
        // Only some of it is checkpointed at once.
        let plan = shard.parts.index.plan_checkpoint(shard.floors(), NOW);
        let mut state = super::harness::State::default();
        let checkpoint = shard
            .parts
            .checkpointer
            .checkpoint(&plan, &mut state)
            .unwrap();
        drop(plan);
        shard.install(checkpoint).release().unwrap();
        let rest = size(&shard);
        assert!(
            rest > SMALL.journal_size_bytes_max && rest < limit,
            "{rest}"
        );
        assert!(!shard.parts.index.are_checkpoints_behind());
        assert!(shard.parts.index.should_checkpoint(NOW));
    });
}
