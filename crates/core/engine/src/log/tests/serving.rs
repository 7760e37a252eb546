//! Who is served first: consumers' priorities.

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
