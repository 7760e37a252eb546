//! What `queue.declare` answers.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so")]

mod support;

use stele_wire_amqp::{
    Method, ShortString, Table, Value,
    method::{basic, channel, queue},
};
use support::Server;

fn text(text: &'static str) -> ShortString {
    ShortString::from_static(text)
}

/// As RabbitMQ's does: servers declare the `reply-to` of a request to learn whether its client
/// still waits.
#[tokio::test]
async fn a_queue_of_replies_is_there_as_long_as_its_client_waits() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut worker = server.client().await;
    let pseudo = "amq.rabbitmq.reply-to";
    let declared = client.declare(pseudo).await;
    assert_eq!((declared.message_count, declared.consumer_count), (0, 1));
    let consume = basic::Consume {
        queue: text(pseudo),
        no_ack: true,
        ..basic::Consume::default()
    };
    client.send(1, consume).await;
    client.method().await;
    let replies = {
        let catalogue = server.test.broker.catalogue();
        let mut logs = catalogue.logs("/", None);
        let replies = logs.find(|log| log.name.starts_with(pseudo));
        replies.unwrap().name.clone()
    };
    let passive = |name: &str| queue::Declare {
        queue: ShortString::new(name).unwrap(),
        passive: true,
        ..queue::Declare::default()
    };
    worker.send(1, passive(&replies)).await;
    let (_, Method::Queue(queue::Method::DeclareOk(declared))) = worker.method().await else {
        panic!("not declared");
    };
    assert_eq!((declared.message_count, declared.consumer_count), (0, 1));
}

/// As RabbitMQ's quorum queues, which outlive their consumers.
#[tokio::test]
async fn a_quorum_queue_stays() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let declare = queue::Declare {
        queue: text("q"),
        durable: true,
        auto_delete: true,
        arguments: Table::new().with("x-queue-type", Value::text("quorum")),
        ..queue::Declare::default()
    };
    client.send(1, declare).await;
    let (1, Method::Channel(channel::Method::Close(close))) = client.method().await else {
        panic!("not refused");
    };
    assert_eq!(
        close.reply_text.as_str(),
        "PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'q' in vhost '/'"
    );
}
