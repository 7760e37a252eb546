//! Queues that limit how many bytes are ready.

use super::*;
use crate::{Overflow, StateBytes, limits::RUN_RECORDS_MAX};

fn limited(ready_bytes_max: u64, overflow: Overflow) -> LogConfig {
    LogConfig {
        queue: Some(LedgerConfig {
            ready_bytes_max: Some(ready_bytes_max),
            overflow,
            ..LedgerConfig::default()
        }),
        ..queue_config()
    }
}

fn batch(sizes: &[u32]) -> Append {
    Append {
        count: u32::try_from(sizes.len()).expect("small"),
        columns: Columns::of(sizes.iter().map(|bytes| Schedule {
            body_bytes: Some(*bytes),
            ..Schedule::default()
        })),
        ..record()
    }
}

fn shorten(shard: &mut Shard) {
    while shard.state.logs.is_too_long() {
        let decision = shard.state.shorten();
        assert!(!decision.records.is_empty(), "listed without work to do");
        shard.carry_out(decision);
    }
}

fn ready_bytes(shard: &Shard) -> u64 {
    shard.ledger().ready_bytes().expect("they are limited")
}

/// Sizes that differ from each other.
fn different(count: u32) -> Vec<u32> {
    (0..count).map(|nth| nth * 7_919 % 1_000).collect()
}

#[test]
fn the_oldest_records_leave_until_the_bytes_of_the_others_fit() {
    let mut shard = Shard::with(limited(100, Overflow::DropOldest));
    shard.append(batch(&[50, 0, 30, 20]));
    shorten(&mut shard);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (4, 100));
    shard.append(batch(&[1]));
    shorten(&mut shard);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (4, 51));
    // The empty one leaves because one behind it has to.
    shard.append(batch(&[90]));
    shorten(&mut shard);
    assert_eq!(shard.lease(request(1, 9)), [(0, 4), (0, 5)]);
    // One that is too large by itself leaves as well.
    shard.append(batch(&[101]));
    shorten(&mut shard);
    assert_eq!(shard.counts(), (0, 2, 0));
}

#[test]
fn both_limits_of_a_queue_apply() {
    let mut config = limited(100, Overflow::DropOldest);
    if let Some(queue) = &mut config.queue {
        queue.ready_max = Some(2);
    }
    let mut shard = Shard::with(config);
    shard.append(batch(&[1, 1, 1]));
    shorten(&mut shard);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (2, 2));
    shard.append(batch(&[99]));
    shorten(&mut shard);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (2, 100));
    shard.append(batch(&[100]));
    shorten(&mut shard);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (1, 100));
}

#[test]
fn what_is_leased_takes_no_room_until_it_returns() {
    let mut shard = Shard::with(limited(100, Overflow::DropOldest));
    shard.append(batch(&[60, 40]));
    shard.lease(request(1, 1));
    shard.append(batch(&[60]));
    shorten(&mut shard);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (2, 100));
    shard.settle(&[(0, 0)], Outcome::Return(0));
    shorten(&mut shard);
    assert_eq!(shard.lease(request(1, 9)), [(0, 1), (0, 2)]);
}

#[test]
fn a_queue_is_shortened_by_its_bytes_in_pieces() {
    let mut shard = Shard::with(limited(1_000, Overflow::DropOldest));
    shard.append(batch(&[10; 1_000]));
    let decision = shard.state.shorten();
    assert!(decision.weight() <= 2 * RUN_RECORDS_MAX);
    shorten(&mut shard);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (100, 1_000));
}

#[test]
fn a_full_queue_refuses_what_does_not_fit_and_takes_what_does() {
    let mut shard = Shard::with(limited(100, Overflow::RefuseNew));
    // What can't be seen yet counts as well.
    shard.append_only(batch(&[60])).expect("there is room");
    let refused = |shard: &mut Shard, sizes: &[u32]| {
        let append = batch(sizes);
        shard.append_only(append).map(|_| ())
    };
    let divided = |place| Err(AppendError::Divided(place));
    assert_eq!(refused(&mut shard, &[41]), Err(AppendError::TooLong));
    assert_eq!(refused(&mut shard, &[40, 1, 0]), divided(1));
    // Those that don't fit are refused together, and smaller ones may follow.
    assert_eq!(refused(&mut shard, &[50, 41, 40]), divided(2));
    assert_eq!(refused(&mut shard, &[50, 41]), Err(AppendError::TooLong));
    shard.append(batch(&[40, 0]));
    assert_eq!(refused(&mut shard, &[1]), Err(AppendError::TooLong));
    shard.append(batch(&[0]));
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (4, 100));
    shard.lease(request(1, 1));
    shard.append(batch(&[60]));
}

#[test]
fn what_does_not_fit_may_be_dead_letters() {
    let mut config = limited(100, Overflow::RefuseAsDead);
    if let Some(queue) = &mut config.queue {
        queue.dead_letters = DeathReasons::ALL;
    }
    let mut shard = Shard::with(config);
    shard.append(batch(&[60]));
    let refused = shard.append(batch(&[41, 42]));
    assert!(refused[0].refused);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (1, 60));
    let taken = shard.append(batch(&[40]));
    assert!(!taken[0].refused);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (2, 100));
}

#[test]
fn records_that_a_queue_begins_with_count_as_their_part_of_their_batch() {
    let mut shard = Shard::with(queue_config());
    shard.append(Append {
        count: 10,
        size_bytes: 1_000,
        ..record()
    });
    shard.lease(request(1, 3));
    assert_eq!(shard.ledger().ready_bytes(), None);
    let config = limited(350, Overflow::DropOldest);
    shard.open(LOG, config).expect("it is the same log");
    assert_eq!(ready_bytes(&shard), 700);
    shorten(&mut shard);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (3, 300));
    // Without a limit nothing is known of them.
    shard.open(LOG, queue_config()).expect("it is the same log");
    assert_eq!(shard.ledger().ready_bytes(), None);
    assert_eq!(shard.state.logs.indexes.bodies_bytes, 0);
}

#[test]
fn sizes_are_only_journalled_for_queues_that_limit_them() {
    let mut shard = Shard::with(queue_config());
    shard.append(batch(&[1, 2, 3]));
    let columns = |shard: &Shard| match shard.journal.last() {
        Some(Record::Appended { columns, .. }) => columns.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(columns(&shard), Columns::default());
    assert!(!record().wants_body_bytes(&shard.state));
    let config = limited(350, Overflow::DropOldest);
    shard.open(LOG, config).expect("it is the same log");
    assert!(record().wants_body_bytes(&shard.state));
    assert!(!batch(&[1]).wants_body_bytes(&shard.state));
    shard.append(batch(&[1, 2, 3]));
    assert!(columns(&shard).has_body_bytes());
    shard.delete(DeleteLog::anyway(LOG)).expect("it is deleted");
    assert!(!record().wants_body_bytes(&shard.state));
}

#[test]
fn a_waiting_record_takes_four_bytes_or_nothing() {
    let mut shard = Shard::with(limited(u64::MAX, Overflow::DropOldest));
    let empty = shard.state.bytes().records;
    for _ in 0..1_000 {
        shard.append(batch(&[100; 1_000]));
    }
    let equal = shard.state.bytes().records - empty;
    assert!(equal <= 128, "{equal} bytes for a million of one size");
    for _ in 0..100 {
        shard.append(batch(&different(1_000)));
    }
    let differing = shard.state.bytes().records - empty - equal;
    assert!(differing < 100_000 * 11 / 2, "{differing} bytes");
    let bytes: u64 = different(1_000).iter().map(|bytes| u64::from(*bytes)).sum();
    assert_eq!(ready_bytes(&shard), 100_000_000 + 100 * bytes);
    // Those that are settled take nothing, even behind one that isn't.
    shard.lease(request(1, 1));
    while shard.counts().0 > 0 {
        let leased = shard.lease(request(1, 256));
        shard.settle(&leased, Outcome::Done);
    }
    assert!(shard.state.bytes().records - empty <= 160 + 128);
}

#[test]
fn sizes_are_refused_where_there_is_no_room_for_more() {
    let mut shard = Shard::with(limited(u64::MAX, Overflow::DropOldest));
    shard.state.set_bounds(StateBytes {
        definitions: usize::MAX,
        records: 100_000,
    });
    shard.append(batch(&[100; 1_000]));
    let full = (0..100).find(|_| {
        let appended = shard.append_only(batch(&different(1_000)));
        appended == Err(AppendError::Full)
    });
    assert!(full.is_some_and(|full| (9..14).contains(&full)), "{full:?}");
    shard.commit();
    let leased = shard.lease(request(1, 256));
    shard.settle(&leased, Outcome::Done);
}

#[test]
fn a_purge_forgets_sizes_in_pieces_and_so_does_a_deletion() {
    let mut shard = Shard::with(limited(u64::MAX, Overflow::DropOldest));
    let fill = |shard: &mut Shard| {
        for _ in 0..100 {
            shard.append(batch(&different(1_000)));
        }
    };
    fill(&mut shard);
    let purge = Purge {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        leased: false,
    };
    assert_eq!(shard.run(purge), Ok(100_000));
    assert!(shard.clean_up() > 2);
    assert_eq!((shard.counts().0, ready_bytes(&shard)), (0, 0));
    assert!(shard.state.bytes().records <= 128 + 4 * 128);
    fill(&mut shard);
    shard.delete(DeleteLog::anyway(LOG)).expect("it is deleted");
    assert!(shard.sweep() > 2);
    assert_eq!(shard.state.bytes().records, 0);
}
