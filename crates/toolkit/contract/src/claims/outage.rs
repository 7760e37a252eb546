//! A broker that crashes.

use std::{collections::BTreeSet, time::Duration};

use stele_toolkit_bus::{Ordering, Outgoing};

use crate::{
    Names, Subject,
    taking::{Client, Taking, of_queue, text, to_queue, within},
};

/// How many messages are sent in all; the broker crashes in the second third.
const MESSAGES: usize = 300;

/// How long the claim may take in all.
const PATIENCE: Duration = Duration::from_secs(120);

/// The broker crashes while messages are sent and taken. The sender and the consumer go on by
/// themselves, no confirmed message is lost, and those of a key come in order.
#[expect(
    clippy::print_stdout,
    reason = "what wasn't run must not look as if it was"
)]
pub async fn no_confirmed_message_is_lost_when_the_broker_crashes(subject: &dyn Subject) {
    let queue = Names::new().name("outage");
    let publisher = Client::new(subject);
    let consumer = Client::new(subject);
    publisher.declare_queues(&[&queue]).await;
    let mut taking = consumer.subscribe(&of_queue(&queue)).await;
    let crashing = async {
        if !subject.crash().await {
            println!("not run: there is no way to restart the broker");
        }
    };
    let sending = async {
        send_third(subject, &publisher, &queue, 0).await;
        // The crash is while the next messages are sent.
        tokio::join!(crashing, send_third(subject, &publisher, &queue, 1));
        send_third(subject, &publisher, &queue, 2).await;
    };
    let taking = take_all(subject, &mut taking, &publisher);
    let both = async { tokio::join!(sending, taking) };
    let done = within(subject, PATIENCE, both).await;
    done.expect("all that was confirmed came in time");
}

async fn send_third(subject: &dyn Subject, publisher: &Client<'_>, queue: &str, third: usize) {
    for n in third * MESSAGES / 3..(third + 1) * MESSAGES / 3 {
        let key = format!("key {}", n % 5);
        send(subject, publisher, &to_queue(queue, &key, &n.to_string())).await;
    }
}

/// Sends a message until it is confirmed.
async fn send(subject: &dyn Subject, publisher: &Client<'_>, message: &Outgoing) {
    loop {
        let mut results = publisher
            .transport
            .publish(std::slice::from_ref(message))
            .await;
        match results.pop().expect("a result") {
            Ok(()) => return,
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
        subject.clock().sleep(Duration::from_millis(20)).await;
    }
}

/// Takes until every message came. What comes for the first time is in the order of its key.
async fn take_all(subject: &dyn Subject, taking: &mut Taking<'_>, client: &Client<'_>) {
    let mut came: BTreeSet<usize> = BTreeSet::new();
    while came.len() < MESSAGES {
        let delivery = loop {
            if let Some(delivery) = taking.next_within(subject.patience()).await {
                break delivery;
            }
        };
        let number: usize = text(&delivery).parse().expect("a number");
        let is_new = came.insert(number);
        if is_new && client.transport.caps().ordering != Ordering::None {
            let of_key = came.range(number..).filter(|n| *n % 5 == number % 5);
            assert_eq!(
                of_key.count(),
                1,
                "{number} came after a later one of its key"
            );
        }
        // One that was delivered before the crash is another's now, or comes again.
        delivery.ack().await.ok();
    }
}
