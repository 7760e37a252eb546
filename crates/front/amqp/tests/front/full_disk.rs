//! A disk below its reserve: publishers are notified and wait, everything else continues, nothing
//! is lost.

use std::{cell::Cell, collections::BTreeSet};

use stele_test_testkit::TestBroker;
use stele_wire_amqp::{
    Frame, Method, ShortString,
    method::{basic, channel, confirm, connection, exchange, queue, tx},
};

use crate::support::{Client, Server};

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

/// Reads confirms until `count` publishes are confirmed; none may be refused.
async fn confirms_all(client: &mut Client, count: u64) {
    let mut confirmed = BTreeSet::new();
    while (confirmed.len() as u64) < count {
        match client.method().await {
            (1, Method::Basic(basic::Method::Ack(ack))) => {
                let first = if ack.multiple { 1 } else { ack.delivery_tag };
                confirmed.extend(first..=ack.delivery_tag);
            }
            (0, Method::Connection(_)) => {}
            other => panic!("not confirmed: {other:?}"),
        }
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
    // A client that connects now is notified as soon as its connection is open, unless it lacks the
    // capability.
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
    // A consumer that starts now first declares its queue.
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

/// An RPC client first declares a queue for the replies.
#[tokio::test]
async fn queues_exchanges_and_bindings_can_be_made_and_have_an_end() {
    let server = Server::start().await;
    let mut client = server.client().await;
    client.declare("q").await;
    server.test.fill_disk().await;
    let answers = queue::Declare {
        exclusive: true,
        auto_delete: true,
        ..queue::Declare::default()
    };
    client.send(1, answers).await;
    let (_, declared) = client.method().await;
    let Method::Queue(queue::Method::DeclareOk(declared)) = declared else {
        panic!("{declared:?}");
    };
    let exchange = exchange::Declare {
        exchange: ShortString::from_static("e"),
        kind: ShortString::from_static("fanout"),
        ..exchange::Declare::default()
    };
    client.send(1, exchange).await;
    client.expect(1, exchange::DeclareOk {}).await;
    let bind = queue::Bind {
        queue: declared.queue,
        exchange: ShortString::from_static("e"),
        ..queue::Bind::default()
    };
    client.send(1, bind).await;
    client.expect(1, queue::BindOk {}).await;
    server.test.empty_disk().await;

    server.test.fill_disk_for_definitions().await;
    let another = queue::Declare {
        queue: ShortString::from_static("another"),
        ..queue::Declare::default()
    };
    client.send(1, another).await;
    let (number, refused) = client.method().await;
    let Method::Connection(connection::Method::Close(close)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (number, close.reply_code, close.reply_text.as_str()),
        (0, 506, "RESOURCE_ERROR - no space left on the disk")
    );
}

/// That one shard has checked the disk says nothing about the others.
#[tokio::test]
async fn what_is_held_waits_until_every_shard_has_space() {
    let server = Server::on(TestBroker::with_shards(2), |_| {}).await;
    let mut publisher = Client::with(server.address, 0, BLOCKED).await;
    // One for each shard.
    for queue in ["even", "odd"] {
        publisher.declare(queue).await;
    }
    confirming(&mut publisher).await;
    server.test.fill_disk().await;
    expect_blocked(&mut publisher).await;
    for number in 0..10 {
        let queue = ["even", "odd"][number % 2];
        publisher.publish(queue, b"held", 100).await;
    }
    server.test.empty_disk_of(0).await;
    server.test.empty_disk_of(1).await;
    publisher.expect(0, connection::Unblocked {}).await;
    confirms_all(&mut publisher, 10).await;
    for queue in ["even", "odd"] {
        assert_eq!(publisher.declare(queue).await.message_count, 5);
    }
}

/// RabbitMQ never refuses a message because of low disk space.
#[tokio::test]
async fn what_comes_before_its_client_could_know_is_taken_later_and_never_refused() {
    let server = Server::on(TestBroker::with_shards(2), |_| {}).await;
    let mut publisher = server.client().await;
    for queue in ["even", "odd"] {
        publisher.declare(queue).await;
    }
    confirming(&mut publisher).await;
    let is_full = Cell::new(false);
    let publishing = async {
        let mut pairs = 0;
        while !is_full.get() {
            for queue in ["even", "odd"] {
                publisher.publish(queue, b"x", 100).await;
            }
            pairs += 1;
        }
        (publisher, pairs)
    };
    let filling = async {
        server.test.fill_disk().await;
        is_full.set(true);
        server.test.empty_disk().await;
    };
    let ((mut publisher, pairs), ()) = tokio::join!(publishing, filling);
    confirms_all(&mut publisher, 2 * pairs).await;
    for queue in ["even", "odd"] {
        let declared = publisher.declare(queue).await;
        assert_eq!(u64::from(declared.message_count), pairs);
    }
}

/// A connection that isn't read looks like a silent one.
#[tokio::test]
async fn a_publisher_that_waits_is_not_taken_for_gone() {
    let server = Server::start().await;
    let mut publisher = Client::with(server.address, 1, BLOCKED).await;
    publisher.declare("q").await;
    server.test.fill_disk().await;
    expect_blocked(&mut publisher).await;
    // More than is read from a waiting publisher.
    let body = vec![0; 1 << 20];
    publisher.publish("q", &body, 100_000).await;
    publisher.publish("q", &body, 100_000).await;
    // Two heartbeats per second; the connection would end after four missed ones.
    for _ in 0..8 {
        let heartbeat = publisher.frame().await;
        assert!(matches!(heartbeat, Some(Frame::Heartbeat { .. })));
    }
    server.test.empty_disk().await;
    publisher.expect(0, connection::Unblocked {}).await;
    assert_eq!(publisher.declare("q").await.message_count, 2);
}

#[tokio::test]
async fn a_commit_waits_for_space_with_its_messages() {
    let server = Server::on(TestBroker::with_shards(2), |_| {}).await;
    let mut publisher = Client::with(server.address, 0, BLOCKED).await;
    for queue in ["even", "odd"] {
        publisher.declare(queue).await;
    }
    publisher.send(1, tx::Select {}).await;
    publisher.expect(1, tx::SelectOk {}).await;
    for queue in ["even", "odd"] {
        publisher.publish(queue, b"x", 100).await;
    }
    // The replies after them show that they were processed.
    assert_eq!(publisher.declare("odd").await.message_count, 0);
    server.test.fill_disk().await;
    publisher.send(1, tx::Commit {}).await;
    expect_blocked(&mut publisher).await;
    server.test.empty_disk().await;
    publisher.expect(0, connection::Unblocked {}).await;
    publisher.expect(1, tx::CommitOk {}).await;
    for queue in ["even", "odd"] {
        assert_eq!(publisher.declare(queue).await.message_count, 1);
    }
}
