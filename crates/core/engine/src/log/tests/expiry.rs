//! Expiry of records.

use super::*;

fn expiring(expiry_ms: u64) -> LogConfig {
    LogConfig {
        queue: Some(LedgerConfig {
            expiry_ms: Some(expiry_ms),
            ..LedgerConfig::default()
        }),
        ..queue_config()
    }
}

#[test]
fn records_beyond_their_time_are_dropped_and_do_not_return() {
    let mut shard = Shard::with(LogConfig {
        queue: Some(LedgerConfig {
            expiry_ms: Some(3_200),
            ..LedgerConfig::default()
        }),
        ..queue_config()
    });
    shard.append_many(2);
    shard.lease(request(1, 1));
    shard.pass(2_000);
    shard.append_many(1);
    shard.pass(1_000);
    assert_eq!(shard.counts(), (2, 1, 0));
    shard.pass(2_200);
    assert_eq!(shard.counts(), (0, 1, 0));
    shard.settle(&[(0, 0)], Outcome::Return(0));
    assert_eq!(shard.counts(), (0, 0, 0));
    assert_eq!(shard.state.next_deadline(), None);
}

#[test]
fn a_record_expires_by_its_own_time() {
    let mut shard = Shard::with(expiring(1_000));
    shard.append_many(1);
    shard.pass(900);
    shard.append_many(1);
    shard.pass(100);
    assert_eq!(shard.counts(), (1, 0, 0));
    assert_eq!(shard.lease(request(1, 5)), [(0, 1)]);
}

#[test]
fn who_waits_gets_a_record_however_short_its_time_is() {
    for expiry_ms in [0, 1] {
        let mut shard = Shard::with(expiring(expiry_ms));
        let terms = subscribe(consumer(1, 1));
        shard
            .run(Subscribe { log: LOG, terms })
            .expect("subscribed");
        shard.append_only(record()).expect("appended");
        // It takes longer than that to reach the disk.
        shard.pass(5);
        shard.commit();
        shard.pass(5);
        let [delivery] = &shard.dispatch()[..] else {
            panic!("one delivery");
        };
        assert!(!delivery.run.records[0].waited);
        shard.settle(&[(0, 0)], Outcome::Return(0));
        assert_eq!(shard.counts(), (0, 0, 0), "by now it is too old");
    }
}

#[test]
fn what_nobody_waits_for_expires_as_soon_as_it_is_shown() {
    let mut shard = Shard::with(expiring(0));
    shard.append_only(record()).expect("appended");
    shard.pass(5);
    assert_eq!(shard.state.next_deadline(), None);
    shard.commit();
    assert_eq!(shard.counts(), (1, 0, 0));
    shard.pass(0);
    assert_eq!(shard.counts(), (0, 0, 0));
    assert_eq!(shard.state.next_deadline(), None);
}

fn living(life_ms: u64) -> Append {
    scheduled(Schedule {
        expiry_ms: Some(life_ms),
        ..Schedule::default()
    })
}

#[test]
fn records_end_by_their_own_time_wherever_they_are() {
    let mut shard = Shard::with(queue_config());
    shard.append(living(5_000));
    shard.append(record());
    shard.append(living(1_000));
    shard.append(living(1_000));
    shard.pass(999);
    assert_eq!(shard.counts(), (4, 0, 0));
    shard.pass(1);
    assert_eq!(shard.lease(request(1, 9)), [(0, 0), (0, 1)]);
    // A leased record doesn't return after its time; one without a time does.
    shard.pass(4_000);
    shard.settle(&[(0, 0), (0, 1)], Outcome::Return(0));
    assert_eq!(shard.counts(), (1, 0, 0));
    assert_eq!(shard.state.next_deadline(), None);
    shard.restart();
    assert_eq!(shard.counts(), (1, 0, 0));
}

#[test]
fn a_record_that_ends_by_its_own_time_is_dead_if_that_is_wanted() {
    let mut shard = Shard::with(LogConfig {
        queue: Some(LedgerConfig {
            dead_letters: DeathReasons::ALL,
            ..LedgerConfig::default()
        }),
        ..queue_config()
    });
    for _ in 0..1_000 {
        shard.append(living(1_000));
    }
    shard.lease(request(1, 1));
    shard.pass(1_000);
    assert_eq!((shard.ledger().ready(), shard.ledger().dead()), (0, 999));
    shard.settle(&[(0, 0)], Outcome::Return(0));
    assert_eq!(shard.ledger().dead(), 1_000);
    shard.restart();
    assert_eq!(shard.ledger().dead(), 1_000);
}

#[test]
fn a_time_to_live_is_waited_for_after_a_restart() {
    let mut shard = Shard::with(queue_config());
    shard.append(living(1_000));
    shard.restart();
    assert_eq!(shard.counts(), (1, 0, 0));
    shard.pass(1_000);
    assert_eq!(shard.counts(), (0, 0, 0));
}

#[test]
fn a_time_to_live_begins_when_a_delay_ends() {
    let mut shard = Shard::with(queue_config());
    shard.append(scheduled(Schedule {
        delay_ms: Some(2_000),
        expiry_ms: Some(1_000),
        ..Schedule::default()
    }));
    shard.pass(2_500);
    assert_eq!(shard.counts(), (1, 0, 0));
    shard.pass(500);
    assert_eq!(shard.counts(), (0, 0, 0));
}
