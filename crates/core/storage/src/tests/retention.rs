//! Which data retention drops.

use std::{path::Path, sync::Arc};

use stele_base_env::Disk;
use stele_base_types::{Offset, Timestamp};
use stele_test_disk::MemoryDisk;

use super::harness::{Shard, batch_at, partition};
use crate::{Age, RetentionPolicy};

const HOUR_MS: i64 = 60 * 60_000;
const NOW: Timestamp = Timestamp(1_000 * HOUR_MS);

/// A partition with one record for each of these times, each in a block of its own.
fn shard_of(times: &[i64]) -> Shard {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let mut shard = Shard::open(&disk, Path::new("/data")).unwrap();
    for time in times {
        shard.append(&[partition(1, 0)], &batch_at(&[b"value"], &[*time]));
        shard.commit().unwrap();
    }
    shard
}

/// Where a partition with records of these times begins once those older than two hours are
/// dropped.
fn start_of(times: &[i64]) -> u64 {
    let shard = shard_of(times);
    let end = shard.next(partition(1, 0));
    let policy = RetentionPolicy {
        age: Some(Age {
            ms_max: 2 * HOUR_MS as u64,
            of_those_below: end,
        }),
        size_bytes_max: None,
    };
    let index = &shard.parts.index;
    index.retention_start(partition(1, 0), &policy, NOW).0
}

fn hours_ago(hours: i64) -> i64 {
    NOW.0 - hours * HOUR_MS
}

#[test]
fn what_is_too_old_goes_up_to_the_first_that_is_not() {
    let times = [hours_ago(9), hours_ago(8), hours_ago(1), hours_ago(7)];
    assert_eq!(start_of(&times), 2);
}

#[test]
fn a_record_dated_far_ahead_holds_up_nothing() {
    let ahead = NOW.0 * 1_000;
    let times = [hours_ago(9), ahead, hours_ago(8), hours_ago(1)];
    assert_eq!(start_of(&times), 3);
    assert_eq!(start_of(&[hours_ago(9), ahead, hours_ago(1)]), 1);
    assert_eq!(start_of(&[ahead, ahead, hours_ago(9), ahead]), 3);
}

#[test]
fn a_record_dated_a_little_ahead_is_as_young_as_it_says() {
    let times = [hours_ago(-1), hours_ago(9)];
    assert_eq!(start_of(&times), 0);
}

#[test]
fn records_without_a_time_go_with_those_behind_them() {
    assert_eq!(start_of(&[-1, hours_ago(1)]), 0);
    assert_eq!(start_of(&[-1, hours_ago(9), -1]), 2);
}

#[test]
fn what_exceeds_the_size_goes_whatever_its_time() {
    let times = [NOW.0 * 1_000, -1, hours_ago(1), hours_ago(1)];
    let shard = shard_of(&times);
    let index = &shard.parts.index;
    let size_bytes = index.extent(partition(1, 0)).unwrap().size_bytes;
    let policy = RetentionPolicy {
        age: None,
        size_bytes_max: Some(size_bytes / 2),
    };
    let start = index.retention_start(partition(1, 0), &policy, NOW);
    assert_eq!(start, Offset(2));
}
