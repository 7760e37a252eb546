//! Leases on request: order, return, deadlines, delays, waits, FIFO groups.

use super::*;
use crate::limits::RUN_RECORDS_MAX;

fn timed(session: u64, records_max: u32, lease_ms: u64) -> LeaseRequest {
    LeaseRequest {
        lease_ms: Some(lease_ms),
        ..request(session, records_max)
    }
}

fn group(group: u64) -> Append {
    scheduled(Schedule {
        group: Some(group),
        ..Schedule::default()
    })
}

fn delayed(delay_ms: u64) -> Append {
    scheduled(Schedule {
        delay_ms: Some(delay_ms),
        ..Schedule::default()
    })
}

#[test]
fn only_durable_records_are_leased() {
    let mut shard = Shard::with(queue_config());
    shard.append_only(record()).expect("appended");
    assert_eq!(shard.lease(request(1, 1)), []);
    assert_eq!(shard.counts(), (0, 0, 0));
    shard.commit();
    assert_eq!(shard.counts(), (1, 0, 0));
    assert_eq!(shard.lease(request(1, 1)), [(0, 0)]);
}

#[test]
fn a_record_is_leased_to_one_holder_and_settled_once() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(2);
    assert_eq!(shard.lease(request(1, 1)), [(0, 0)]);
    assert_eq!(shard.lease(request(2, 5)), [(0, 1)]);
    assert_eq!(shard.settle(&[(0, 0)], Outcome::Done), [0; 0]);
    assert_eq!(shard.settle(&[(0, 1), (0, 0)], Outcome::Done), [1]);
    assert_eq!(shard.counts(), (0, 0, 0));
    assert_eq!(shard.ledger().floor(PartitionIndex(0)), Some(Offset(2)));
}

#[test]
fn a_returned_record_goes_back_to_its_place_and_counts_its_deliveries() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(5);
    shard.lease(request(1, 3));
    shard.now = shard.now.plus_ms(50);
    shard.settle(&[(0, 2), (0, 0)], Outcome::Return(0));
    let runs = shard.lease_runs(request(1, 10));
    assert_eq!(places(&runs), [(0, 0), (0, 2), (0, 3), (0, 4)]);
    assert_eq!(runs.len(), 2, "2, 3 and 4 follow each other");
    let deliveries: Vec<u32> = runs[1]
        .records
        .iter()
        .map(|record| record.deliveries)
        .collect();
    assert_eq!(deliveries, [2, 1, 1]);
    let first = runs[1].records[0].delivered_first;
    assert_eq!(shard.now.since_ms(first), 50);
}

#[test]
fn an_old_lease_settles_nothing_unless_any_lease_may() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(1);
    let old = shard.lease_runs(request(1, 1))[0].records[0].lease;
    shard.settle(&[(0, 0)], Outcome::Return(0));
    let new = shard.lease_runs(request(2, 1))[0].records[0].lease;
    assert_ne!(old, new);
    let item = |lease| SettleItem {
        partition: PartitionIndex(0),
        offset: Offset(0),
        lease,
    };
    let settle = |shard: &mut Shard, lease| {
        shard.settle_items([item(lease)].into_iter().collect(), Outcome::Done)
    };
    assert_eq!(settle(&mut shard, Some(old)), [0]);
    assert_eq!(settle(&mut shard, Some(new)), [0; 0]);
    shard.append_many(1);
    assert_eq!(
        shard.settle(&[(0, 1)], Outcome::Return(0)),
        [0],
        "it isn't leased"
    );
    assert_eq!(
        shard.settle(&[(0, 1)], Outcome::Done),
        [0; 0],
        "ready, and settled"
    );
    assert_eq!(shard.lease(request(1, 1)), []);
}

#[test]
fn a_lease_ends_at_its_deadline() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(3);
    shard.lease(timed(1, 2, 100));
    shard.lease(timed(1, 1, 500));
    shard.pass(99);
    assert_eq!(shard.lease(request(2, 5)), []);
    shard.pass(1);
    assert_eq!(shard.lease(request(2, 5)), [(0, 0), (0, 1)]);
}

#[test]
fn a_deadline_moves_and_zero_returns_at_once() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(2);
    shard.lease(timed(1, 2, 100));
    let item = |offset| SettleItem {
        partition: PartitionIndex(0),
        offset: Offset(offset),
        lease: None,
    };
    let extension = |(offset, term_ms)| Extension {
        item: item(offset),
        term_ms,
        renewal: None,
    };
    let reply = shard.run(Extend {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        items: [(0, 1_000), (1, 0), (7, 5)]
            .map(extension)
            .into_iter()
            .collect(),
    });
    assert_eq!(reply.expect("a queue").as_slice(), [2]);
    assert_eq!(shard.lease(request(2, 5)), [(0, 1)]);
    shard.pass(999);
    assert_eq!(shard.lease(request(2, 5)), []);
    shard.pass(1);
    assert_eq!(shard.lease(request(2, 5)), [(0, 0)]);
}

#[test]
fn no_more_is_leased_than_a_request_allows() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(5);
    let limited = |records_max| LeaseRequest {
        leased_max: Some(3),
        wait_ms: Some(1_000),
        ..request(1, records_max)
    };
    assert_eq!(shard.lease(limited(2)), [(0, 0), (0, 1)]);
    assert_eq!(shard.lease(limited(2)), [(0, 2)]);
    let refused = Lease {
        log: LOG,
        request: limited(2),
    }
    .decide(Token(9), &shard.state, shard.now);
    assert_eq!(refused.err(), Some(LogError::TooManyLeased));
    assert_eq!(
        shard.lease(request(2, 1)),
        [(0, 3)],
        "a request without a limit"
    );
    shard.settle(&[(0, 0), (0, 1)], Outcome::Done);
    assert_eq!(shard.lease(limited(2)), [(0, 4)]);
}

/// Requests a new term for a lease on the only partition, renewing it if it has ended. Returns
/// whether that succeeded.
fn renew(shard: &mut Shard, leased: &LeasedRecord, term_ms: u64) -> bool {
    let item = SettleItem {
        partition: PartitionIndex(0),
        offset: leased.offset,
        lease: Some(leased.lease),
    };
    let renewal = Renewal {
        deliveries: leased.deliveries,
        holder: consumer(9, 0),
    };
    let missing = shard.run(Extend {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        items: [Extension {
            item,
            term_ms,
            renewal: Some(renewal),
        }]
        .into_iter()
        .collect(),
    });
    missing.expect("a queue").is_empty()
}

#[test]
fn a_lease_that_ended_is_given_again_unless_another_was_since() {
    for config in [queue_config(), fifo_config()] {
        let mut shard = Shard::with(config);
        shard.append(group(1));
        let first = shard.lease_runs(timed(1, 1, 100))[0].records[0];
        shard.pass(100);
        assert_eq!(shard.counts(), (1, 0, 0));
        assert!(renew(&mut shard, &first, 0), "ready it is already");
        assert!(renew(&mut shard, &first, 100));
        assert_eq!(shard.counts(), (0, 1, 0));
        assert_eq!(shard.lease(request(2, 1)), []);
        shard.restart();
        shard.pass(99);
        assert_eq!(shard.lease(request(2, 1)), [], "it is in the journal");
        shard.pass(1);
        let second = shard.lease_runs(timed(2, 1, 100))[0].records[0];
        assert_eq!(second.deliveries, 2, "it was no delivery");
        assert!(!renew(&mut shard, &first, 100), "another holds it");
        shard.pass(100);
        assert!(!renew(&mut shard, &first, 100), "another held it");
        assert!(renew(&mut shard, &second, 100));
        let item = SettleItem {
            partition: PartitionIndex(0),
            offset: Offset(0),
            lease: Some(second.lease),
        };
        let done = shard.settle_items([item].into_iter().collect(), Outcome::Done);
        assert!(done.is_empty(), "it is the same lease");
        assert!(!renew(&mut shard, &second, 100), "it is settled");
        assert!(!renew(&mut shard, &second, 0), "it is settled");
        assert_eq!(shard.counts(), (0, 0, 0));
        assert_eq!(shard.state.next_deadline(), None);
    }
}

#[test]
fn a_group_waits_for_what_was_leased_again() {
    let mut shard = Shard::with(fifo_config());
    for _ in 0..3 {
        shard.append(group(1));
    }
    let first = shard.lease_runs(timed(1, 1, 100))[0].records[0];
    shard.pass(100);
    assert!(renew(&mut shard, &first, 100));
    assert_eq!(shard.lease(request(2, 9)), []);
    shard.pass(100);
    assert_eq!(shard.lease(request(2, 9)), [(0, 0), (0, 1), (0, 2)]);
}

#[test]
fn delayed_records_are_hidden_until_their_time() {
    let mut shard = Shard::with(queue_config());
    shard.append(delayed(100));
    shard.append(record());
    shard.append(delayed(50));
    assert_eq!(shard.counts(), (1, 0, 2));
    assert_eq!(shard.lease(request(1, 5)), [(0, 1)]);
    shard.pass(50);
    assert_eq!(shard.lease(request(1, 5)), [(0, 2)]);
    shard.settle(&[(0, 2)], Outcome::Return(50));
    assert_eq!(shard.counts(), (0, 1, 2));
    shard.pass(50);
    assert_eq!(shard.lease(request(1, 5)), [(0, 0), (0, 2)]);
}

#[test]
fn a_queues_own_delay_holds_for_records_without_one() {
    let mut shard = Shard::with(LogConfig {
        queue: Some(LedgerConfig {
            delay_ms: 100,
            ..LedgerConfig::default()
        }),
        ..queue_config()
    });
    shard.append(Append {
        count: 2,
        ..record()
    });
    shard.append(delayed(0));
    assert_eq!(shard.lease(request(1, 5)), [(0, 2)]);
    shard.pass(100);
    assert_eq!(shard.lease(request(1, 5)), [(0, 0), (0, 1)]);
}

#[test]
fn a_wait_is_answered_by_the_first_record_or_when_its_time_is_up() {
    let mut shard = Shard::with(queue_config());
    let waiting = LeaseRequest {
        wait_ms: Some(100),
        ..request(1, 10)
    };
    for token in [1, 2, 3] {
        shard.wait(waiting, token);
    }
    shard.append_many(1);
    assert_eq!(shard.dispatch(), []);
    assert_eq!(shard.answers(), [(Token(1), vec![(0, 0)])]);
    shard
        .run(CancelWait {
            log: LOG,
            token: Token(2),
        })
        .expect("cancelled");
    assert_eq!(shard.answers(), [(Token(2), vec![])]);
    shard.pass(99);
    assert_eq!(shard.answers(), []);
    shard.pass(1);
    assert_eq!(shard.answers(), [(Token(3), vec![])]);
    assert_eq!(shard.state.next_deadline(), None);
}

#[test]
fn leases_end_with_their_session_unless_they_have_a_deadline() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(3);
    shard.lease(request(1, 1));
    shard.lease(timed(1, 1, 1_000));
    shard.lease(request(2, 1));
    shard.close_session(1);
    assert_eq!(shard.counts(), (1, 2, 0));
    assert_eq!(shard.lease(request(3, 5)), [(0, 0)]);
    shard.restart();
    assert_eq!(shard.lease(request(3, 5)), [(0, 0), (0, 2)]);
    shard.pass(1_000);
    assert_eq!(shard.lease(request(3, 5)), [(0, 1)]);
}

#[test]
fn leasing_goes_round_the_partitions() {
    let mut shard = Shard::with(LogConfig {
        partitions: 3,
        ..queue_config()
    });
    shard.append_many(9);
    let mut partitions = Vec::new();
    for _ in 0..6 {
        partitions.push(shard.lease(request(1, 1))[0].0);
    }
    assert_eq!(partitions, [0, 1, 2, 0, 1, 2]);
    assert_eq!(shard.lease(request(1, 10)), [(0, 2), (1, 2), (2, 2)]);
}

#[test]
fn what_is_leased_of_a_group_holds_back_what_follows() {
    let mut shard = Shard::with(fifo_config());
    for key in [1, 2, 1, 2, 3] {
        shard.append(group(key));
    }
    assert_eq!(shard.lease(request(1, 1)), [(0, 0)]);
    assert_eq!(
        shard.lease(request(1, 3)),
        [(0, 1), (0, 3), (0, 4)],
        "2, 2 and 3"
    );
    assert_eq!(shard.lease(request(1, 5)), []);
    shard.settle(&[(0, 1)], Outcome::Done);
    assert_eq!(shard.lease(request(1, 5)), []);
    shard.settle(&[(0, 3)], Outcome::Return(0));
    shard.settle(&[(0, 0)], Outcome::Done);
    assert_eq!(shard.lease(request(1, 5)), [(0, 3), (0, 2)]);
    assert_eq!(shard.counts(), (0, 3, 0));
    assert_eq!(shard.ledger().floor(PartitionIndex(0)), Some(Offset(2)));
}

#[test]
fn a_message_of_a_group_waits_for_those_before_it_alone() {
    let mut shard = Shard::with(fifo_config());
    for _ in 0..4 {
        shard.append(group(1));
    }
    assert_eq!(shard.lease(timed(1, 3, 1_000)), [(0, 0), (0, 1), (0, 2)]);
    shard.settle(&[(0, 0)], Outcome::Return(0));
    assert_eq!(shard.lease(timed(2, 10, 9_000)), [(0, 0)], "1 is leased");
    shard.settle(&[(0, 0)], Outcome::Done);
    let extended = shard.run(Extend {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        items: [Extension {
            item: SettleItem {
                partition: PartitionIndex(0),
                offset: Offset(2),
                lease: None,
            },
            term_ms: 9_000,
            renewal: None,
        }]
        .into_iter()
        .collect(),
    });
    assert_eq!(extended, Ok(Missing::new()));
    shard.pass(1_000);
    assert_eq!(shard.lease(timed(3, 10, 9_000)), [(0, 1)], "2 is leased");
    shard.settle(&[(0, 2)], Outcome::Done);
    assert_eq!(shard.lease(timed(3, 10, 9_000)), [], "1 is leased");
    shard.settle(&[(0, 1)], Outcome::Done);
    assert_eq!(shard.lease(timed(3, 10, 9_000)), [(0, 3)]);
}

#[test]
fn a_group_that_gave_something_back_comes_after_the_others() {
    let mut shard = Shard::with(fifo_config());
    for number in [1, 1, 2, 3] {
        shard.append(group(number));
    }
    for expected in [[(0, 0)], [(0, 2)], [(0, 3)], [(0, 0)], [(0, 2)]] {
        assert_eq!(shard.lease(timed(1, 1, 60_000)), expected);
        shard.settle(&expected, Outcome::Return(0));
    }
}

#[test]
fn what_a_deadline_gave_back_comes_behind_what_is_ready() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(4);
    assert_eq!(shard.lease(timed(1, 2, 1_000)), [(0, 0), (0, 1)]);
    shard.pass(1_000);
    shard.append_many(1);
    let order = [(0, 2), (0, 3), (0, 0), (0, 1), (0, 4)];
    assert_eq!(shard.counts(), (5, 0, 0));
    assert_eq!(shard.lease(timed(1, 5, 1_000)), order);
    shard.settle(&[(0, 3), (0, 1)], Outcome::Return(0));
    assert_eq!(shard.lease(timed(1, 1, 1_000)), [(0, 3)]);
    shard.settle(&[(0, 3)], Outcome::Return(0));
    assert_eq!(
        shard.lease(timed(1, 1, 1_000)),
        [(0, 1)],
        "one after the other"
    );
    assert_eq!(shard.settle(&[(0, 3)], Outcome::Done), []);
    assert_eq!(shard.counts(), (0, 4, 0));
}

#[test]
fn what_a_session_gave_back_comes_in_its_place() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(4);
    assert_eq!(shard.lease(request(1, 2)), [(0, 0), (0, 1)]);
    shard.settle(&[(0, 1)], Outcome::Return(0));
    assert_eq!(shard.lease(request(1, 2)), [(0, 1), (0, 2)]);
}

#[test]
fn a_delayed_head_holds_its_group_back() {
    let mut shard = Shard::with(fifo_config());
    let head = Schedule {
        delay_ms: Some(100),
        group: Some(1),
        ..Schedule::default()
    };
    shard.append(scheduled(head));
    shard.append(group(1));
    shard.append(group(2));
    assert_eq!(shard.lease(request(1, 5)), [(0, 2)]);
    assert_eq!(shard.counts(), (1, 1, 1));
    shard.pass(100);
    assert_eq!(shard.lease(request(1, 5)), [(0, 0), (0, 1)]);
}

#[test]
fn a_repeated_attempt_gets_the_same_leases_while_they_last() {
    let mut shard = Shard::with(fifo_config());
    for key in [1, 2, 3] {
        shard.append(group(key));
    }
    let attempt = LeaseRequest {
        attempt: Some(9),
        ..timed(1, 2, 100)
    };
    let first = shard.lease_runs(attempt);
    shard.pass(60);
    assert_eq!(shard.lease_runs(attempt), first);
    shard.pass(60);
    assert_eq!(shard.lease_runs(attempt), first, "they were extended");
    shard.settle(&[(0, 0)], Outcome::Done);
    assert_eq!(shard.lease(attempt), [(0, 2)], "no longer all of them");
    shard.pass(10_000_000);
    assert_eq!(shard.state.next_deadline(), None);
}

#[test]
fn purging_leaves_what_is_leased() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(4);
    shard.append(delayed(1_000));
    shard.lease(request(1, 2));
    shard.settle(&[(0, 0)], Outcome::Return(0));
    shard.append_only(record()).expect("appended");
    let purged = shard.run(Purge {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        leased: false,
    });
    assert_eq!(purged, Ok(4));
    assert_eq!(shard.counts(), (0, 1, 0));
    assert_eq!(shard.state.next_deadline(), None);
    shard.commit();
    assert_eq!(shard.lease(request(1, 5)), [(0, 5)], "what came after");
    shard.settle(&[(0, 1)], Outcome::Return(0));
    assert_eq!(shard.lease(request(1, 5)), [(0, 1)]);
}

#[test]
fn purging_takes_what_is_leased_where_that_is_asked() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(3);
    shard.lease(request(1, 2));
    let all = Purge {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        leased: true,
    };
    assert_eq!(shard.run(all), Ok(3));
    assert_eq!(shard.counts(), (0, 0, 0));
    assert_eq!(shard.state.next_deadline(), None);
    shard.settle(&[(0, 0)], Outcome::Return(0));
    assert_eq!(shard.lease(request(1, 5)), [], "a late return is none");
    assert_eq!(shard.run(all), Ok(0));
    shard.append_many(1);
    assert_eq!(shard.lease(request(1, 5)), [(0, 3)]);
}

#[test]
fn after_a_crash_all_that_was_there_may_have_been_delivered() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(3);
    shard.lease(request(1, 1));
    let redelivered = |shard: &mut Shard| -> Vec<bool> {
        let runs = shard.lease_runs(request(2, 10));
        let records = runs.iter().flat_map(|run| &run.records);
        records.map(|record| record.redelivered).collect()
    };
    let stop = shard.state.stop();
    shard.carry_out(stop);
    shard.restart();
    assert_eq!(
        redelivered(&mut shard),
        [true, false, false],
        "it has stopped"
    );
    shard.pass(1);
    shard.restart();
    shard.pass(1);
    shard.append_many(2);
    let crashed = [true, true, true, false, false];
    assert_eq!(redelivered(&mut shard), crashed);
    // That is still so after the next process has stopped.
    let stop = shard.state.stop();
    shard.carry_out(stop);
    shard.close_session(2);
    shard.restart();
    shard.append_many(1);
    assert_eq!(
        redelivered(&mut shard),
        [true, true, true, true, true, false]
    );
}

#[test]
fn a_single_wait_takes_from_all_partitions() {
    let mut shard = Shard::with(LogConfig {
        partitions: 3,
        ..queue_config()
    });
    let waiting = LeaseRequest {
        wait_ms: Some(1_000_000),
        ..request(1, 10)
    };
    for _ in 0..2 {
        // Using the same token again replaces the wait.
        shard.wait(waiting, 1);
    }
    for _ in 0..3 {
        shard.append_only(record()).expect("appended");
    }
    shard.commit();
    shard.dispatch();
    let all = vec![(0, 0), (1, 0), (2, 0)];
    assert_eq!(shard.answers(), [(Token(1), all)]);
}

/// A queue of 600 records, all of them leased to a consumer of session 1.
fn all_leased() -> Shard {
    let mut shard = Shard::with(queue_config());
    let terms = subscribe(consumer(1, 1));
    shard
        .run(Subscribe { log: LOG, terms })
        .expect("subscribed");
    shard.append_many(600);
    shard.dispatch();
    assert_eq!(shard.counts(), (0, 600, 0));
    shard
}

#[test]
fn what_a_session_held_returns_by_runs() {
    let mut shard = all_leased();
    shard.begin_to_close(1);
    let mut runs = Vec::new();
    while shard.state.logs.has_leavings() {
        let records = shard.clean_up_some().records;
        assert_eq!(records.len(), 1);
        if let Record::Log(_, LogRecord::Ledger(_, LedgerRecord::Returned { run, .. })) = records[0]
        {
            runs.push(run.count);
        }
    }
    assert_eq!(runs, [RUN_RECORDS_MAX, RUN_RECORDS_MAX, 88]);
    assert_eq!(shard.counts(), (600, 0, 0));
}

#[test]
fn what_a_session_held_is_back_before_others_are_served_and_nothing_goes_to_it() {
    let mut shard = all_leased();
    shard.append_many(1);
    shard.begin_to_close(1);
    assert!(shard.state.logs.is_owed(LOG));
    let terms = Subscription {
        prefetch: Some(2),
        ..subscribe(consumer(2, 1))
    };
    shard
        .run(Subscribe { log: LOG, terms })
        .expect("subscribed");
    assert_eq!(shard.delivered(), [(consumer(2, 1), vec![0, 1])]);
    assert_eq!(shard.counts(), (599, 2, 0));
}

#[test]
fn a_lease_that_a_crash_forgot_is_not_given_again() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(2);
    let first = |shard: &mut Shard| shard.lease_runs(timed(1, 1, 1_000))[0].records[0].lease;
    let kept = first(&mut shard);
    let lost = first(&mut shard);
    assert!(lost > kept);
    // The record of the second lease didn't reach the disk.
    shard.journal.pop();
    shard.replay();
    assert!(first(&mut shard) > lost);
}

#[test]
fn records_of_one_key_are_a_group_where_they_name_none() {
    let mut shard = Shard::with(fifo_config());
    let keyed = |keys: &[Option<u32>]| Append {
        count: u32::try_from(keys.len()).unwrap(),
        columns: Columns::of(keys.iter().map(|key| Schedule {
            key: *key,
            ..Schedule::default()
        })),
        ..record()
    };
    shard.append(keyed(&[Some(7)]));
    shard.append(keyed(&[Some(7), Some(8), None]));
    shard.append(keyed(&[None]));
    let first = shard.lease(request(1, 1));
    assert_eq!(first, [(0, 0)]);
    assert_eq!(shard.lease(request(2, 9)), [(0, 2), (0, 3), (0, 4)]);
    shard.restart();
    assert_eq!(
        shard.lease(request(3, 9)),
        [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]
    );
}
