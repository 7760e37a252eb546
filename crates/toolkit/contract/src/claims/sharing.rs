//! Who gets a message.

use std::collections::BTreeSet;

use stele_toolkit_bus::{Outgoing, Start, Subscription};

use crate::{
    Names, Subject,
    taking::{Client, Taking, numbers, text, to_queue, to_topic, within},
};

/// Each service that subscribes to a topic gets each message of it once.
pub async fn each_service_gets_a_copy(subject: &dyn Subject) {
    let (client, names) = (Client::new(subject), Names::new());
    let topic = names.name("events");
    let [one, two] = ["one", "two"].map(|name| Subscription::new(names.name(name)).topic(&topic));
    client.declare_subscription(&one).await;
    client.declare_subscription(&two).await;
    let mut of_one = client.subscribe(&one).await;
    let mut of_two = client.subscribe(&two).await;
    let messages = numbers(5).into_iter().map(|n| to_topic(&topic, &n, &n));
    client.publish(&messages.collect::<Vec<_>>()).await;
    assert_eq!(of_one.take_sorted(5).await, numbers(5));
    assert_eq!(of_two.take_sorted(5).await, numbers(5));
    of_one.expect_silence().await;
    of_two.expect_silence().await;
}

/// Consumers of a queue share its messages, whatever their services: each message goes to one.
pub async fn consumers_of_a_queue_share_its_messages(subject: &dyn Subject) {
    let names = Names::new();
    let queue = names.name("work");
    let one = Subscription::new(names.name("one")).queue(&queue);
    let two = Subscription::new(names.name("two")).queue(&queue);
    let message = |n: usize| to_queue(&queue, &format!("key {n}"), &n.to_string());
    share(subject, [&one, &two], &message).await;
}

/// The processes of a service share the copies that it gets of a topic.
pub async fn processes_of_a_service_share_its_copies(subject: &dyn Subject) {
    let names = Names::new();
    let topic = names.name("events");
    let service = Subscription::new(names.name("service")).topic(&topic);
    let message = |n: usize| to_topic(&topic, &format!("key {n}"), &n.to_string());
    share(subject, [&service, &service], &message).await;
}

/// Publishes until both have got something since both are there, then compares what came with what
/// was sent. A broker may move its messages from one to the other while they join, so what comes
/// before is taken by either, and may come twice.
async fn share(
    subject: &dyn Subject,
    subscriptions: [&Subscription; 2],
    message: &dyn Fn(usize) -> Outgoing,
) {
    let clients = [Client::new(subject), Client::new(subject)];
    let mut takings = Vec::new();
    for (client, subscription) in clients.iter().zip(subscriptions) {
        client.declare_subscription(subscription).await;
        let mut subscription = (*subscription).clone();
        subscription.prefetch = 4;
        takings.push(client.subscribe(&subscription).await);
    }
    let [a, b] = &mut takings[..] else {
        unreachable!("one for each subscription");
    };
    let mut sent = 0;
    let joined = async {
        let mut got = [false; 2];
        while got != [true; 2] {
            let of_round = round(&clients[0], message, sent, &mut [a, b]).await;
            sent += ROUND;
            got = [0, 1].map(|taking| of_round.iter().any(|(_, by)| *by == taking));
        }
    };
    let joined = within(subject, subject.patience(), joined).await;
    joined.expect("both get something of a round");

    let of_round = round(&clients[0], message, sent, &mut [a, b]).await;
    let different: BTreeSet<usize> = of_round.iter().map(|(number, _)| *number).collect();
    assert_eq!(different.len(), of_round.len(), "a message went to both");
    a.expect_silence().await;
    b.expect_silence().await;
}

/// How many messages are sent at once.
const ROUND: usize = 20;

/// Publishes a round, and takes messages until all of it came. Returns its messages, and which of
/// the two got each.
async fn round(
    client: &Client<'_>,
    message: &dyn Fn(usize) -> Outgoing,
    from: usize,
    takings: &mut [&mut Taking<'_>; 2],
) -> Vec<(usize, usize)> {
    let batch: Vec<Outgoing> = (from..from + ROUND).map(message).collect();
    client.publish(&batch).await;
    let mut came = Vec::new();
    let mut different = BTreeSet::new();
    while different.len() < ROUND {
        let [a, b] = takings;
        let (delivery, by) = tokio::select! {
            delivery = a.next() => (delivery, 0),
            delivery = b.next() => (delivery, 1),
        };
        let number = text(&delivery).parse().expect("a number");
        delivery.ack().await.expect("acknowledged");
        // What came again while the consumers joined is of an earlier round.
        if number >= from {
            came.push((number, by));
            different.insert(number);
        }
    }
    came
}

/// What is sent between the declaration of a subscription and its first consumer waits.
pub async fn what_is_sent_before_the_first_consumer_waits_for_it(subject: &dyn Subject) {
    let (client, names) = (Client::new(subject), Names::new());
    let (topic, queue) = (names.name("events"), names.name("commands"));
    let subscription = Subscription::new(names.name("late"))
        .topic(&topic)
        .queue(&queue);
    client.declare_subscription(&subscription).await;
    let batch = [
        to_topic(&topic, "k", "event"),
        to_queue(&queue, "k", "command"),
    ];
    client.publish(&batch).await;
    let mut taking = client.subscribe(&subscription).await;
    assert_eq!(taking.take_sorted(2).await, ["command", "event"]);
    taking.drain().await;
}

/// Where the transport can replay, a subscription that is new to the broker begins with the oldest
/// message, or with the next one.
pub async fn a_new_group_reads_what_was_there_before_or_not(subject: &dyn Subject) {
    let (client, names) = (Client::new(subject), Names::new());
    let topic = names.name("events");
    let mut early = Subscription::new(names.name("early")).topic(&topic);
    client.declare_subscription(&early).await;
    client.publish(&[to_topic(&topic, "k", "old")]).await;

    let mut latest = Subscription::new(names.name("latest")).topic(&topic);
    latest.start = Start::Latest;
    client.declare_subscription(&latest).await;
    client.publish(&[to_topic(&topic, "k", "new")]).await;
    let mut of_latest = client.subscribe(&latest).await;
    assert_eq!(of_latest.take(1).await, ["new"]);

    if client.transport.caps().replay {
        early.service = names.name("replaying");
        early.start = Start::Earliest;
        let mut replaying = client.subscribe(&early).await;
        assert_eq!(replaying.take(2).await, ["old", "new"]);
    }
}
