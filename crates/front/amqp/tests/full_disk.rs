//! A disk below its reserve: publishers are told and wait, the rest goes on, nothing is lost.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so")]

mod support;

use stele_wire_amqp::{
    Method, ShortString,
    method::{basic, channel, confirm, connection},
};
use support::{Client, Server};

const BLOCKED: &[&str] = &["connection.blocked"];

async fn expect_blocked(client: &mut Client) {
    let blocked = client.method().await;
    let is_blocked = matches!(
        blocked,
        (0, Method::Connection(connection::Method::Blocked(_)))
    );
    assert!(is_blocked, "{blocked:?}");
}

async fn confirming(client: &mut Client) {
    client.send(1, confirm::Select::default()).await;
    client.expect(1, confirm::SelectOk {}).await;
}

fn confirmed(number: u64) -> basic::Ack {
    basic::Ack {
        delivery_tag: number,
        multiple: false,
    }
}

#[tokio::test]
async fn publishers_are_told_and_wait_and_their_messages_arrive_when_there_is_space() {
    let server = Server::start().await;
    let mut publisher = Client::with(server.address, 0, BLOCKED).await;
    publisher.declare("q").await;
    confirming(&mut publisher).await;
    publisher.publish("q", b"before", 100).await;
    publisher.expect(1, confirmed(1)).await;

    server.test.fill_disk().await;
    expect_blocked(&mut publisher).await;
    publisher.publish("q", b"during", 100).await;
    // One that connects now is told as well, as soon as it is in; one that doesn't know of it isn't.
    let mut late = Client::opening(server.address, 0, BLOCKED).await;
    late.expect(0, connection::OpenOk {}).await;
    expect_blocked(&mut late).await;
    late.send(1, channel::Open {}).await;
    late.expect(1, channel::OpenOk {}).await;
    let mut unaware = server.client().await;
    confirming(&mut unaware).await;
    unaware.publish("q", b"unaware", 100).await;

    server.test.empty_disk().await;
    publisher.expect(0, connection::Unblocked {}).await;
    publisher.expect(1, confirmed(2)).await;
    late.expect(0, connection::Unblocked {}).await;
    unaware.expect(1, confirmed(1)).await;
    assert_eq!(late.declare("q").await.message_count, 3);
}

#[tokio::test]
async fn reading_acknowledging_and_looking_go_on() {
    let server = Server::start().await;
    let mut publisher = server.client().await;
    publisher.declare("q").await;
    confirming(&mut publisher).await;
    for number in 1..=3 {
        publisher.publish("q", b"x", 100).await;
        publisher.expect(1, confirmed(number)).await;
    }
    server.test.fill_disk().await;

    let mut consumer = server.client().await;
    // A consumer that starts now makes sure of its queue first.
    assert_eq!(consumer.declare("q").await.message_count, 3);
    let (got, _) = consumer.get("q").await.unwrap();
    let ack = basic::Ack {
        delivery_tag: got.delivery_tag,
        multiple: false,
    };
    consumer.send(1, ack).await;
    let consume = basic::Consume {
        queue: ShortString::from_static("q"),
        ..basic::Consume::default()
    };
    consumer.send(1, consume).await;
    consumer.method().await;
    for tag in [2, 3] {
        let (_, deliver) = consumer.method().await;
        assert!(matches!(deliver, Method::Basic(basic::Method::Deliver(_))));
        consumer.content().await;
        let ack = basic::Ack {
            delivery_tag: tag,
            multiple: false,
        };
        consumer.send(1, ack).await;
    }
    consumer.send(0, connection::Close::default()).await;
    consumer.expect(0, connection::CloseOk {}).await;
    assert_eq!(server.client().await.declare("q").await.message_count, 0);
}
