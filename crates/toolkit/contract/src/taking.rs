//! What the claims do again and again.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use stele_toolkit_bus::{
    Deliveries, Delivery, Destination, Outgoing, Subscription, Topology, Transport,
};
use uuid::Uuid;

use crate::Subject;

/// For how long nothing must come where nothing should.
pub(crate) const SILENCE: Duration = Duration::from_millis(500);

/// A test's side of a transport.
pub(crate) struct Client<'a> {
    subject: &'a dyn Subject,
    pub(crate) transport: Arc<dyn Transport>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(subject: &'a dyn Subject) -> Self {
        let transport = subject.transport();
        Self { subject, transport }
    }

    /// Declares queues.
    pub(crate) async fn declare_queues(&self, queues: &[&str]) {
        let topology = Topology {
            queues: queues.iter().map(|name| (*name).to_owned()).collect(),
            ..Topology::default()
        };
        self.declare(&topology).await;
    }

    /// Declares a subscription.
    pub(crate) async fn declare_subscription(&self, subscription: &Subscription) {
        let topology = Topology {
            subscriptions: vec![subscription.clone()],
            ..Topology::default()
        };
        self.declare(&topology).await;
    }

    pub(crate) async fn declare(&self, topology: &Topology) {
        self.transport.declare(topology).await.expect("declared");
    }

    pub(crate) async fn subscribe(&self, subscription: &Subscription) -> Taking<'a> {
        let deliveries = self.transport.subscribe(subscription).await;
        Taking {
            subject: self.subject,
            deliveries: deliveries.expect("subscribed"),
        }
    }

    /// Publishes messages that the broker must take.
    pub(crate) async fn publish(&self, batch: &[Outgoing]) {
        let results = self.transport.publish(batch).await;
        assert_eq!(results.len(), batch.len(), "a result for each message");
        for result in results {
            result.expect("confirmed");
        }
    }
}

/// A subscription of a test.
#[derive(Debug)]
pub(crate) struct Taking<'a> {
    subject: &'a dyn Subject,
    pub(crate) deliveries: Box<dyn Deliveries>,
}

impl Taking<'_> {
    /// The next delivery, which must come.
    pub(crate) async fn next(&mut self) -> Delivery {
        let patience = self.subject.patience();
        let next = within(self.subject, patience, self.deliveries.next()).await;
        let next = next.unwrap_or_else(|| panic!("nothing came within {patience:?}"));
        next.expect("the subscription goes on")
    }

    /// The next delivery, if it comes within this time.
    pub(crate) async fn next_within(&mut self, time: Duration) -> Option<Delivery> {
        let next = within(self.subject, time, self.deliveries.next()).await?;
        Some(next.expect("the subscription goes on"))
    }

    /// The next delivery, which must be this message.
    pub(crate) async fn expect(&mut self, body: &str) -> Delivery {
        let delivery = self.next().await;
        assert_eq!(text(&delivery), body);
        delivery
    }

    /// The texts of the next `count` messages, acknowledged.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let delivery = self.next().await;
            texts.push(text(&delivery));
            delivery.ack().await.expect("acknowledged");
        }
        texts
    }

    /// The texts of the next `count` messages, acknowledged, sorted.
    pub(crate) async fn take_sorted(&mut self, count: usize) -> Vec<String> {
        let mut texts = self.take(count).await;
        texts.sort();
        texts
    }

    /// Fails if another message comes.
    pub(crate) async fn expect_silence(&mut self) {
        if let Some(delivery) = self.next_within(SILENCE).await {
            panic!("nothing should come, yet: {delivery:?}");
        }
    }

    pub(crate) async fn drain(self) {
        let drained = self.deliveries.drain();
        let drained = within(self.subject, self.subject.patience(), drained).await;
        drained.expect("drained in time").expect("drained");
    }
}

/// What a future gives, if it does so in time.
pub(crate) async fn within<F: Future>(
    subject: &dyn Subject,
    time: Duration,
    future: F,
) -> Option<F::Output> {
    let clock = subject.clock();
    let mut future = pin!(future);
    tokio::select! {
        biased;
        output = &mut future => Some(output),
        () = clock.sleep(time) => None,
    }
}

/// A text for a queue, with an id of its own.
pub(crate) fn to_queue(queue: &str, key: &str, body: &str) -> Outgoing {
    message(Destination::Queue(queue.to_owned()), key, body)
}

/// A text for a topic, with an id of its own.
pub(crate) fn to_topic(topic: &str, key: &str, body: &str) -> Outgoing {
    message(Destination::Topic(topic.to_owned()), key, body)
}

fn message(to: Destination, key: &str, body: &str) -> Outgoing {
    let id = Uuid::new_v4().to_string();
    Outgoing::json(to, id, body.to_owned()).with_key(key)
}

/// A message's text.
pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.message.body).into_owned()
}

/// A subscription to a queue alone.
pub(crate) fn of_queue(queue: &str) -> Subscription {
    Subscription::new(format!("of.{queue}")).queue(queue)
}

/// `1` to `count` as texts, in the order of texts.
pub(crate) fn numbers(count: usize) -> Vec<String> {
    let mut numbers: Vec<String> = (1..=count).map(|n| n.to_string()).collect();
    numbers.sort();
    numbers
}
