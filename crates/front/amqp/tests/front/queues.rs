//! The replies to `queue.declare`.

use stele_test_testkit::TestBroker;
use stele_wire_amqp::{
    Method, ShortString, Table, Value,
    method::{basic, channel, queue},
};
use tokio::time::timeout;

use crate::support::{PATIENCE, Server};

fn text(text: &'static str) -> ShortString {
    ShortString::from_static(text)
}

/// As in RabbitMQ: servers declare the `reply-to` of a request to learn whether its client still
/// waits.
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

/// As with RabbitMQ's quorum queues, which outlive their consumers.
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

const HOUR_MS: i32 = 3_600_000;

fn expiring(queue: &'static str, expires_ms: i32) -> queue::Declare {
    queue::Declare {
        queue: text(queue),
        durable: true,
        arguments: Table::new().with("x-expires", Value::Int32(expires_ms)),
        ..queue::Declare::default()
    }
}

#[tokio::test]
async fn a_queue_goes_when_it_is_not_used() {
    let server = Server::on(TestBroker::with_shards(2), |_| {}).await;
    let mut client = server.client().await;
    for queue in ["one", "two", "three"] {
        client.send(1, expiring(queue, HOUR_MS)).await;
        client.method().await;
        let bind = queue::Bind {
            queue: text(queue),
            exchange: text("amq.fanout"),
            ..queue::Bind::default()
        };
        client.send(1, bind).await;
        client.expect(1, queue::BindOk {}).await;
    }
    server.test.pass(HOUR_MS.unsigned_abs().into()).await;
    // The definitions are removed once that is on disk.
    let gone = async {
        while server.test.broker.catalogue().all_logs().next().is_some() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    let bindings = {
        let catalogue = server.test.broker.catalogue();
        catalogue.bindings("/", "amq.fanout").count()
    };
    assert_eq!(bindings, 0);
    let passive = queue::Declare {
        passive: true,
        ..expiring("one", HOUR_MS)
    };
    client.send(1, passive).await;
    let (1, Method::Channel(channel::Method::Close(close))) = client.method().await else {
        panic!("still there");
    };
    assert_eq!(
        close.reply_text.as_str(),
        "NOT_FOUND - no queue 'one' in vhost '/'"
    );
}

#[tokio::test]
async fn a_queue_that_is_consumed_or_declared_again_stays() {
    let server = Server::start().await;
    let mut client = server.client().await;
    for queue in ["consumed", "declared", "unused"] {
        client.send(1, expiring(queue, HOUR_MS)).await;
        client.method().await;
    }
    let consume = basic::Consume {
        queue: text("consumed"),
        ..basic::Consume::default()
    };
    client.send(1, consume).await;
    client.method().await;
    server.test.pass((HOUR_MS / 2).unsigned_abs().into()).await;
    client.send(1, expiring("declared", HOUR_MS)).await;
    client.method().await;
    server.test.pass((HOUR_MS / 2).unsigned_abs().into()).await;
    let left = |name| server.test.broker.catalogue().log("/", name).is_some();
    let gone = async {
        while left("unused") {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    assert!(left("consumed") && left("declared"));
}

#[tokio::test]
async fn a_queue_is_declared_again_with_the_time_that_it_has() {
    let server = Server::start().await;
    let mut client = server.client().await;
    for _ in 0..2 {
        client.send(1, expiring("q", HOUR_MS)).await;
        let (1, Method::Queue(queue::Method::DeclareOk(_))) = client.method().await else {
            panic!("not declared");
        };
    }
    client.send(1, expiring("q", HOUR_MS / 2)).await;
    let (1, Method::Channel(channel::Method::Close(close))) = client.method().await else {
        panic!("not refused");
    };
    assert_eq!(
        close.reply_text.as_str(),
        "PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q' in vhost '/': received \
         '1800000' but current is '3600000'"
    );
}
