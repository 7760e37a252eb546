//! What a session publishes, and what remains when it ends.

use super::*;

#[tokio::test]
async fn a_session_that_ends_gives_back_what_it_holds() {
    let test = TestBroker::start();
    let log = declare_queue(&test.broker, "orders", Durability::Synced).await;
    let (session, mut events) = test.broker.open_session().await;
    let terms = Subscription {
        ledger: LedgerId::DEFAULT,
        consumer: session.consumer(ConsumerId(1)),
        prefetch: None,
        pool: 1,
        pool_prefetch: None,
        settle: false,
        exclusive: false,
        credit_bytes: 1 << 20,
        priority: 0,
    };
    session.subscribe(log, terms).await.unwrap();
    let target = AppendTarget {
        log,
        partition: None,
    };
    session
        .publish(7, Publish::to(target, message("one")), true, Share::NONE)
        .await;

    let (mut is_confirmed, mut delivered) = (false, Vec::new());
    let mut batch = Vec::new();
    while !is_confirmed || delivered.is_empty() {
        events.receive(&mut batch).await;
        for event in batch.drain(..) {
            match event {
                Event::Published { tag, result } => {
                    assert_eq!(tag, 7);
                    result.unwrap();
                    is_confirmed = true;
                }
                Event::Delivered { batch, .. } => {
                    delivered = test.broker.messages(log, batch).await.unwrap()
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }
    assert_eq!(body(&delivered[0]), "one");
    assert_eq!(delivered[0].lease.deliveries, 1);

    drop(session);
    let again = lease(&test.broker, log, 1).await;
    assert_eq!(again[0].lease.deliveries, 2);
    test.stop().await;
}

/// Its client can't be told of a refusal.
#[tokio::test]
async fn what_a_session_publishes_without_space_is_taken_in_its_order_once_there_is_some() {
    let test = TestBroker::with_shards(2);
    let logs = [
        declare_queue(&test.broker, "one", Durability::Synced).await,
        declare_queue(&test.broker, "other", Durability::Synced).await,
    ];
    let (session, mut events) = test.broker.open_session().await;
    test.fill_disk().await;
    for (tag, value) in ["0", "1", "2", "3"].into_iter().enumerate() {
        let targets = logs.map(|log| AppendTarget {
            log,
            partition: None,
        });
        let publish = Publish {
            targets: targets.into_iter().collect(),
            batch: message(value),
            columns: Columns::default(),
        };
        session
            .publish(tag as u64, publish, true, Share::NONE)
            .await;
    }
    // An append that waits for an answer is refused, though publishes sent before it wait.
    let target = AppendTarget {
        log: logs[0],
        partition: None,
    };
    let refused = test.broker.append(Publish::to(target, message("4"))).await;
    assert_eq!(refused.unwrap_err(), Failure::NoSpace.into());
    test.empty_disk_of(0).await;
    test.empty_disk_of(1).await;
    let (mut published, mut batch) = (Vec::new(), Vec::new());
    while published.len() < 4 {
        events.receive(&mut batch).await;
        for event in batch.drain(..) {
            if let Event::Published { tag, result } = event {
                result.unwrap();
                published.push(tag);
            }
        }
    }
    assert_eq!(published, [0, 1, 2, 3]);
    for log in logs {
        let found = lease(&test.broker, log, 10).await;
        let values: Vec<_> = found.iter().map(body).collect();
        assert_eq!(values, ["0", "1", "2", "3"]);
    }
    // The publishes of a session that ends are still appended.
    test.fill_disk().await;
    session
        .publish(4, Publish::to(target, message("4")), true, Share::NONE)
        .await;
    drop(session);
    test.empty_disk().await;
    let found = lease_waiting(&test.broker, logs[0], 10, Some(60_000)).await;
    assert_eq!(found.len(), 1);
    test.stop().await;
}

#[tokio::test]
async fn what_a_session_published_unconfirmed_is_there_for_its_next_request() {
    let test = TestBroker::start();
    for durability in [
        Durability::Volatile,
        Durability::Flushed,
        Durability::Synced,
    ] {
        let log = declare_queue(&test.broker, &format!("{durability:?}"), durability).await;
        let target = AppendTarget {
            log,
            partition: None,
        };
        let (session, _events) = test.broker.open_session().await;
        for round in 0..20 {
            session
                .publish(
                    round,
                    Publish::to(target, message("one")),
                    true,
                    Share::NONE,
                )
                .await;
            assert_eq!(test.broker.status(log).await.unwrap().ready, 1);
            session
                .publish(
                    round,
                    Publish::to(target, message("two")),
                    true,
                    Share::NONE,
                )
                .await;
            assert_eq!(lease(&test.broker, log, 1).await.len(), 1);
            session
                .publish(
                    round,
                    Publish::to(target, message("three")),
                    true,
                    Share::NONE,
                )
                .await;
            assert_eq!(test.broker.purge(log, false).await.unwrap(), 2);
        }
    }
    test.stop().await;
}

#[tokio::test]
async fn a_deletion_sees_what_its_session_published_unconfirmed() {
    let test = TestBroker::start();
    for durability in [
        Durability::Volatile,
        Durability::Flushed,
        Durability::Synced,
    ] {
        for round in 0..20 {
            let log = declare_queue(&test.broker, &format!("{durability:?}"), durability).await;
            let target = AppendTarget {
                log,
                partition: None,
            };
            let (session, _events) = test.broker.open_session().await;
            session
                .publish(
                    round,
                    Publish::to(target, message("one")),
                    true,
                    Share::NONE,
                )
                .await;
            let if_empty = DeleteLog {
                if_empty: true,
                ..DeleteLog::anyway(log)
            };
            let refused = test.broker.delete_log(if_empty).await.unwrap_err();
            assert_eq!(
                refused,
                Error::Refused(LogError::NotEmpty),
                "{durability:?}"
            );
            session
                .publish(
                    round,
                    Publish::to(target, message("two")),
                    true,
                    Share::NONE,
                )
                .await;
            let deleted = test.broker.delete_log(DeleteLog::anyway(log)).await;
            assert_eq!(deleted.unwrap(), 2, "{durability:?}");
        }
    }
    test.stop().await;
}
