//! Moving messages from one log to another.

use super::*;

/// Moves a message, and notes its origin in a header.
async fn move_to(
    broker: &Broker,
    from: LogId,
    message: &LeasedMessage,
    to: LogId,
) -> Result<u32, Error<MoveError>> {
    let origin = HeaderChange {
        key: b"from".as_slice().into(),
        value: Some(from.0.to_string().into_bytes().into()),
    };
    let (ledger, partition) = (LedgerId::DEFAULT, message.partition);
    let mut messages = MoveMessages::new(from, ledger, partition, [to].into_iter().collect());
    let message = MovedMessage {
        lease: Some(message.lease.lease),
        record: message.record.clone(),
        headers: vec![origin],
        schedule: Schedule::default(),
    };
    messages.push(message).unwrap();
    broker.move_messages(&messages).await
}

/// Takes this many messages of a log, in any order.
async fn drain(broker: &Broker, log: LogId, count: usize) -> Vec<LeasedMessage> {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.extend(lease(broker, log, 100).await);
        tokio::task::yield_now().await;
    }
    messages
}

#[tokio::test]
async fn messages_move_between_logs_of_all_shards_once_over_a_restart() {
    let mut test = TestBroker::with_shards(3);
    let mut logs = Vec::new();
    for name in ["0", "1", "2", "3"] {
        logs.push(declare_queue(&test.broker, name, Durability::Synced).await);
    }
    let source = logs[0];
    for number in 0..40 {
        publish(&test.broker, source, &number.to_string()).await;
    }
    let leased = lease(&test.broker, source, 100).await;
    for (number, message) in leased.iter().enumerate() {
        // To each of the others in turn; the last one is on the source's own shard.
        let to = logs[1 + number % 3];
        move_to(&test.broker, source, message, to).await.unwrap();
        let again = move_to(&test.broker, source, message, to).await;
        let expected = Error::Refused(MoveError::NotLeased);
        assert_eq!(again.unwrap_err(), expected);
        // Commands in flight when a shard stops are sent again by the next process.
        if number % 13 == 12 {
            test = test.restart().await;
        }
    }
    for (place, log) in logs[1..].iter().enumerate() {
        let count = (0..40).filter(|number| number % 3 == place).count();
        let arrived = drain(&test.broker, *log, count).await;
        let mut found: Vec<u32> = arrived
            .iter()
            .map(|message| body(message).parse().unwrap())
            .collect();
        found.sort_unstable();
        let expected: Vec<u32> = (0..40).skip(place).step_by(3).collect();
        assert_eq!(found, expected);
        let header = arrived[0].record.headers.iter().next().unwrap();
        let origin = source.0.to_string();
        assert_eq!(header.key, b"from");
        assert_eq!(header.value, Some(origin.as_bytes()));
    }
    test.pass(120_000).await;
    let left = test.broker.status(source).await.unwrap();
    assert_eq!((left.ready, left.leased), (0, 0));
    test.stop().await;
}

#[tokio::test]
async fn a_message_whose_target_is_gone_returns_to_its_queue() {
    let test = TestBroker::with_shards(3);
    let source = declare_queue(&test.broker, "source", Durability::Synced).await;
    let target = declare_queue(&test.broker, "target", Durability::Synced).await;
    publish(&test.broker, source, "one").await;
    let leased = lease(&test.broker, source, 1).await;
    let delete = DeleteLog::anyway(target);
    test.broker.delete_log(delete).await.unwrap();
    move_to(&test.broker, source, &leased[0], target)
        .await
        .unwrap();
    let back = drain(&test.broker, source, 1).await;
    assert_eq!((body(&back[0]), back[0].lease.deliveries), ("one", 2));
    test.stop().await;
}
