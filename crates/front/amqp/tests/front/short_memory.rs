//! Memory for publishes used up: publishers wait and are told, everything else continues.

use stele_core_broker::Kind;
use stele_wire_amqp::{
    Method, ShortString,
    method::{basic, confirm, connection},
};

use crate::support::{Client, Server};

const BLOCKED: &[&str] = &["connection.blocked"];

async fn confirming(server: &Server) -> Client {
    let mut client = Client::with(server.address, 0, BLOCKED).await;
    client.declare("q").await;
    client.send(1, confirm::Select::default()).await;
    client.expect(1, confirm::SelectOk {}).await;
    client.publish("q", b"first", 100).await;
    client.expect(1, confirmed(1)).await;
    client
}

fn confirmed(number: u64) -> basic::Ack {
    basic::Ack {
        delivery_tag: number,
        multiple: false,
    }
}

async fn expect_blocked(client: &mut Client, reason: &'static str) {
    let reason = ShortString::from_static(reason);
    client.expect(0, connection::Blocked { reason }).await;
}

#[tokio::test]
async fn a_publisher_that_waits_for_memory_is_told_and_continues_when_there_is_some() {
    let server = Server::start().await;
    let mut publisher = confirming(&server).await;
    let mut idle = confirming(&server).await;
    let memory = server.test.broker.memory();
    let taken = memory.note(Kind::Publishes, memory.max_bytes(Kind::Publishes) + 1);
    // A read that was under way isn't stopped.
    publisher.publish("q", b"let in", 100).await;
    publisher.expect(1, confirmed(2)).await;
    publisher.publish("q", b"during", 100).await;
    expect_blocked(&mut publisher, "low on memory").await;
    // Who doesn't publish isn't affected.
    let mut consumer = Client::with(server.address, 0, BLOCKED).await;
    assert!(consumer.get("q").await.is_some());
    drop(taken);
    let mut next = [publisher.method().await, publisher.method().await];
    next.sort_by_key(|(channel, _)| *channel);
    let expected: [(u16, Method); 2] = [
        (0, connection::Unblocked {}.into()),
        (1, confirmed(3).into()),
    ];
    assert_eq!(next, expected);
    idle.publish("q", b"after", 100).await;
    idle.expect(1, confirmed(2)).await;
}
