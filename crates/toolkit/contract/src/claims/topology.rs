//! What is declared, what is missing, and what waits.

use std::time::Duration;

use stele_toolkit_bus::{Subscription, Topology, TransportError};

use crate::{
    Names, Subject,
    taking::{Client, numbers, of_queue, text, to_queue, to_topic, within},
};

/// A message to a queue that doesn't exist fails, once and for all, and others of its batch don't.
pub async fn a_queue_that_does_not_exist_is_told(subject: &dyn Subject) {
    let (client, names) = (Client::new(subject), Names::new());
    let (queue, missing) = (names.name("queue"), names.name("missing"));
    client.declare_queues(&[&queue]).await;
    let batch = [to_queue(&missing, "a", "lost"), to_queue(&queue, "b", "1")];
    let results = client.transport.publish(&batch).await;
    let [
        Err(TransportError::NoSuchDestination { destination }),
        Ok(()),
    ] = &results[..]
    else {
        panic!("{results:?}");
    };
    assert_eq!(*destination, missing);
    client.declare_queues(&[&missing]).await;
    client.publish(&[to_queue(&missing, "a", "found")]).await;
    let mut taking = client.subscribe(&of_queue(&missing)).await;
    assert_eq!(taking.take(1).await, ["found"]);
}

/// A topic that nobody subscribes to takes messages.
pub async fn a_topic_without_subscribers_takes_messages(subject: &dyn Subject) {
    let (client, topic) = (Client::new(subject), Names::new().name("unheard"));
    let topology = Topology {
        topics: vec![topic.clone()],
        ..Topology::default()
    };
    client.declare(&topology).await;
    client.publish(&[to_topic(&topic, "k", "1")]).await;
}

/// Declaring what is there changes nothing, also from another process.
pub async fn declaring_again_changes_nothing(subject: &dyn Subject) {
    let (client, names) = (Client::new(subject), Names::new());
    let (topic, queue, dead) = (names.name("t"), names.name("q"), names.name("dead"));
    let topology = Topology {
        topics: vec![topic.clone()],
        queues: vec![queue.clone(), dead],
        subscriptions: vec![
            Subscription::new(names.name("s"))
                .topic(&topic)
                .queue(&queue),
        ],
    };
    client.declare(&topology).await;
    let batch = [
        to_topic(&topic, "k", "event"),
        to_queue(&queue, "k", "command"),
    ];
    client.publish(&batch).await;
    client.declare(&topology).await;
    let other = Client::new(subject);
    other.declare(&topology).await;
    let mut taking = other.subscribe(&topology.subscriptions[0]).await;
    assert_eq!(taking.take_sorted(2).await, ["command", "event"]);
}

/// The depth of a subscription is what waits for it, and nothing once all is done.
pub async fn the_depth_is_what_waits(subject: &dyn Subject) {
    let (client, names) = (Client::new(subject), Names::new());
    let (topic, queue) = (names.name("events"), names.name("commands"));
    let subscription = Subscription::new(names.name("service"))
        .topic(&topic)
        .queue(&queue);
    client.declare_subscription(&subscription).await;
    let events = numbers(3).into_iter().map(|n| to_topic(&topic, &n, &n));
    let commands = numbers(2).into_iter().map(|n| to_queue(&queue, &n, &n));
    client
        .publish(&events.chain(commands).collect::<Vec<_>>())
        .await;
    depth_becomes(&client, subject, &subscription, 5).await;
    let mut taking = client.subscribe(&subscription).await;
    taking.take(5).await;
    taking.drain().await;
    depth_becomes(&client, subject, &subscription, 0).await;
}

async fn depth_becomes(
    client: &Client<'_>,
    subject: &dyn Subject,
    subscription: &Subscription,
    expected: u64,
) {
    let clock = subject.clock();
    let mut last = Vec::new();
    let becomes = async {
        loop {
            last = client.transport.depth(subscription).await.expect("told");
            if last.iter().map(|depth| depth.waiting).sum::<u64>() == expected {
                return;
            }
            clock.sleep(Duration::from_millis(50)).await;
        }
    };
    let became = within(subject, subject.patience(), becomes).await;
    assert!(became.is_some(), "{expected} should wait: {last:?}");
}

/// A message with a delay comes no earlier; where there are no delays, or only shorter ones, it is
/// refused.
pub async fn a_delayed_message_comes_no_earlier_than_told(subject: &dyn Subject) {
    let (client, names) = (Client::new(subject), Names::new());
    let (topic, queue) = (names.name("events"), names.name("commands"));
    let subscription = Subscription::new(names.name("service"))
        .topic(&topic)
        .queue(&queue);
    client.declare_subscription(&subscription).await;
    let delay_max = client.transport.caps().delay_max;
    let mut taking = client.subscribe(&subscription).await;
    if let Some(longer) = delay_max.checked_add(Duration::from_secs(1)) {
        let mut message = to_queue(&queue, "long", "never");
        message.delay = longer;
        let results = client.transport.publish(&[message]).await;
        assert!(
            matches!(results[..], [Err(TransportError::Unsupported { .. })]),
            "{results:?}"
        );
    }
    let delay = Duration::from_secs(1);
    let both = [
        to_topic(&topic, "1", "event"),
        to_queue(&queue, "1", "command"),
    ];
    if delay <= delay_max {
        let delayed = both.clone().map(|mut message| {
            message.delay = delay;
            message
        });
        let sent = subject.clock().now();
        client.publish(&delayed).await;
        client.publish(&[to_queue(&queue, "2", "before")]).await;
        let first = taking.expect("before").await;
        first.ack().await.expect("acknowledged");
        let mut came = Vec::new();
        for _ in 0..2 {
            let delivery = taking.next().await;
            let after = subject.clock().now().since(sent);
            assert!(after >= delay, "it came after {after:?}");
            came.push(text(&delivery));
            delivery.ack().await.expect("acknowledged");
        }
        came.sort();
        assert_eq!(came, ["command", "event"]);
    }
    taking.expect_silence().await;
}
