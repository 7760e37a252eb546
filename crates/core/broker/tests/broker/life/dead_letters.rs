//! Dead letters, moved by the broker's task.

use std::sync::OnceLock;

use stele_base_env::{Clock, SystemClock};
use stele_core_broker::{DeadLetter, DeadLetterRoutes, DeadLetters, Letter};
use stele_core_engine::{Catalogue, DeathReasons, LedgerConfig, Overflow};
use tokio::sync::watch;

use super::*;

/// Sends all dead letters to these queues, with a priority of 0 or 1 by their last digit.
#[derive(Debug, Default)]
struct To(Arc<OnceLock<Vec<LogId>>>);

impl DeadLetterRoutes for To {
    fn route(&self, _: &Catalogue, dead: &DeadLetter<'_>) -> Option<Letter> {
        let last = dead.record.value.as_ref()?.last()?;
        let targets = self.0.get()?.clone();
        Some(Letter {
            targets,
            is_kept: true,
            schedule: Schedule {
                priority: Some(u8::from(*last >= b'5')),
                ..Schedule::default()
            },
            ..Letter::default()
        })
    }
}

fn start(broker: &Broker, targets: &Arc<OnceLock<Vec<LogId>>>) -> watch::Sender<bool> {
    let routes: Vec<Box<dyn DeadLetterRoutes>> = vec![Box::new(To(Arc::clone(targets)))];
    let task = DeadLetters::new(broker.clone(), Arc::new(SystemClock::new()), routes);
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(task.run(stopping));
    stop
}

async fn declare_with(broker: &Broker, name: &str, ledger: LedgerConfig) -> LogId {
    let mut declaration = queue(name, Durability::Synced);
    declaration.config.queue = Some(ledger);
    if ledger.by_priority {
        declaration.config.partitions = 2;
    }
    declare(broker, declaration).await
}

/// Publishes numbers to a queue, and rejects all of them at once.
async fn reject(broker: &Broker, log: LogId, count: usize) {
    let bodies: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    append(broker, log, batch_of(&bodies)).await;
    let mut items = Vec::new();
    while items.len() < count {
        for message in lease(broker, log, 1_000).await {
            items.push(SettleItem {
                partition: message.partition,
                offset: message.lease.offset,
                lease: Some(message.lease.lease),
            });
        }
    }
    let settle = Settle {
        log,
        ledger: LedgerId::DEFAULT,
        items: items.into_iter().collect(),
        outcome: Outcome::Reject,
        durable: true,
    };
    assert!(broker.settle(settle).await.unwrap().is_empty());
}

/// The batches of a queue's partition, each with its bodies, once it has this many records.
async fn batches(broker: &Broker, log: LogId, index: u32, count: usize) -> Vec<Vec<u32>> {
    loop {
        let read = Read {
            partition: PartitionId::new(log, PartitionIndex(index)),
            from: Offset(0),
            bytes_max: 1 << 24,
        };
        let found = broker.read(read).await.unwrap();
        let batches = found.resolve().await.unwrap();
        let batches: Vec<Vec<u32>> = batches.iter().map(bodies_of).collect();
        if batches.iter().map(Vec::len).sum::<usize>() >= count {
            return batches;
        }
        tokio::task::yield_now().await;
    }
}

fn bodies_of(batch: &Batch) -> Vec<u32> {
    let records = batch.records(usize::MAX).unwrap();
    let bodies = records.map(|record| record.unwrap().value.unwrap());
    bodies
        .map(|body| std::str::from_utf8(&body).unwrap().parse().unwrap())
        .collect()
}

fn dying() -> LedgerConfig {
    LedgerConfig {
        dead_letters: DeathReasons::ALL,
        ..LedgerConfig::default()
    }
}

#[tokio::test]
async fn dead_letters_that_go_the_same_way_go_together() {
    let mut test = TestBroker::with_shards(2);
    let source = declare_with(&test.broker, "source", dying()).await;
    let mut targets = Vec::new();
    for name in ["other shard", "same shard"] {
        targets.push(declare_with(&test.broker, name, LedgerConfig::default()).await);
    }
    let all = Arc::new(OnceLock::from(targets.clone()));
    let _stop = start(&test.broker, &all);
    reject(&test.broker, source, 600).await;
    for restarts in 0..2 {
        for target in &targets {
            let batches = batches(&test.broker, *target, 0, 600).await;
            assert!(batches.len() < 10, "{} batches", batches.len());
            assert_eq!(batches.concat(), Vec::from_iter(0..600), "{restarts}");
        }
        test = test.restart().await;
    }
    test.stop().await;
}

#[tokio::test]
async fn dead_letters_with_different_priorities_go_to_their_own_partitions() {
    let test = TestBroker::with_shards(2);
    let source = declare_with(&test.broker, "source", dying()).await;
    let by_priority = LedgerConfig {
        by_priority: true,
        ..LedgerConfig::default()
    };
    let target = declare_with(&test.broker, "target", by_priority).await;
    let _stop = start(&test.broker, &Arc::new(OnceLock::from(vec![target])));
    reject(&test.broker, source, 100).await;
    let low = |number: &u32| number % 10 < 5;
    let batches_of_low = batches(&test.broker, target, 0, 50).await;
    assert_eq!(
        batches_of_low.concat(),
        Vec::from_iter((0..100).filter(low))
    );
    assert_eq!(batches_of_low.len(), 10);
    let high = batches(&test.broker, target, 1, 50).await;
    assert_eq!(
        high.concat(),
        Vec::from_iter((0..100).filter(|it| !low(it)))
    );
    test.stop().await;
}

#[tokio::test]
async fn as_many_dead_letters_leave_as_there_is_room_for() {
    for name in ["other shard", "same shard"] {
        let test = TestBroker::with_shards(2);
        let source = declare_with(&test.broker, "source", dying()).await;
        if name == "same shard" {
            declare_with(&test.broker, "between", LedgerConfig::default()).await;
        }
        let full_at_seven = LedgerConfig {
            ready_max: Some(7),
            overflow: Overflow::RefuseNew,
            ..LedgerConfig::default()
        };
        let target = declare_with(&test.broker, name, full_at_seven).await;
        let _stop = start(&test.broker, &Arc::new(OnceLock::from(vec![target])));
        reject(&test.broker, source, 20).await;
        let mut seen = Vec::new();
        while seen.len() < 20 {
            for message in lease(&test.broker, target, 100).await {
                seen.push(body(&message).parse::<usize>().unwrap());
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(seen, Vec::from_iter(0..20), "{name}");
        test.stop().await;
    }
}

/// Has dead letters go to a queue that has no room for a second one, on another shard and on the
/// same one, and takes one after the other. Returns once all have come.
async fn all_come_one_by_one(limited: LedgerConfig) {
    let (test, clock) = (TestBroker::with_shards(2), SystemClock::new());
    let limited = LedgerConfig {
        overflow: Overflow::RefuseNew,
        ..limited
    };
    let source = declare_with(&test.broker, "source", dying()).await;
    for name in ["other shard", "same shard"] {
        let target = declare_with(&test.broker, name, limited).await;
        let _stop = start(&test.broker, &Arc::new(OnceLock::from(vec![target])));
        let begun = clock.monotonic();
        reject(&test.broker, source, 30).await;
        for number in 0..30 {
            let next = lease_waiting(&test.broker, target, 1, Some(10_000)).await;
            assert_eq!(body(&next[0]), number.to_string());
            // The next one is refused meanwhile.
            let refused = clock.monotonic() + Duration::from_millis(50);
            while clock.monotonic() < refused {
                test.sync().await;
            }
        }
        // Each attempt after the first would come a second later.
        let took = clock.monotonic().saturating_sub(begun);
        assert!(took < Duration::from_secs(10), "{name}");
    }
    test.stop().await;
}

#[tokio::test]
async fn dead_letters_go_on_as_soon_as_a_full_queue_has_room() {
    all_come_one_by_one(LedgerConfig {
        ready_max: Some(1),
        ..LedgerConfig::default()
    })
    .await;
}

#[tokio::test]
async fn dead_letters_go_on_as_soon_as_they_fit() {
    // One of two digits leaves a byte, which is too little for the next one.
    all_come_one_by_one(LedgerConfig {
        ready_bytes_max: Some(3),
        ..LedgerConfig::default()
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_holds_up_none_on_later_shards() {
    let test = TestBroker::with_shards(3);
    let full_at_one = LedgerConfig {
        ready_max: Some(1),
        overflow: Overflow::RefuseNew,
        ..LedgerConfig::default()
    };
    for full in 0..3 {
        let source = declare_with(&test.broker, &format!("source {full}"), dying()).await;
        let mut targets = Vec::new();
        for place in 0..6 {
            let limits = match place {
                _ if place % 3 == full => full_at_one,
                _ => LedgerConfig::default(),
            };
            targets.push(declare_with(&test.broker, &format!("{full} {place}"), limits).await);
        }
        let _stop = start(&test.broker, &Arc::new(OnceLock::from(targets.clone())));
        reject(&test.broker, source, 50).await;
        for (place, target) in targets.iter().enumerate() {
            let count = if place % 3 == full { 1 } else { 50 };
            let all = batches(&test.broker, *target, 0, count);
            let all = tokio::time::timeout(Duration::from_secs(60), all);
            let all = all.await.expect("none waits for the full queue");
            assert_eq!(all.concat(), Vec::from_iter(0..count as u32));
        }
    }
    test.stop().await;
}
