//! What is sent is what comes.

use bytes::Bytes;
use stele_toolkit_bus::{Destination, Headers, Incoming, Outgoing, TransportError};

use crate::{
    Names, Subject,
    taking::{Client, of_queue, to_queue, to_topic},
};

/// Room for the key, the ids and the names of a message.
const FIELDS_BYTES_MAX: usize = 1024;

/// Bodies of every kind arrive byte for byte.
pub async fn bodies_arrive_byte_for_byte(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("bodies"));
    client.declare_queues(&[&queue]).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(1000).collect();
    let bodies = [
        Bytes::new(),
        Bytes::from_static(b"{\"orderId\": \"\xc3\xa9\xf0\x9f\x9a\x80\"}"),
        Bytes::from_static(b" \t\r\n"),
        Bytes::from_static(b"\0"),
        Bytes::from_static(b"\xff\xfe not UTF-8"),
        Bytes::from_static("\u{fffe}\u{ffff}\u{1}".as_bytes()),
        Bytes::from_static(b"bm90IGJhc2U2NA=="),
        Bytes::from(every_byte),
    ];
    for body in bodies {
        let mut message = to_queue(&queue, "k", "");
        message.body = body.clone();
        client.publish(&[message]).await;
        let delivery = taking.next().await;
        assert_eq!(delivery.message.body, body);
        delivery.ack().await.expect("acknowledged");
    }
}

/// Headers, key, content type, message id and destination arrive as they were sent.
pub async fn headers_key_type_and_id_arrive(subject: &dyn Subject) {
    let (client, names) = (Client::new(subject), Names::new());
    let (topic, queue) = (names.name("events"), names.name("commands"));
    let subscription = of_queue(&queue).topic(&topic);
    client.declare_subscription(&subscription).await;
    let mut taking = client.subscribe(&subscription).await;
    let few: Headers = [("traceparent", "00-0af7-b7ad-01"), ("empty", "")]
        .into_iter()
        .collect();
    let many = (0..30).map(|n| (format!("header-{n}"), format!("value {n}")));
    let mut many: Headers = many.collect();
    many.set("binary", &b"\0\xff\x80"[..]);
    many.set("text", "\u{e9} \"quoted\" \\ \u{1f680}");
    for (headers, key, content_type) in [
        (few, "order-1", "application/json"),
        (
            many,
            "\u{e9} with space/\u{1f680}",
            "text/plain; charset=utf-8",
        ),
        (Headers::new(), "", "application/cloudevents+json"),
    ] {
        for mut sent in [to_topic(&topic, key, "1"), to_queue(&queue, key, "1")] {
            sent.headers = headers.clone();
            content_type.clone_into(&mut sent.content_type);
            client.publish(std::slice::from_ref(&sent)).await;
            let delivery = taking.next().await;
            assert_same(&sent, &delivery.message);
            assert!(!delivery.origin.name.is_empty());
            let age = subject.clock().now().since(delivery.message.sent_at);
            assert!(age < subject.patience(), "sent {age:?} ago");
            delivery.ack().await.expect("acknowledged");
        }
    }
}

fn assert_same(sent: &Outgoing, came: &Incoming) {
    assert_eq!(came.to, sent.to);
    assert_eq!(came.key, sent.key);
    assert_eq!(came.message_id.as_deref(), Some(sent.message_id.as_str()));
    assert_eq!(
        came.content_type.as_deref(),
        Some(sent.content_type.as_str())
    );
    let sorted = |headers: &Headers| {
        let pairs = headers.iter().map(|(n, v)| (n.to_owned(), v.clone()));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort();
        pairs
    };
    assert_eq!(sorted(&came.headers), sorted(&sent.headers));
}

/// A body of any bytes arrives that is as large as the transport says, and a larger one is refused
/// for good.
pub async fn the_largest_body_arrives_and_a_larger_one_is_refused(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("large"));
    client.declare_queues(&[&queue]).await;
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    let body_bytes_max = client.transport.caps().body_bytes_max;
    let bytes = (0..=u8::MAX).rev().cycle();
    let body: Bytes = bytes.take(body_bytes_max - FIELDS_BYTES_MAX).collect();
    let mut large = to_queue(&queue, "large", "");
    large.body = body.clone();
    client.publish(&[large]).await;
    let delivery = taking.next().await;
    assert!(
        delivery.message.body == body,
        "the body isn't what was sent"
    );
    delivery.ack().await.expect("acknowledged");

    let mut larger = to_queue(&queue, "larger", "");
    larger.body = vec![0xff; body_bytes_max + 1].into();
    let results = client.transport.publish(&[larger]).await;
    assert!(
        matches!(results[..], [Err(TransportError::Refused { .. })]),
        "{results:?}"
    );
    client.publish(&[to_queue(&queue, "larger", "next")]).await;
    let next = taking.expect("next").await;
    assert_eq!(next.message.to, Destination::Queue(queue));
    next.ack().await.expect("acknowledged");
}
