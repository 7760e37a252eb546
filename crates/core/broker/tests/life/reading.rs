//! Messages of leased records, one after the other.

use stele_core_broker::LeasedMessages;
use stele_test_testkit::compressed;

use super::*;

/// A batch with a record for each body.
fn batch_of(bodies: &[&str]) -> stele_wire_batch::Batch {
    let mut builder = BatchBuilder::default();
    for body in bodies {
        let record = NewRecord {
            timestamp: Timestamp(1_700_000_000_000),
            key: None,
            value: Body::Whole(body.as_bytes()),
            headers: &[],
        };
        builder.push(&record).unwrap();
    }
    builder.finish()
}

async fn leased(broker: &Broker, log: LogId, records_max: u32) -> LeasedMessages {
    let (session, _events) = broker.open_session().await;
    let request = LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: session.consumer(ConsumerId(0)),
        records_max,
        lease_ms: Some(60_000),
        settle: false,
        wait_ms: None,
        attempt: None,
    };
    let mut batches = broker.lease(log, request).await.unwrap();
    batches.remove(0).messages(log)
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
        let target = AppendTarget {
            log,
            partition: None,
        };
        let batch = batch_of(&["a", "b", "c"]);
        let batch = if is_compressed {
            compressed(&batch)
        } else {
            batch
        };
        test.broker
            .append(Publish::to(target, batch))
            .await
            .unwrap();
        let broker = &test.broker;

        let mut messages = leased(broker, log, 3).await;
        broker
            .read_leased(&mut messages, Share::NONE)
            .await
            .unwrap();
        assert_eq!(next(broker, &mut messages).await.unwrap(), "a");
        assert_eq!(messages.are_copied(), is_compressed);
        messages.put_back();
        assert_eq!(next(broker, &mut messages).await.unwrap(), "a");
        assert_eq!(next(broker, &mut messages).await.unwrap(), "b");
        messages.put_back();
        broker.pause(&mut messages);
        assert!(!messages.are_read());
        assert_eq!(messages.leases().len(), 2);
        broker
            .read_leased(&mut messages, Share::NONE)
            .await
            .unwrap();
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
    let target = AppendTarget {
        log,
        partition: None,
    };
    let bodies: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let batch = compressed(&batch_of(&bodies));
    broker.append(Publish::to(target, batch)).await.unwrap();
    for expected in &bodies {
        let mut messages = leased(broker, log, 1).await;
        broker
            .read_leased(&mut messages, Share::NONE)
            .await
            .unwrap();
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
    let target = AppendTarget {
        log,
        partition: None,
    };
    let large = "x".repeat(3 << 20);
    let batch = compressed(&batch_of(&[&large]));
    assert!(batch.bytes().len() < 10_000);
    broker.append(Publish::to(target, batch)).await.unwrap();
    let mut messages = leased(broker, log, 1).await;
    broker
        .read_leased(&mut messages, Share::NONE)
        .await
        .unwrap();
    let message = broker.next_message(&mut messages).await.unwrap().unwrap();
    assert_eq!(message.record.value.as_ref().unwrap().len(), large.len());
    assert!(opened_bytes(broker) >= large.len());
    assert_eq!(next(broker, &mut messages).await, None);
    assert_eq!(opened_bytes(broker), 0);
    test.stop().await;
}
