//! One service, on every transport by its URL.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stele_toolkit::{
    Context, Destination, Envelope, NoStore, Outgoing, Transport, prelude::*, transport,
};
use stele_toolkit_contract::{Broker, Protocol};
use tokio::sync::mpsc;

/// How long a message may be on its way.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "facade.created", key = order)]
struct OrderCreated {
    order: String,
}

async fn tell(
    Event(order): Event<OrderCreated>,
    State(to): State<mpsc::Sender<String>>,
) -> Result<(), Failure> {
    to.send(order.order).await?;
    Ok(())
}

/// The service gets a message that is published through another connection.
async fn is_served(url: &str) {
    let (to, mut told) = mpsc::channel::<String>(10);
    let connect = || -> Arc<dyn Transport> { transport::connect(url).expect("a transport") };
    let service = Service::new("facade")
        .on(tell)
        .state(to)
        .policy(Policy::attempts(1));
    let running = service.start(Arc::new(NoStore), connect()).await;
    let running = running.expect("started");
    let order = OrderCreated {
        order: "o-1".to_owned(),
    };
    let envelope = Envelope::of(&order, &Context::new("test")).expect("an envelope");
    let to = Destination::Topic(OrderCreated::TOPIC.to_owned());
    let id = envelope.message_id.clone();
    let message = Outgoing::json(to, id, envelope.encode()).with_key(order.key().0);
    let publisher = match url.starts_with("sqs") {
        // SQS has no topics: who publishes has to know who subscribes.
        true => transport::connect(&format!("{url}&topic.facade.created=facade")),
        false => transport::connect(url),
    };
    for result in publisher.expect("a transport").publish(&[message]).await {
        result.expect("published");
    }
    let came = tokio::time::timeout(PATIENCE, told.recv()).await;
    assert_eq!(came.expect("in time").as_deref(), Some("o-1"), "{url}");
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn in_memory() {
    is_served("memory:facade").await;
}

#[tokio::test]
async fn over_kafka() {
    let broker = Broker::start(Protocol::Kafka).await;
    is_served(&format!("kafka://{}?partitions=2", broker.address())).await;
}

#[tokio::test]
async fn over_amqp() {
    let broker = Broker::start(Protocol::Amqp).await;
    is_served(&format!("{}?queues=quorum", broker.address())).await;
}

#[tokio::test]
async fn over_sqs() {
    let broker = Broker::start(Protocol::Sqs).await;
    let host = broker.address().trim_start_matches("http://");
    is_served(&format!("sqs://key:secret@{host}?region=eu-central-1")).await;
}
