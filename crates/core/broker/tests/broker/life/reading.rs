//! Reading messages of leased records one by one.

use stele_core_broker::LeasedMessages;

use super::*;

async fn leased(broker: &Broker, log: LogId, records_max: u32) -> LeasedMessages {
    let mut batches = lease_batches(broker, log, records_max, None).await;
    batches.remove(0).messages(log)
}

/// Reads the stored bytes.
async fn read(broker: &Broker, messages: &mut LeasedMessages) {
    broker.read_leased(messages, Share::NONE).await.unwrap();
}

async fn next(broker: &Broker, messages: &mut LeasedMessages) -> Option<String> {
    let message = broker.next_message(messages).await.unwrap();
    message.map(|message| body(&message).to_owned())
}

fn opened_bytes(broker: &Broker) -> usize {
    let mut uses = broker.memory().uses();
    uses.find(|it| it.kind == "opened").unwrap().used_bytes
}

#[tokio::test]
async fn a_message_is_put_back_and_a_pause_loses_none() {
    for is_compressed in [false, true] {
        let test = TestBroker::start();
        let log = declare_queue(&test.broker, "q", Durability::Synced).await;
        let batch = batch_of(&["a", "b", "c"]);
        append(&test.broker, log, compressed_if(is_compressed, batch)).await;
        let broker = &test.broker;

        let mut messages = leased(broker, log, 3).await;
        read(broker, &mut messages).await;
        assert_eq!(next(broker, &mut messages).await.unwrap(), "a");
        assert_eq!(messages.are_copied(), is_compressed);
        messages.put_back();
        assert_eq!(next(broker, &mut messages).await.unwrap(), "a");
        assert_eq!(next(broker, &mut messages).await.unwrap(), "b");
        messages.put_back();
        broker.pause(&mut messages);
        assert!(!messages.are_read());
        assert_eq!(messages.leases().len(), 2);
        read(broker, &mut messages).await;
        assert_eq!(next(broker, &mut messages).await.unwrap(), "b");
        assert_eq!(next(broker, &mut messages).await.unwrap(), "c");
        assert_eq!(next(broker, &mut messages).await, None);
        test.stop().await;
    }
}

#[tokio::test]
async fn a_compressed_batch_is_kept_open_until_it_is_worked_off() {
    let test = TestBroker::start();
    let broker = &test.broker;
    let log = declare_queue(broker, "q", Durability::Synced).await;
    let bodies: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let batch = compressed(&batch_of(&bodies));
    append(broker, log, batch).await;
    for expected in &bodies {
        let mut messages = leased(broker, log, 1).await;
        read(broker, &mut messages).await;
        assert_eq!(next(broker, &mut messages).await.unwrap(), *expected);
        assert_eq!(next(broker, &mut messages).await, None);
        let is_last = *expected == "9";
        assert_eq!(opened_bytes(broker) == 0, is_last, "after {expected}");
    }
    test.stop().await;
}

#[tokio::test]
async fn a_batch_that_opens_to_much_is_read_and_let_go() {
    let test = TestBroker::start();
    let broker = &test.broker;
    let log = declare_queue(broker, "q", Durability::Synced).await;
    let large = "x".repeat(3 << 20);
    let batch = compressed(&batch_of(&[&large]));
    assert!(batch.bytes().len() < 10_000);
    append(broker, log, batch).await;
    let mut messages = leased(broker, log, 1).await;
    read(broker, &mut messages).await;
    let message = broker.next_message(&mut messages).await.unwrap().unwrap();
    assert_eq!(message.record.value.as_ref().unwrap().len(), large.len());
    assert!(opened_bytes(broker) >= large.len());
    assert_eq!(next(broker, &mut messages).await, None);
    assert_eq!(opened_bytes(broker), 0);
    test.stop().await;
}

#[tokio::test]
async fn what_a_purge_has_taken_is_not_read_any_more_once_it_is_answered() {
    let test = TestBroker::start();
    let log = declare_queue(&test.broker, "orders", Durability::Synced).await;
    for body in ["a", "b", "c"] {
        publish(&test.broker, log, body).await;
    }
    assert_eq!(test.broker.purge(log, true).await.unwrap(), 3);
    let read = Read {
        partition: PartitionId::new(log, PartitionIndex(0)),
        from: Offset(3),
        bytes_max: 1_000,
    };
    let reply = test.broker.read(read).await.unwrap();
    assert_eq!((reply.start, reply.committed), (Offset(3), Offset(3)));
    test.stop().await;
}
