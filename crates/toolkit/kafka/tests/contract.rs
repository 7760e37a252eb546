//! The contract of transports, over a Stele or over the broker that `TOOLKIT_KAFKA` names.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{Destination, Outgoing, Subscription, Topology, Transport};
use stele_toolkit_contract::{Broker, Protocol, Subject, transport_contract};
use stele_toolkit_kafka::{Kafka, Settings};
use tokio::time::Instant;

/// Long enough for a machine that is busy with other tests.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct OverKafka(Broker);

async fn subject() -> OverKafka {
    OverKafka(Broker::start(Protocol::Kafka).await)
}

#[async_trait]
impl Subject for OverKafka {
    fn transport(&self) -> Arc<dyn Transport> {
        let mut settings = Settings::new(self.0.address());
        settings.timeout = TIMEOUT;
        Arc::new(Kafka::new(settings).expect("the settings are right"))
    }

    async fn crash(&self) -> bool {
        self.0.crash().await
    }
}

transport_contract!(subject);

/// A consumer that comes back to a group asks for the ends of its partitions once, not one by one:
/// each question would wait for the answer to a fetch, half a second if there is nothing.
#[tokio::test]
async fn coming_back_to_many_partitions_takes_no_longer_than_to_one() {
    const PARTITIONS: i32 = 40;
    let subject = subject().await;
    let mut settings = Settings::new(subject.0.address());
    settings.partitions = PARTITIONS;
    settings.timeout = TIMEOUT;
    let kafka = Kafka::new(settings).unwrap();
    let subscription = Subscription::new("reader").topic("many");
    let topology = Topology {
        topics: vec!["many".to_owned()],
        queues: Vec::new(),
        subscriptions: vec![subscription.clone()],
    };
    kafka.declare(&topology).await.unwrap();
    let message = |number: i32| {
        let to = Destination::Topic("many".to_owned());
        Outgoing::json(to, format!("m-{number}"), "{}").with_key(format!("key-{number}"))
    };
    let count = PARTITIONS * 8;
    let batch: Vec<_> = (0..count).map(message).collect();
    for sent in kafka.publish(&batch).await {
        sent.unwrap();
    }
    // What it has finished is where it begins the next time: with a fetch, of all partitions.
    let mut deliveries = kafka.subscribe(&subscription).await.unwrap();
    let mut partitions = BTreeSet::new();
    for _ in 0..count {
        let delivery = deliveries.next().await.unwrap();
        partitions.insert(delivery.origin.partition);
        delivery.ack().await.unwrap();
    }
    deliveries.drain().await.unwrap();
    assert!(partitions.len() > 30, "{partitions:?}");

    let mut deliveries = kafka.subscribe(&subscription).await.unwrap();
    let begun = Instant::now();
    let sent = kafka.publish(&[message(count)]).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    let delivery = deliveries.next().await.unwrap();
    assert_eq!(delivery.message.message_id, Some(format!("m-{count}")));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(6), "it took {took:?}");
}
