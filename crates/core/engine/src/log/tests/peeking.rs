//! Looking at a ledger. What is found in which state is compared with the model (`model.rs`).

use super::*;
use crate::limits::{PEEK_EXAMINED_MAX, PEEK_PARTITIONS_MAX, PEEK_RECORDS_MAX};

fn offsets(page: &Peeked) -> Vec<u64> {
    page.records.iter().map(|record| record.offset.0).collect()
}

#[test]
fn a_look_changes_nothing() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(5);
    shard.lease(request(1, 2));
    shard.settle(&[(0, 0)], Outcome::Return(1_000));
    let (stored, deadline) = (shard.state.store(), shard.state.next_deadline());
    let counts = shard.counts();
    assert_eq!(shard.peek_all(None, 2).len(), 5);
    assert_eq!(shard.state.store(), stored);
    assert_eq!(shard.state.next_deadline(), deadline);
    assert_eq!(shard.counts(), counts);
    // What was looked at is handed out as if it hadn't been.
    let runs = shard.lease_runs(request(2, 1));
    assert_eq!(places(&runs), [(0, 2)]);
    assert!(!runs[0].records[0].redelivered);
}

#[test]
fn a_record_is_told_with_its_lease_or_delay() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(3);
    let timed = LeaseRequest {
        lease_ms: Some(500),
        ..request(7, 1)
    };
    let runs = shard.lease_runs(timed);
    shard.lease(request(8, 1));
    shard.settle(&[(0, 1)], Outcome::Return(300));
    let found = shard.peek_all(None, 10);
    let leased = found[0];
    assert_eq!(leased.state, PeekState::Leased);
    let lease = runs[0].records[0].lease;
    assert_eq!(leased.lease, Some((lease, consumer(7, 0))));
    assert_eq!(leased.until, Some(shard.now.plus_ms(500)));
    assert_eq!(leased.deliveries, 1);
    let delayed = found[1];
    assert_eq!((delayed.state, delayed.deliveries), (PeekState::Delayed, 1));
    assert_eq!(delayed.until, Some(shard.now.plus_ms(300)));
    let ready = found[2];
    assert_eq!((ready.state, ready.deliveries), (PeekState::Ready, 0));
    assert_eq!((ready.lease, ready.until), (None, None));
}

#[test]
fn a_page_is_bounded_however_much_waits() {
    let mut shard = Shard::with(queue_config());
    shard.append(Append {
        count: 1_000_000,
        size_bytes: 10_000_000,
        ..record()
    });
    let page = shard.peek(None, None, usize::MAX);
    assert_eq!(page.records.len(), PEEK_RECORDS_MAX);
    let last = Offset(PEEK_RECORDS_MAX as u64 - 1);
    assert_eq!(page.next, Some((PartitionIndex(0), last)));
    // From the middle, and past the end.
    let middle = Some((PartitionIndex(0), Offset(499_999)));
    assert_eq!(offsets(&shard.peek(None, middle, 2)), [500_000, 500_001]);
    let end = Some((PartitionIndex(0), Offset(u64::MAX)));
    assert_eq!(shard.peek(None, end, 2), Peeked::default());
    let beyond = Some((PartitionIndex(u32::MAX), Offset(0)));
    assert_eq!(shard.peek(None, beyond, 2), Peeked::default());
    assert_eq!(offsets(&shard.peek(None, None, 0)), [0]);
}

#[test]
fn a_log_without_a_queue_shows_what_one_would_start_with() {
    let mut shard = Shard::with(LogConfig {
        queue: None,
        ..queue_config()
    });
    shard.append_many(3);
    assert_eq!(offsets(&shard.peek(None, None, 2)), [0, 1]);
    assert_eq!(shard.peek_all(Some(PeekState::Ready), 2).len(), 3);
    assert_eq!(shard.peek_all(Some(PeekState::Leased), 2), []);
    let named = Peek {
        log: LOG,
        ledger: LedgerId(3),
        state: None,
        after: None,
        records_max: 1,
    };
    assert_eq!(shard.state.logs.peek(&named), Err(LogError::NoSuchLedger));
}

#[test]
fn many_partitions_are_looked_at_in_pieces() {
    let mut shard = Shard::with(LogConfig {
        partitions: PEEK_PARTITIONS_MAX + 5,
        ..queue_config()
    });
    let page = shard.peek(None, None, 5);
    assert!(page.records.is_empty());
    let last = PartitionIndex(PEEK_PARTITIONS_MAX - 1);
    assert_eq!(page.next, Some((last, Offset(u64::MAX))));
    let partition = Some(PartitionIndex(PEEK_PARTITIONS_MAX + 2));
    shard.append(Append {
        targets: [AppendTarget {
            log: LOG,
            partition,
        }]
        .into_iter()
        .collect(),
        ..record()
    });
    assert_eq!(shard.peek_all(None, 5).len(), 1);
}

/// Many delayed records of a FIFO queue are passed over in pieces.
#[test]
fn a_look_for_ready_records_among_delayed_ones_is_bounded() {
    let mut shard = Shard::with(fifo_config());
    let late = Schedule {
        delay_ms: Some(1_000),
        ..Schedule::default()
    };
    for _ in 0..2 {
        shard.append(Append {
            count: 8_000,
            size_bytes: 80_000,
            columns: Columns::of(vec![late; 8_000]),
            ..record()
        });
    }
    shard.append(record());
    let page = shard.peek(Some(PeekState::Ready), None, 5);
    assert_eq!(page.records, []);
    let last = Offset(PEEK_EXAMINED_MAX as u64 - 1);
    assert_eq!(page.next, Some((PartitionIndex(0), last)));
    let found = shard.peek_all(Some(PeekState::Ready), 5);
    let offsets: Vec<_> = found.iter().map(|record| record.offset.0).collect();
    assert_eq!(offsets, [16_000]);
    assert_eq!(shard.peek_all(None, 1_000).len(), 16_001);
}

#[test]
fn a_dead_record_is_told_with_the_reason() {
    let mut shard = Shard::with(LogConfig {
        queue: Some(LedgerConfig {
            dead_letters: DeathReasons::ALL,
            deliveries_max: Some(1),
            ..LedgerConfig::default()
        }),
        ..queue_config()
    });
    shard.append_many(4);
    shard.lease(request(1, 3));
    shard.settle(&[(0, 2)], Outcome::Reject);
    shard.settle(&[(0, 0)], Outcome::Return(0));
    let found = shard.peek_all(Some(PeekState::Dead), 1);
    let dead: Vec<_> = found.iter().map(|it| (it.offset.0, it.reason)).collect();
    let expected = [
        (0, Some(DeathReason::Deliveries)),
        (2, Some(DeathReason::Rejected)),
    ];
    assert_eq!(dead, expected);
    let all = shard.peek_all(None, 3);
    let states: Vec<_> = all.iter().map(|it| it.state).collect();
    let expected = [
        PeekState::Dead,
        PeekState::Leased,
        PeekState::Dead,
        PeekState::Ready,
    ];
    assert_eq!(states, expected);
}
