//! The front as the broker sees it, and records stored by other protocols.

use stele_core_broker::Publish;
use stele_core_engine::{AppendTarget, Durability};
use stele_front_accept::Registry;
use stele_test_testkit::{TestBroker, claiming, counted, message, unopenable};
use stele_wire_amqp::{
    Method, ShortString,
    method::{basic, connection},
};

use crate::support::{Client, Server};

#[tokio::test]
async fn methods_errors_octets_and_connections_are_counted() {
    let server = Server::start().await;
    let broker = server.test.broker.clone();
    let mut client = server.client().await;
    client.declare("q").await;
    client.publish("q", b"one", 100).await;
    client.publish("q", b"two", 100).await;
    let consume = basic::Consume {
        queue: ShortString::from_static("q"),
        no_ack: true,
        ..basic::Consume::default()
    };
    client.send(1, consume).await;
    client.method().await;
    for _ in 0..2 {
        client.method().await;
        client.content().await;
    }
    assert_eq!(broker.front_counts()[0].connections, 1);
    // Consuming from a missing queue closes the channel, not the connection.
    let consume = basic::Consume {
        queue: ShortString::from_static("none"),
        ..basic::Consume::default()
    };
    client.send(1, consume).await;
    client.method().await;
    client.send(0, connection::Close::default()).await;
    client.rest().await;
    let mut foreign = Client::raw(server.address).await;
    foreign.octets(b"GET / HT").await;
    foreign.rest().await;
    // The last bytes sent are counted by then.
    server.stop().await;

    let counts = broker.front_counts().remove(0);
    assert_eq!(counts.front, "amqp");
    assert_eq!(counted(&counts.requests, "basic.publish"), 2);
    assert_eq!(counted(&counts.requests, "basic.deliver"), 2);
    assert_eq!(counted(&counts.requests, "basic.consume"), 2);
    assert_eq!(counted(&counts.errors, "basic.consume"), 1);
    assert_eq!(counted(&counts.errors, "basic.publish"), 0);
    assert_eq!((counts.connections, counts.connections_total), (0, 2));
    assert_eq!(counts.connection_errors, 1);
    // The greeting alone is longer.
    assert!(counts.sent_bytes > 100 && counts.received_bytes > 100);
}

#[tokio::test]
async fn a_durable_queue_is_of_the_class_that_is_set() {
    for durability in [Durability::Synced, Durability::Flushed] {
        let server = Server::on(TestBroker::start(), |it| it.durability = durability).await;
        server.client().await.declare("q").await;
        let catalogue = server.test.broker.catalogue();
        let queue = catalogue.log("/", "q").unwrap();
        assert_eq!(queue.config.durability, durability);
    }
}

/// A Kafka producer may send a batch that can't be decoded.
#[tokio::test]
async fn a_consumer_goes_on_behind_a_batch_that_cannot_be_read() {
    let server = Server::start().await;
    let mut client = server.client().await;
    client.declare("q").await;
    let target = {
        let catalogue = server.test.broker.catalogue();
        AppendTarget {
            log: catalogue.log("/", "q").unwrap().id,
            partition: None,
        }
    };
    let publish = async |batch| {
        let publish = Publish::to(target, batch);
        server.test.broker.append(publish).await.unwrap();
    };
    publish(unopenable(&message("broken"))).await;
    publish(message("got")).await;
    publish(claiming(&message("short"), 1_000)).await;
    publish(unopenable(&message("broken"))).await;
    publish(message("good")).await;
    assert_eq!(client.get("q").await.unwrap().1, b"got");
    let consume = basic::Consume {
        queue: ShortString::from_static("q"),
        ..basic::Consume::default()
    };
    client.send(1, consume).await;
    client.method().await;
    for expected in [&b"short"[..], b"good"] {
        let (_, deliver) = client.method().await;
        assert!(matches!(deliver, Method::Basic(basic::Method::Deliver(_))));
        assert_eq!(client.content().await, expected);
    }
    assert_eq!(server.test.broker.unreadable_batches(), 3);
    assert_eq!(client.declare("q").await.message_count, 0);
}

#[tokio::test]
async fn a_connection_that_an_administrator_closes_hears_the_reason() {
    let connections = Registry::default();
    let server = Server::on(TestBroker::start(), |settings| {
        settings.connections = connections.clone();
    })
    .await;
    let mut client = server.client().await;
    let mut other = server.client().await;
    let open = connections.list();
    assert_eq!(open.len(), 2);
    assert_eq!(open[0].principal.user(), Some("guest"));
    assert_eq!(open[0].vhost.as_str(), "/");
    assert!(connections.close(&open[0].name(), "because"));
    assert_eq!(client.closed().await, "CONNECTION_FORCED - because");
    client.send(0, connection::CloseOk {}).await;
    client.rest().await;
    // The other client continues; the first is forgotten with its socket.
    other.declare("q").await;
    while connections.list().len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(connections.list()[0].name(), open[1].name());
}
