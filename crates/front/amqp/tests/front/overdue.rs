//! Deliveries that aren't acknowledged in time.

use std::time::Duration;

use stele_test_testkit::TestBroker;
use stele_wire_amqp::{
    Method, ShortString, Table, Value,
    method::{basic, channel, queue},
};

use crate::support::{Client, Server};

const TEXT: &str = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout \
                    value used: 50 ms. This timeout value can be configured, see consumers doc \
                    guide to learn more";

fn consume() -> basic::Consume {
    basic::Consume {
        queue: ShortString::from_static("q"),
        ..basic::Consume::default()
    }
}

/// Waits until the server closes channel 1.
async fn closed(client: &mut Client) -> channel::Close {
    match client.method().await {
        (1, Method::Channel(channel::Method::Close(close))) => close,
        other => panic!("{other:?}"),
    }
}

async fn is_redelivered(client: &mut Client) {
    client.send(1, channel::CloseOk {}).await;
    client.send(1, channel::Open {}).await;
    client.expect(1, channel::OpenOk {}).await;
    let (got, _) = client.get("q").await.unwrap();
    assert!(got.redelivered);
}

#[tokio::test]
async fn an_overdue_delivery_closes_its_channel_and_is_requeued() {
    let timeout = Some(Duration::from_millis(50));
    let server = Server::on(TestBroker::start(), |it| it.consumer_timeout = timeout).await;
    let mut client = server.client().await;
    client.declare("q").await;
    client.publish("q", b"one", 100).await;
    client.send(1, consume()).await;
    client.method().await;
    client.method().await;
    client.content().await;
    let close = closed(&mut client).await;
    assert_eq!(close.reply_text.as_str(), TEXT);
    assert_eq!(
        (close.reply_code, close.class_id, close.method_id),
        (406, 0, 0)
    );
    is_redelivered(&mut client).await;
    server.stop().await;
}

#[tokio::test]
async fn a_queue_may_have_its_own_time_and_a_get_is_a_delivery() {
    let server = Server::on(TestBroker::start(), |it| it.consumer_timeout = None).await;
    let mut client = server.client().await;
    let declare = queue::Declare {
        queue: ShortString::from_static("q"),
        arguments: Table::new().with("x-consumer-timeout", Value::Int32(50)),
        ..queue::Declare::default()
    };
    client.send(1, declare).await;
    client.method().await;
    client.publish("q", b"one", 100).await;
    client.get("q").await.unwrap();
    assert_eq!(closed(&mut client).await.reply_text.as_str(), TEXT);
    is_redelivered(&mut client).await;
    server.stop().await;
}
