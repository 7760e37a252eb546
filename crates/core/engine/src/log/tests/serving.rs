//! Who is served first, and who alone: priorities of consumers, single active consumers.

use super::*;

fn subscribed(shard: &mut Shard, terms: Subscription) {
    shard
        .run(Subscribe { log: LOG, terms })
        .expect("subscribed");
}

/// A consumer with this priority that holds at most `prefetch` records.
fn preferred(consumer: ConsumerRef, priority: i64, prefetch: u32) -> Subscription {
    Subscription {
        priority,
        prefetch: Some(prefetch),
        ..subscribe(consumer)
    }
}

#[test]
fn a_higher_priority_is_served_first_as_long_as_it_can_take_some() {
    let mut shard = Shard::with(queue_config());
    let [low, usual, high] = [1, 2, 3].map(|session| consumer(session, 1));
    subscribed(&mut shard, preferred(low, i64::MIN, 2));
    subscribed(&mut shard, preferred(usual, 0, 2));
    subscribed(&mut shard, preferred(high, i64::MAX, 2));
    shard.append_many(5);
    let all = [(high, vec![0, 1]), (usual, vec![2, 3]), (low, vec![4])];
    assert_eq!(shard.delivered(), all);
    shard.settle(&[(0, 0)], Outcome::Done);
    shard.append_many(2);
    assert_eq!(shard.delivered(), [(high, vec![5]), (low, vec![6])]);
}

#[test]
fn equal_priorities_take_turns() {
    let mut shard = Shard::with(queue_config());
    let [one, two, low] = [1, 2, 3].map(|session| consumer(session, 1));
    subscribed(&mut shard, preferred(low, 4, 10));
    subscribed(&mut shard, preferred(one, 5, 10));
    subscribed(&mut shard, preferred(two, 5, 10));
    for expected in [one, two, one, two] {
        shard.append_many(1);
        assert_eq!(shard.delivered()[0].0, expected);
    }
    shard
        .append_only(Append {
            count: 20,
            ..record()
        })
        .expect("appended");
    shard.commit();
    let delivered = shard.delivered();
    let counts = [one, two, low].map(|who| {
        let own = delivered.iter().filter(|(consumer, _)| *consumer == who);
        own.map(|(_, offsets)| offsets.len()).sum::<usize>()
    });
    assert_eq!(counts, [8, 8, 4]);
    assert_eq!(delivered.len(), 3, "one run for each");
}

#[test]
fn requests_that_wait_come_between_higher_and_lower_priorities() {
    let mut shard = Shard::with(queue_config());
    let [low, high] = [1, 2].map(|session| consumer(session, 1));
    subscribed(&mut shard, preferred(low, -1, 1));
    subscribed(&mut shard, preferred(high, 1, 1));
    let waiting = LeaseRequest {
        wait_ms: Some(1_000),
        ..request(3, 1)
    };
    shard.wait(waiting, 7);
    shard.append_many(3);
    assert_eq!(shard.delivered(), [(high, vec![0]), (low, vec![2])]);
    assert_eq!(shard.answers(), [(Token(7), vec![(0, 1)])]);
}

#[test]
fn a_priority_that_nobody_in_the_queue_has_takes_no_memory() {
    let mut shard = Shard::with(queue_config());
    for session in 0..100_i64 {
        let one = consumer(session.unsigned_abs(), 1);
        subscribed(&mut shard, preferred(one, session + 1, 1));
    }
    assert_eq!(shard.ledger().priorities_queued(), 100);
    shard.append_many(40);
    assert_eq!(shard.delivered().len(), 40);
    assert_eq!(shard.ledger().priorities_queued(), 60);
    for session in 0..100 {
        shard.close_session(session);
    }
    assert_eq!(shard.ledger().priorities_queued(), 0);
}

fn one_at_a_time() -> LogConfig {
    LogConfig {
        queue: Some(LedgerConfig {
            single_active: true,
            ..LedgerConfig::default()
        }),
        ..queue_config()
    }
}

fn cancel(shard: &mut Shard, consumer: ConsumerRef, lingers: bool) {
    let unsubscribe = Unsubscribe {
        log: LOG,
        consumer,
        lingers,
    };
    shard.run(unsubscribe).expect("unsubscribed");
}

#[test]
fn only_the_active_consumer_is_served_and_the_next_takes_over_in_order() {
    let mut shard = Shard::with(one_at_a_time());
    let [one, two, three] = [1, 2, 3].map(|session| consumer(session, 1));
    for each in [one, two, three] {
        subscribed(&mut shard, preferred(each, 0, 2));
    }
    shard.append_many(6);
    assert_eq!(shard.delivered(), [(one, vec![0, 1])]);
    assert_eq!(shard.delivered(), [], "though the others have room");
    cancel(&mut shard, one, false);
    assert_eq!(
        shard.delivered(),
        [(two, vec![2, 3])],
        "what it holds, it keeps"
    );
    shard.close_session(2);
    assert_eq!(shard.delivered(), [(three, vec![2, 3])]);
    shard.settle(&[(0, 0), (0, 2)], Outcome::Return(0));
    assert_eq!(shard.delivered(), [(three, vec![0])]);
    shard.close_session(3);
    assert_eq!(shard.delivered(), []);
    subscribed(&mut shard, subscribe(two));
    let all = [(two, vec![0]), (two, vec![2, 3, 4, 5])];
    assert_eq!(shard.delivered(), all);
}

#[test]
fn the_next_one_waits_for_what_the_last_one_is_about_to_return() {
    let mut shard = Shard::with(one_at_a_time());
    let [one, two] = [1, 2].map(|session| consumer(session, 1));
    subscribed(&mut shard, preferred(one, 0, 2));
    subscribed(&mut shard, subscribe(two));
    shard.append_many(4);
    assert_eq!(shard.delivered(), [(one, vec![0, 1])]);
    cancel(&mut shard, one, true);
    assert_eq!(shard.delivered(), []);
    shard.settle(&[(0, 1)], Outcome::Return(0));
    assert_eq!(shard.delivered(), []);
    shard.settle(&[(0, 0)], Outcome::Return(0));
    assert_eq!(shard.delivered(), [(two, vec![0, 1, 2, 3])]);
}

#[test]
fn who_takes_over_has_the_highest_priority_and_displaces_nobody() {
    let mut shard = Shard::with(one_at_a_time());
    let [one, two, three, four] = [1, 2, 3, 4].map(|session| consumer(session, 1));
    for (who, priority) in [(one, -1), (two, 0), (three, 7), (four, 7)] {
        subscribed(&mut shard, preferred(who, priority, 1));
    }
    shard.append_many(4);
    assert_eq!(shard.delivered(), [(one, vec![0])]);
    cancel(&mut shard, four, false);
    cancel(&mut shard, one, false);
    assert_eq!(shard.delivered(), [(three, vec![1])]);
    cancel(&mut shard, three, false);
    assert_eq!(shard.delivered(), [(two, vec![2])]);
}

#[test]
fn a_ledger_that_serves_one_at_a_time_takes_no_exclusive_consumer_but_answers_requests() {
    let mut shard = Shard::with(one_at_a_time());
    let exclusive = Subscription {
        exclusive: true,
        ..subscribe(consumer(1, 1))
    };
    let refused = shard.run(Subscribe {
        log: LOG,
        terms: exclusive,
    });
    assert_eq!(refused, Err(LogError::Exclusive));
    subscribed(&mut shard, preferred(consumer(1, 1), 0, 1));
    shard.append_many(2);
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![0])]);
    assert_eq!(shard.lease(request(2, 5)), [(0, 1)]);
}

#[test]
fn one_at_a_time_may_begin_while_there_are_consumers_and_survives_a_restart() {
    let mut shard = Shard::with(queue_config());
    let [one, two] = [1, 2].map(|session| consumer(session, 1));
    subscribed(&mut shard, preferred(one, 0, 1));
    subscribed(&mut shard, preferred(two, 0, 1));
    shard.open(LOG, one_at_a_time()).expect("it opens");
    shard.append_many(2);
    assert_eq!(shard.delivered(), [(one, vec![0])]);
    shard.restart();
    subscribed(&mut shard, preferred(two, 0, 1));
    subscribed(&mut shard, subscribe(one));
    assert_eq!(shard.delivered(), [(two, vec![0])]);
    shard.open(LOG, queue_config()).expect("it opens");
    assert_eq!(shard.delivered(), [(one, vec![1])]);
}
