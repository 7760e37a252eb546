//! What settling a delivery does.

use std::time::Duration;

use stele_toolkit_bus::{Release, TransportError};

use crate::{
    Names, Subject,
    taking::{Client, numbers, of_queue, text, to_queue},
};

/// For how long a message is given back.
const AFTER: Duration = Duration::from_secs(1);

/// Longer than it takes to get a few messages, also on a busy machine.
const LONG: Duration = Duration::from_secs(8);

/// An acknowledged message doesn't come again: not to another subscription, and not after a crash.
pub async fn an_acknowledged_message_does_not_come_again(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("acknowledged"));
    client.declare_queues(&[&queue]).await;
    client.publish(&[to_queue(&queue, "k", "1")]).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    assert_eq!(taking.take(1).await, ["1"]);
    taking.drain().await;
    client.publish(&[to_queue(&queue, "k", "2")]).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    let second = taking.expect("2").await;
    second.ack().await.expect("acknowledged");
    taking.expect_silence().await;
}

/// What a consumer held that crashed comes again, to another one, and is told to be redelivered.
pub async fn an_unsettled_message_comes_again_after_a_crash(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("crash"));
    client.declare_queues(&[&queue]).await;
    let batch = numbers(3).into_iter().map(|n| to_queue(&queue, &n, &n));
    client.publish(&batch.collect::<Vec<_>>()).await;
    let crashing = Client::new(subject);
    let mut taking = crashing.subscribe(&of_queue(&queue)).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let delivery = taking.next().await;
        if client.transport.caps().counts_deliveries {
            assert_eq!(delivery.attempt, Some(1));
        }
        held.push(delivery);
    }
    let acknowledged = held.pop().expect("three were held");
    let gone = text(&acknowledged);
    acknowledged.ack().await.expect("acknowledged");
    drop((taking, held, crashing));

    let mut expected = numbers(3);
    expected.retain(|number| *number != gone);
    let mut again = client.subscribe(&of_queue(&queue)).await;
    let mut came = Vec::new();
    while came.len() < expected.len() {
        let delivery = again.next().await;
        assert!(delivery.is_redelivered, "{delivery:?}");
        if client.transport.caps().counts_deliveries {
            assert_eq!(delivery.attempt, Some(2));
        }
        // The acknowledgement may have been on its way when the consumer crashed.
        if text(&delivery) != gone {
            came.push(text(&delivery));
        }
        delivery.ack().await.expect("acknowledged");
    }
    came.sort();
    assert_eq!(came, expected);
}

/// A released message comes again, no earlier than told, and to a count of its deliveries.
pub async fn a_released_message_comes_again_no_earlier_than_told(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("released"));
    client.declare_queues(&[&queue]).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    client.publish(&[to_queue(&queue, "k", "1")]).await;
    let clock = subject.clock();
    let mut delivery = taking.expect("1").await;
    if client.transport.caps().counts_deliveries {
        assert_eq!(delivery.attempt, Some(1));
        assert!(!delivery.is_redelivered);
    }
    for (attempt, after) in [(2, Duration::ZERO), (3, AFTER), (4, AFTER)] {
        let released = clock.now();
        delivery.release(after).await.expect("released");
        let early = after.saturating_sub(Duration::from_millis(200));
        if !early.is_zero() {
            assert!(taking.next_within(early).await.is_none(), "it came early");
        }
        delivery = taking.expect("1").await;
        let away = clock.now().since(released);
        assert!(away >= after, "it came after {away:?}");
        assert!(delivery.is_redelivered);
        if client.transport.caps().counts_deliveries {
            assert_eq!(delivery.attempt, Some(attempt));
        }
    }
    delivery.ack().await.expect("acknowledged");
    taking.expect_silence().await;
}

/// A kept message comes again to the same subscription, no earlier than told, and is the same
/// delivery. Once the subscription is gone, it is delivered anew.
pub async fn a_kept_message_comes_again_and_counts_once(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("kept"));
    client.declare_queues(&[&queue]).await;
    client.publish(&[to_queue(&queue, "", "1")]).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    let mut delivery = taking.expect("1").await;
    if !delivery.may_keep(AFTER) {
        return delivery.ack().await.expect("acknowledged");
    }
    let clock = subject.clock();
    let counts = client.transport.caps().counts_deliveries;
    for _ in 0..3 {
        assert_eq!(delivery.attempt, counts.then_some(1));
        assert!(!delivery.is_redelivered);
        let kept = clock.now();
        delivery.keep(AFTER).await.expect("kept");
        delivery = taking.expect("1").await;
        let away = clock.now().since(kept);
        assert!(away >= AFTER, "it came after {away:?}");
    }
    let longer = client.transport.caps().release_max + Duration::from_secs(1);
    assert!(!delivery.may_keep(longer));
    delivery.keep(AFTER).await.expect("kept");
    drop(taking);
    let mut again = client.subscribe(&of_queue(&queue)).await;
    let delivery = again.expect("1").await;
    assert!(delivery.is_redelivered);
    assert_eq!(delivery.attempt, counts.then_some(2));
    delivery.keep(AFTER).await.expect("kept");
    again.drain().await;
    let mut last = client.subscribe(&of_queue(&queue)).await;
    assert_eq!(last.take(1).await, ["1"]);
    last.expect_silence().await;
}

/// Messages that wait, released or kept, don't use up the prefetch.
pub async fn waiting_messages_let_others_through(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("through"));
    client.declare_queues(&[&queue]).await;
    if client.transport.caps().release == Release::Partition {
        return;
    }
    let mut subscription = of_queue(&queue);
    subscription.prefetch = 2;
    let mut taking = client.subscribe(&subscription).await;
    let batch = numbers(7).into_iter().map(|n| to_queue(&queue, &n, &n));
    client.publish(&batch.collect::<Vec<_>>()).await;
    let mut put_off = Vec::new();
    for number in 0..6 {
        let delivery = taking.next().await;
        put_off.push(text(&delivery));
        match number % 2 == 0 && delivery.may_keep(LONG) {
            true => delivery.keep(LONG).await.expect("kept"),
            false => delivery.release(LONG).await.expect("released"),
        }
    }
    let last = taking.next().await;
    assert!(!put_off.contains(&text(&last)), "{put_off:?}, {last:?}");
    last.ack().await.expect("acknowledged");
    put_off.sort();
    assert_eq!(taking.take_sorted(6).await, put_off);
}

/// A released message holds up what [`stele_toolkit_bus::Caps::release`] says, of what isn't handed
/// out yet, and nothing else.
pub async fn a_release_holds_up_what_it_says(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("held"));
    client.declare_queues(&[&queue]).await;
    let batch = ["1", "2", "3"].map(|n| to_queue(&queue, "k", n));
    client.publish(&batch).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    let first = taking.expect("1").await;
    first.release(AFTER).await.expect("released");
    let came = taking.take(3).await;
    match client.transport.caps().release {
        Release::Message => assert_eq!(came, ["2", "3", "1"]),
        Release::Key | Release::Partition => assert_eq!(came, ["1", "2", "3"]),
    }

    // Of many keys, most are in another partition.
    let batch: Vec<_> = (1..=40)
        .map(|n| to_queue(&queue, &format!("key {n}"), &n.to_string()))
        .collect();
    client.publish(&batch).await;
    let first = taking.next().await;
    let released = text(&first);
    first.release(AFTER).await.expect("released");
    let came = taking.take(40).await;
    let position = came.iter().position(|body| *body == released);
    let position = position.expect("it came again");
    match client.transport.caps().release {
        Release::Message | Release::Key => assert_eq!(position, 39, "others waited: {came:?}"),
        Release::Partition => assert!(position > 0, "other partitions waited: {came:?}"),
    }
}

/// A release for longer than the transport can is refused, and the message isn't lost.
pub async fn a_release_beyond_the_longest_is_refused(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("long"));
    client.declare_queues(&[&queue]).await;
    let Some(longer) = client
        .transport
        .caps()
        .release_max
        .checked_add(Duration::from_secs(1))
    else {
        return;
    };
    client.publish(&[to_queue(&queue, "k", "1")]).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    let delivery = taking.expect("1").await;
    let refused = delivery.release(longer).await;
    assert!(
        matches!(refused, Err(TransportError::Unsupported { .. })),
        "{refused:?}"
    );
    drop(taking);
    let mut again = client.subscribe(&of_queue(&queue)).await;
    assert_eq!(again.take(1).await, ["1"]);
}
