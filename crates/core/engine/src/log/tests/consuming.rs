//! Subscriptions: turns, prefetch, pools, credit, and how they end.

use super::*;

fn subscribed(shard: &mut Shard, terms: Subscription) {
    shard
        .run(Subscribe { log: LOG, terms })
        .expect("subscribed");
}

fn count(deliveries: &[(ConsumerRef, Vec<u64>)], who: ConsumerRef) -> usize {
    let own = deliveries.iter().filter(|(consumer, _)| *consumer == who);
    own.map(|(_, offsets)| offsets.len()).sum()
}

#[test]
fn consumers_take_turns() {
    let mut shard = Shard::with(queue_config());
    let (one, two) = (consumer(1, 1), consumer(2, 1));
    subscribed(&mut shard, subscribe(one));
    subscribed(&mut shard, subscribe(two));
    for expected in [one, two, one, two] {
        shard.append_many(1);
        let delivered = shard.delivered();
        assert_eq!(delivered.len(), 1);
        assert_eq!(delivered[0].0, expected);
    }
    shard
        .append_only(Append {
            count: 100,
            ..record()
        })
        .expect("appended");
    shard.commit();
    let delivered = shard.delivered();
    assert_eq!((count(&delivered, one), count(&delivered, two)), (50, 50));
}

#[test]
fn what_is_ready_is_shared_evenly_however_it_comes() {
    let mut shard = Shard::with(queue_config());
    let five = [1, 2, 3, 4, 5].map(|session| consumer(session, 1));
    for one in five {
        subscribed(&mut shard, subscribe(one));
    }
    let mut delivered = Vec::new();
    for count in [7, 1, 3, 40, 2, 11, 36, 100] {
        shard.append(Append {
            count,
            size_bytes: 10 * count,
            ..record()
        });
        delivered.extend(shard.delivered());
    }
    assert_eq!(five.map(|one| count(&delivered, one)), [40; 5]);
}

#[test]
fn what_a_consumer_gives_back_is_shared_evenly_though_it_lies_apart() {
    let mut shard = Shard::with(queue_config());
    let three = [1, 2, 3].map(|session| consumer(session, 1));
    for one in three {
        subscribed(&mut shard, subscribe(one));
    }
    // A run of 8 for each, and then 8 separate records.
    for count in [24, 3, 3, 3, 3, 3, 3, 3, 3] {
        shard.append(Append {
            count,
            size_bytes: 10 * count,
            ..record()
        });
        shard.delivered();
    }
    shard.close_session(3);
    let delivered = shard.delivered();
    let shares = three.map(|one| count(&delivered, one));
    assert_eq!(shares, [8, 8, 0]);
}

#[test]
fn of_those_that_a_pool_holds_back_the_one_served_last_comes_last() {
    let mut shard = Shard::with(queue_config());
    let pooled = |number| Subscription {
        pool_prefetch: Some(1),
        ..subscribe(consumer(1, number))
    };
    subscribed(&mut shard, pooled(1));
    subscribed(&mut shard, pooled(2));
    shard.append_many(6);
    for offset in 0..6 {
        let next = consumer(1, 1 + offset % 2);
        assert_eq!(shard.delivered(), [(next, vec![offset])]);
        shard.settle(&[(0, offset)], Outcome::Done);
    }
}

#[test]
fn who_settles_by_taking_waits_for_room_in_the_pool_and_takes_none() {
    let mut shard = Shard::with(queue_config());
    let pooled = |number| Subscription {
        pool_prefetch: Some(1),
        ..subscribe(consumer(1, number))
    };
    subscribed(&mut shard, pooled(1));
    shard.append_many(1);
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![0])]);
    let taking = Subscription {
        settle: true,
        ..pooled(2)
    };
    subscribed(&mut shard, taking);
    shard.append_many(4);
    assert_eq!(shard.delivered(), []);
    shard.settle(&[(0, 0)], Outcome::Done);
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![1])], "its turn");
    shard.settle(&[(0, 1)], Outcome::Done);
    let both = [(consumer(1, 2), vec![2, 3]), (consumer(1, 1), vec![4])];
    assert_eq!(shard.delivered(), both);
}

#[test]
fn a_consumer_holds_no_more_than_its_prefetch() {
    let mut shard = Shard::with(queue_config());
    subscribed(
        &mut shard,
        Subscription {
            prefetch: Some(2),
            ..subscribe(consumer(1, 1))
        },
    );
    shard.append_many(5);
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![0, 1])]);
    shard.settle(&[(0, 0)], Outcome::Done);
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![2])]);
    shard.settle(&[(0, 1), (0, 2)], Outcome::Done);
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![3, 4])]);
}

#[test]
fn a_pool_is_shared_across_consumers_and_logs() {
    let mut shard = Shard::with(queue_config());
    let other = LogId(2);
    shard.open(other, queue_config()).expect("opens");
    let pooled = |number| Subscription {
        pool_prefetch: Some(2),
        ..subscribe(consumer(1, number))
    };
    subscribed(&mut shard, pooled(1));
    shard
        .run(Subscribe {
            log: other,
            terms: pooled(2),
        })
        .expect("subscribed");
    shard.append_many(2);
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![0, 1])]);
    shard.append(Append {
        targets: [AppendTarget {
            log: other,
            partition: None,
        }]
        .into_iter()
        .collect(),
        ..record()
    });
    assert_eq!(shard.delivered(), []);
    shard.settle(&[(0, 0)], Outcome::Done);
    assert_eq!(
        shard.delivered(),
        [(consumer(1, 2), vec![0])],
        "room made in the first log"
    );
    shard.append_many(1);
    assert_eq!(shard.delivered(), []);
    let wider = Prefetch {
        log: LOG,
        session: SessionId(1),
        pool: 0,
        limit: None,
    };
    shard.run(wider).expect("changed");
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![2])]);
}

#[test]
fn what_a_cancelled_consumer_holds_counts_in_its_pool() {
    let mut shard = Shard::with(queue_config());
    let pooled = |number| Subscription {
        pool_prefetch: Some(1),
        ..subscribe(consumer(1, number))
    };
    subscribed(&mut shard, pooled(1));
    shard.append_many(2);
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![0])]);
    shard
        .run(Unsubscribe {
            log: LOG,
            consumer: consumer(1, 1),
            lingers: false,
        })
        .expect("ended");
    subscribed(&mut shard, pooled(2));
    assert_eq!(shard.ledger().consumers(), 1);
    assert_eq!(shard.delivered(), []);
    shard.settle(&[(0, 0)], Outcome::Done);
    assert_eq!(shard.delivered(), [(consumer(1, 2), vec![1])]);
}

#[test]
fn credit_bounds_what_is_on_its_way() {
    let mut shard = Shard::with(queue_config());
    subscribed(
        &mut shard,
        Subscription {
            credit_bytes: 25,
            ..subscribe(consumer(1, 1))
        },
    );
    shard.append_many(5);
    let deliveries = shard.dispatch();
    let charged: u64 = deliveries
        .iter()
        .map(|delivery| delivery.charged_bytes)
        .sum();
    assert_eq!(
        charged, 30,
        "two for the credit, one more for what was left of it"
    );
    shard.settle(&[(0, 0), (0, 1), (0, 2)], Outcome::Done);
    assert_eq!(shard.delivered(), []);
    shard
        .run(Credit {
            log: LOG,
            consumer: consumer(1, 1),
            bytes: 10,
        })
        .expect("credited");
    assert_eq!(shard.delivered(), [(consumer(1, 1), vec![3])]);
}

#[test]
fn settling_on_delivery_leases_nothing_and_ignores_prefetch() {
    let mut shard = Shard::with(queue_config());
    let terms = Subscription {
        prefetch: Some(1),
        settle: true,
        ..subscribe(consumer(1, 1))
    };
    subscribed(&mut shard, terms);
    shard.append_many(3);
    let deliveries = shard.dispatch();
    let leases = deliveries.iter().flat_map(|delivery| &delivery.run.records);
    assert!(leases.clone().all(|record| record.lease == LeaseId(0)));
    assert_eq!(leases.count(), 3);
    assert_eq!(shard.counts(), (0, 0, 0));
    shard.restart();
    assert_eq!(shard.counts(), (0, 0, 0));
}

#[test]
fn an_exclusive_consumer_is_alone() {
    let mut shard = Shard::with(queue_config());
    let exclusive = Subscription {
        exclusive: true,
        ..subscribe(consumer(1, 1))
    };
    subscribed(&mut shard, exclusive);
    let second = Subscribe {
        log: LOG,
        terms: subscribe(consumer(2, 1)),
    };
    assert_eq!(
        shard.run(second).expect_err("exclusive"),
        LogError::Exclusive
    );
    let again = shard.run(Subscribe {
        log: LOG,
        terms: subscribe(consumer(1, 1)),
    });
    assert_eq!(again.expect_err("same id"), LogError::ConsumerExists);
    shard
        .run(Unsubscribe {
            log: LOG,
            consumer: consumer(1, 1),
            lingers: false,
        })
        .expect("ended");
    shard.run(second).expect("free again");
    let refused = shard.run(Subscribe {
        log: LOG,
        terms: exclusive,
    });
    assert_eq!(refused.expect_err("not alone"), LogError::Exclusive);
}

#[test]
fn a_session_takes_its_consumers_along_and_returns_what_they_held() {
    let mut shard = Shard::with(queue_config());
    subscribed(&mut shard, subscribe(consumer(1, 1)));
    subscribed(
        &mut shard,
        Subscription {
            prefetch: Some(0),
            ..subscribe(consumer(2, 1))
        },
    );
    shard.append_many(3);
    shard.delivered();
    shard.settle(&[(0, 1)], Outcome::Done);
    shard.close_session(1);
    assert_eq!(shard.counts(), (2, 0, 0));
    assert_eq!(shard.ledger().consumers(), 1);
    assert_eq!(shard.delivered(), []);
    subscribed(&mut shard, subscribe(consumer(3, 1)));
    let deliveries = shard.dispatch();
    let records = deliveries.iter().flat_map(|delivery| &delivery.run.records);
    let seen: Vec<_> = records
        .map(|record| (record.offset.0, record.deliveries))
        .collect();
    assert_eq!(seen, [(0, 2), (2, 2)]);
}

#[test]
fn an_auto_delete_log_is_unused_when_its_last_consumer_goes() {
    let mut shard = Shard::with(LogConfig {
        lifetime: Lifetime {
            auto_delete: true,
            ..Lifetime::default()
        },
        ..queue_config()
    });
    for session in [1, 2, 3] {
        subscribed(&mut shard, subscribe(consumer(session, 1)));
    }
    shard
        .run(Unsubscribe {
            log: LOG,
            consumer: consumer(1, 1),
            lingers: false,
        })
        .expect("ended");
    shard.close_session(2);
    assert!(shard.effects.is_empty());
    shard.close_session(3);
    assert!(matches!(
        shard.effects[..],
        [Effect::Forget { log: LOG, .. }]
    ));
    assert!(shard.state.logs.log(LOG).is_none());
}

#[test]
fn a_restart_drops_logs_that_live_in_memory() {
    let mut shard = Shard::with(LogConfig {
        durability: Durability::Volatile,
        ..queue_config()
    });
    let owned = LogConfig {
        lifetime: Lifetime {
            exclusive: Some(SessionId(1)),
            ..Lifetime::default()
        },
        ..queue_config()
    };
    for (log, config) in [(2, owned), (3, queue_config())] {
        shard.open(LogId(log), config).expect("opens");
    }
    shard.restart();
    let forgotten: Vec<_> = std::mem::take(&mut shard.effects)
        .into_iter()
        .map(|effect| match effect {
            Effect::Forget { log, .. } => log.0,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(forgotten, [1, 2]);
    let left: Vec<u64> = shard.state.logs.iter().map(|(id, _)| id.0).collect();
    assert_eq!(left, [3]);
}

#[test]
fn a_short_run_weighs_as_much_as_the_work_that_it_is() {
    let leased = |count| {
        let run = Run {
            partition: PartitionIndex(0),
            first: Offset(0),
            count,
        };
        let record = LogRecord::Ledger(LedgerId::DEFAULT, LedgerRecord::Settled(run));
        Decision::record(Record::Log(LOG, record)).weight()
    };
    // A piece of work has this many records: hundreds of runs of one record would be too many.
    assert!(leased(1) * 32 > 2_000);
    assert!(leased(256) * 6 < 2_000);
}

#[test]
fn a_pool_has_so_many_consumers_and_another_once_one_has_gone() {
    let mut shard = Shard::with(queue_config());
    let most = crate::limits::POOL_CONSUMERS_MAX as u64;
    let terms = |id, pool| Subscription {
        pool,
        ..subscribe(consumer(1, id))
    };
    let mut ask = |id, pool| {
        let terms = terms(id, pool);
        shard.run(Subscribe { log: LOG, terms })
    };
    for id in 0..most {
        ask(id, 1).expect("there is room");
    }
    assert_eq!(ask(most, 1), Err(LogError::TooManyConsumers));
    assert_eq!(ask(most, 2), Ok(()), "another channel");
    let gone = consumer(1, 0);
    let ended = shard.run(Unsubscribe {
        log: LOG,
        consumer: gone,
        lingers: false,
    });
    ended.expect("it ends");
    let terms = terms(0, 1);
    assert_eq!(shard.run(Subscribe { log: LOG, terms }), Ok(()));
}
