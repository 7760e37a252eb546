//! Closing logs with many entries.

use super::*;
use crate::limits::SWEEP_MAX;

const MANY: usize = 100_000;

fn entries(shard: &Shard) -> usize {
    shard.state.logs.indexes.entries()
}

/// Appends records, and leases them to a session or with a deadline.
fn lease_many(shard: &mut Shard, request: LeaseRequest) {
    let append = Append {
        count: MANY as u32,
        size_bytes: MANY as u32,
        ..record()
    };
    shard.append(append);
    let mut leased = 0;
    while leased < MANY {
        leased += shard.lease(request).len();
    }
}

/// Closes the log and sweeps its remains, checking the bound of each step.
fn close_in_pieces(shard: &mut Shard) -> usize {
    let before = entries(shard);
    shard.delete(DeleteLog::anyway(LOG)).expect("it is open");
    assert!(before - entries(shard) <= 2, "closing itself sweeps little");
    assert!(shard.state.logs.log(LOG).is_none());
    let mut steps = 0;
    while shard.state.logs.has_closing() {
        let before = entries(shard);
        let told = shard.effects.len();
        let decision = shard.state.sweep();
        shard.carry_out(decision);
        // A wait is indexed by session and by deadline.
        assert!(before - entries(shard) <= 2 * SWEEP_MAX);
        assert!(shard.effects.len() - told <= SWEEP_MAX);
        steps += 1;
    }
    assert_eq!(entries(shard), 0);
    steps
}

#[test]
fn a_log_with_many_leases_is_taken_apart_in_pieces() {
    for lease_ms in [None, Some(60_000)] {
        let mut shard = Shard::with(queue_config());
        let request = LeaseRequest {
            lease_ms,
            ..request(1, 250)
        };
        lease_many(&mut shard, request);
        assert_eq!(entries(&shard), MANY);
        let steps = close_in_pieces(&mut shard);
        assert!(steps >= MANY / SWEEP_MAX, "{steps} steps");
    }
}

#[test]
fn what_no_index_knows_is_freed_in_pieces_too() {
    let mut shard = Shard::with(fifo_config());
    for number in 0..5_000 {
        let id = Some(number as u64);
        shard.append(scheduled(Schedule {
            group: id,
            deduplication: Some(u128::from(number as u64)),
            ..Schedule::default()
        }));
    }
    let steps = close_in_pieces(&mut shard);
    // A group, its run, its head and its turn, and the id.
    assert_eq!(steps, (5 * 5_000 + 2_usize).div_ceil(SWEEP_MAX));
}

#[test]
fn all_who_wait_are_told() {
    let mut shard = Shard::with(queue_config());
    let waiting = LeaseRequest {
        wait_ms: Some(1_000_000),
        ..request(2, 1)
    };
    for token in 0..1_000 {
        shard.wait(waiting, token);
    }
    for number in 0..1_000 {
        let terms = subscribe(consumer(3, number));
        shard
            .run(Subscribe { log: LOG, terms })
            .expect("subscribed");
    }
    close_in_pieces(&mut shard);
    let told = |is: fn(&Effect) -> bool| shard.effects.iter().filter(|it| is(it)).count();
    let refused = |it: &Effect| matches!(it, Effect::Leased(_, Err(LogError::NoSuchLog)));
    assert_eq!(told(refused), 1_000);
    let cancelled = |it: &Effect| matches!(it, Effect::ConsumerCancelled(_));
    assert_eq!(told(cancelled), 1_000);
}

#[test]
fn what_is_due_of_a_closed_log_holds_up_nothing() {
    let mut shard = Shard::with(queue_config());
    let other = LogId(2);
    shard.open(other, queue_config()).expect("it opens");
    let request = LeaseRequest {
        lease_ms: Some(1_000),
        ..request(1, 250)
    };
    lease_many(&mut shard, request);
    shard.delete(DeleteLog::anyway(LOG)).expect("it is open");
    let waiting = LeaseRequest {
        wait_ms: Some(2_000),
        ..request
    };
    let lease = Lease {
        log: other,
        request: waiting,
    };
    let decision = lease.decide(Token(9), &shard.state, shard.now);
    shard.carry_out(decision.expect("it waits"));
    shard.pass(2_000);
    assert_eq!(shard.answers(), [(Token(9), Vec::new())]);
}

#[test]
fn a_session_ends_while_its_logs_are_taken_apart() {
    let mut shard = Shard::with(queue_config());
    lease_many(&mut shard, request(1, 250));
    let terms = subscribe(consumer(1, 1));
    shard
        .run(Subscribe { log: LOG, terms })
        .expect("subscribed");
    shard.delete(DeleteLog::anyway(LOG)).expect("it is open");
    shard.close_session(1);
    assert!(!shard.state.logs.has_leavings());
    shard.sweep();
    assert_eq!(entries(&shard), 0);
}

#[test]
fn room_in_a_pool_comes_back_from_a_closed_log() {
    let mut shard = Shard::with(queue_config());
    let other = LogId(2);
    shard.open(other, queue_config()).expect("it opens");
    for (log, number) in [(LOG, 1), (other, 2)] {
        let terms = Subscription {
            pool_prefetch: Some(10),
            ..subscribe(consumer(1, number))
        };
        shard.run(Subscribe { log, terms }).expect("subscribed");
    }
    shard.append_many(10);
    assert_eq!(shard.delivered().len(), 1);
    let mut append = record();
    append.targets[0].log = other;
    shard.append(append);
    assert_eq!(shard.delivered(), []);
    shard.delete(DeleteLog::anyway(LOG)).expect("it is open");
    // The id can be used at once for a consumer of another log.
    let terms = Subscription {
        pool_prefetch: Some(10),
        ..subscribe(consumer(1, 1))
    };
    shard
        .run(Subscribe { log: other, terms })
        .expect("subscribed");
    assert_eq!(shard.delivered(), []);
    shard.sweep();
    assert_eq!(shard.delivered().len(), 1);
    let unsubscribe = Unsubscribe {
        log: other,
        consumer: consumer(1, 1),
        lingers: false,
    };
    shard.run(unsubscribe).expect("it is known still");
    shard.close_session(1);
    assert_eq!(entries(&shard), 0);
}

#[test]
fn an_id_that_comes_anew_begins_with_nothing() {
    let mut shard = Shard::with(queue_config());
    lease_many(&mut shard, request(1, 250));
    shard.carry_out(shard.state.logs.forget(LOG));
    assert!(shard.state.logs.has_closing());
    shard.open(LOG, queue_config()).expect("it opens");
    assert!(!shard.state.logs.has_closing());
    assert_eq!(entries(&shard), 0);
    assert_eq!(shard.counts(), (0, 0, 0));
}
