//! How a consumer controls what it gets.

use crate::{
    Names, Subject,
    taking::{Client, SILENCE, numbers, of_queue, text, to_queue, within},
};

/// No more deliveries are out than the subscription's prefetch; each that is settled makes room.
pub async fn no_more_is_handed_out_than_the_prefetch(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("prefetch"));
    client.declare_queues(&[&queue]).await;
    let batch = numbers(8).into_iter().map(|n| to_queue(&queue, &n, &n));
    client.publish(&batch.collect::<Vec<_>>()).await;
    let mut subscription = of_queue(&queue);
    subscription.prefetch = 3;
    let mut taking = client.subscribe(&subscription).await;
    let mut came = Vec::new();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(taking.next().await);
    }
    while came.len() < 8 {
        if came.len() + held.len() < 8 {
            taking.expect_silence().await;
        }
        let settled = held.remove(0);
        came.push(text(&settled));
        settled.ack().await.expect("acknowledged");
        if came.len() + held.len() < 8 {
            held.push(taking.next().await);
        }
    }
    came.sort();
    assert_eq!(came, numbers(8));
}

/// A paused subscription gets nothing that is sent from then on, until it resumes.
pub async fn a_paused_subscription_takes_nothing_until_it_resumes(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("paused"));
    client.declare_queues(&[&queue]).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    client.publish(&[to_queue(&queue, "k", "0")]).await;
    assert_eq!(taking.take(1).await, ["0"]);
    for round in 1..=2 {
        taking.deliveries.pause();
        // What is on its way still comes. At most a prefetch of messages is.
        let mut sent = 0;
        let waiting = loop {
            sent += 1;
            let body = format!("{round}.{sent}");
            client.publish(&[to_queue(&queue, "k", &body)]).await;
            match taking.next_within(SILENCE).await {
                Some(delivery) => delivery.ack().await.expect("acknowledged"),
                None => break body,
            }
            assert!(sent < 10, "it isn't paused");
        };
        taking.deliveries.resume();
        assert_eq!(taking.take(1).await, [waiting]);
    }
}

/// However often it is paused, no more is taken from the broker than twice the prefetch: the rest
/// is there for others.
pub async fn pauses_do_not_add_up_what_is_taken(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("hoarded"));
    client.declare_queues(&[&queue]).await;
    let batch = numbers(20).into_iter().map(|n| to_queue(&queue, &n, &n));
    client.publish(&batch.collect::<Vec<_>>()).await;
    let mut subscription = of_queue(&queue);
    subscription.prefetch = 2;
    let mut taking = client.subscribe(&subscription).await;
    let held = [taking.next().await, taking.next().await];
    for _ in 0..6 {
        taking.deliveries.pause();
        taking.expect_silence().await;
        taking.deliveries.resume();
        taking.expect_silence().await;
    }
    let depths = client.transport.depth(&subscription).await.expect("told");
    let waiting: u64 = depths.iter().map(|depth| depth.waiting).sum();
    assert!(waiting >= 20 - 4, "only {waiting} wait");
    let mut came: Vec<_> = held.iter().map(text).collect();
    for delivery in held {
        delivery.ack().await.expect("acknowledged");
    }
    came.extend(taking.take(18).await);
    came.sort();
    assert_eq!(came, numbers(20));
}

/// Draining waits for what was handed out, and gives back the rest: nothing is lost.
pub async fn draining_hands_back_what_was_not_handed_out(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("drained"));
    client.declare_queues(&[&queue]).await;
    let batch = numbers(10).into_iter().map(|n| to_queue(&queue, &n, &n));
    client.publish(&batch.collect::<Vec<_>>()).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    let (first, second) = (taking.next().await, taking.next().await);
    let mut done = vec![text(&first), text(&second)];
    first.ack().await.expect("acknowledged");
    let mut drained = Box::pin(taking.deliveries.drain());
    let early = within(subject, SILENCE, &mut drained).await;
    assert!(early.is_none(), "it didn't wait for the other: {early:?}");
    second.ack().await.expect("acknowledged");
    let drained = within(subject, subject.patience(), drained).await;
    drained.expect("drained in time").expect("drained");

    let mut again = client.subscribe(&of_queue(&queue)).await;
    done.extend(again.take(8).await);
    done.sort();
    assert_eq!(done, numbers(10));
    again.expect_silence().await;
}
