//! Messages from publisher to consumer, on a real broker and over real sockets.

use bytes::{Bytes, BytesMut};
use stele_base_types::Name;
use stele_test_testkit::TestBroker;
use stele_wire_amqp::{
    ContentHeader, EncodedTable, Frame, Method, Properties, ShortOctets, ShortString, Table, Value,
    encode,
    method::{basic, channel, confirm, connection, queue, tx},
};

use crate::support::{Client, Server};

fn text(text: &'static str) -> ShortString {
    ShortString::from_static(text)
}

async fn select_confirms(client: &mut Client) {
    client.send(1, confirm::Select { no_wait: false }).await;
    client.expect(1, confirm::SelectOk {}).await;
}

async fn consume(client: &mut Client, queue: &'static str) {
    let consume = basic::Consume {
        queue: text(queue),
        consumer_tag: text("c"),
        ..basic::Consume::default()
    };
    client.send(1, consume).await;
    let consumer_tag = text("c");
    client.expect(1, basic::ConsumeOk { consumer_tag }).await;
}

async fn delivery(client: &mut Client) -> (basic::Deliver, Vec<u8>) {
    match client.method().await {
        (1, Method::Basic(basic::Method::Deliver(deliver))) => (deliver, client.content().await),
        other => panic!("not delivered: {other:?}"),
    }
}

/// Reads confirms until `count` publishes are confirmed.
async fn confirmed(client: &mut Client, count: u64) {
    let mut last = 0;
    while last < count {
        match client.method().await {
            (1, Method::Basic(basic::Method::Ack(ack))) => {
                assert!(ack.multiple || ack.delivery_tag == last + 1);
                last = ack.delivery_tag;
            }
            other => panic!("not confirmed: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_confirmed_message_survives_a_restart() {
    let server = Server::start().await;
    let mut client = server.client().await;
    client.declare("orders").await;
    select_confirms(&mut client).await;
    for number in 0..100u8 {
        client.publish("orders", &[number], 1).await;
    }
    confirmed(&mut client, 100).await;
    drop(client);
    let test = server.stop().await.restart().await;
    let server = Server::on(test, |_| {}).await;
    let mut client = server.client().await;
    assert_eq!(client.declare("orders").await.message_count, 100);
    consume(&mut client, "orders").await;
    for number in 0..100u8 {
        let (deliver, body) = delivery(&mut client).await;
        assert_eq!(body, [number]);
        assert_eq!(deliver.delivery_tag, u64::from(number) + 1);
        assert!(!deliver.redelivered);
    }
}

#[tokio::test]
async fn a_client_that_vanishes_gives_back_what_it_held() {
    let server = Server::start().await;
    let mut first = server.client().await;
    first.declare("orders").await;
    for body in [b"a", b"b", b"c"] {
        first.publish("orders", body, 1).await;
    }
    consume(&mut first, "orders").await;
    for _ in 0..3 {
        delivery(&mut first).await;
    }
    let ack = basic::Ack {
        delivery_tag: 2,
        multiple: false,
    };
    first.send(1, ack).await;
    // A reply proves that the earlier acknowledgement was processed.
    first.declare("orders").await;
    drop(first);
    let mut second = server.client().await;
    consume(&mut second, "orders").await;
    for body in [b"a", b"c"] {
        let (deliver, found) = delivery(&mut second).await;
        assert_eq!(found, body);
        assert!(deliver.redelivered);
    }
}

#[tokio::test]
async fn a_channel_that_failed_can_be_opened_again() {
    let server = Server::start().await;
    let mut client = server.client().await;
    client.declare("orders").await;
    client.publish("orders", b"a", 1).await;
    assert!(client.get("orders").await.is_some());
    let ack = basic::Ack {
        delivery_tag: 7,
        multiple: false,
    };
    client.send(1, ack).await;
    match client.method().await {
        (1, Method::Channel(channel::Method::Close(close))) => {
            assert_eq!(
                close.reply_text.as_str(),
                "PRECONDITION_FAILED - unknown delivery tag 7"
            );
            assert_eq!((close.class_id, close.method_id), (60, 80));
        }
        other => panic!("not closed: {other:?}"),
    }
    client.send(1, channel::CloseOk {}).await;
    client.send(1, channel::Open {}).await;
    client.expect(1, channel::OpenOk {}).await;
    let (got, _) = client.get("orders").await.expect("returned by the close");
    assert!(got.redelivered);
    assert_eq!(got.delivery_tag, 1);
}

#[tokio::test]
async fn a_deleted_queue_cancels_its_consumers() {
    let server = Server::start().await;
    let mut consumer = server.client().await;
    consumer.declare("orders").await;
    consume(&mut consumer, "orders").await;
    let mut other = server.client().await;
    let delete = queue::Delete {
        queue: text("orders"),
        ..queue::Delete::default()
    };
    other.send(1, delete).await;
    other.expect(1, queue::DeleteOk { message_count: 0 }).await;
    let cancel = basic::Cancel {
        consumer_tag: text("c"),
        no_wait: true,
    };
    consumer.expect(1, cancel).await;
}

#[tokio::test]
async fn an_exclusive_queue_goes_with_its_connection() {
    let server = Server::start().await;
    let mut owner = server.client().await;
    let declare = queue::Declare {
        queue: text("mine"),
        exclusive: true,
        ..queue::Declare::default()
    };
    owner.send(1, declare).await;
    owner.method().await;
    let exists = || {
        let catalogue = server.test.broker.catalogue();
        catalogue.log("/", "mine").is_some()
    };
    assert!(exists());
    owner.send(0, connection::Close::default()).await;
    owner.expect(0, connection::CloseOk {}).await;
    assert!(!exists(), "gone before the close is answered");
}

#[tokio::test]
async fn a_transaction_takes_effect_at_its_commit() {
    let server = Server::start().await;
    let mut client = server.client().await;
    client.declare("orders").await;
    client.send(1, tx::Select {}).await;
    client.expect(1, tx::SelectOk {}).await;
    client.publish("orders", b"dropped", 100).await;
    client.send(1, tx::Rollback {}).await;
    client.expect(1, tx::RollbackOk {}).await;
    client.publish("orders", b"kept", 100).await;
    assert_eq!(client.declare("orders").await.message_count, 0);
    client.send(1, tx::Commit {}).await;
    client.expect(1, tx::CommitOk {}).await;
    let (got, body) = client.get("orders").await.unwrap();
    assert_eq!(body, b"kept");
    let ack = basic::Ack {
        delivery_tag: got.delivery_tag,
        multiple: false,
    };
    client.send(1, ack.clone()).await;
    client.send(1, tx::Rollback {}).await;
    client.expect(1, tx::RollbackOk {}).await;
    // Unacknowledged again, so it can be acknowledged again.
    client.send(1, ack).await;
    client.send(1, tx::Commit {}).await;
    client.expect(1, tx::CommitOk {}).await;
    assert!(client.get("orders").await.is_none());
}

#[tokio::test]
async fn a_silent_client_is_given_up() {
    let server = Server::start().await;
    let mut client = Client::connect(server.address, 1).await;
    // The number of deliveries depends on the load of the machine, but nothing else arrives before
    // the end.
    while let Some(frame) = client.frame().await {
        assert_eq!(frame, Frame::Heartbeat { channel: 0 });
    }
}

#[tokio::test]
async fn a_stop_is_told_to_clients() {
    let server = Server::start().await;
    let mut client = server.client().await;
    server.ask_to_stop();
    let text = client.closed().await;
    assert!(
        text.starts_with("CONNECTION_FORCED - broker forced connection closure"),
        "{text}"
    );
    client.send(0, connection::CloseOk {}).await;
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn queues_on_different_shards_confirm_each_publish_once() {
    let server = Server::on(TestBroker::with_shards(3), |_| {}).await;
    let mut client = server.client().await;
    let queues: Vec<String> = (0..6).map(|number| format!("q{number}")).collect();
    for queue in &queues {
        client.declare(queue).await;
    }
    select_confirms(&mut client).await;
    for number in 0..60 {
        client.publish(&queues[number % 6], b"x", 1).await;
    }
    let mut open: std::collections::BTreeSet<u64> = (1..=60).collect();
    while !open.is_empty() {
        let (1, Method::Basic(basic::Method::Ack(ack))) = client.method().await else {
            panic!("not confirmed");
        };
        let before = open.len();
        open.retain(|tag| *tag != ack.delivery_tag && !(ack.multiple && *tag < ack.delivery_tag));
        assert!(open.len() < before, "{ack:?} confirms nothing");
    }
    for queue in &queues {
        assert_eq!(client.declare(queue).await.message_count, 10);
    }
}

#[tokio::test]
async fn a_topic_that_another_protocol_made_can_be_consumed_from() {
    use stele_core_engine::{
        Adopt, DeclareLog, Durability, Lifetime, LogConfig, Retention, Window,
    };
    let server = Server::start().await;
    let window = Window {
        time_ms: Some(1 << 40),
        size_bytes: None,
    };
    let declare = DeclareLog {
        vhost: Name::vhost_default(),
        name: Name::new("orders").unwrap(),
        config: LogConfig {
            partitions: 3,
            durability: Durability::Synced,
            retention: Retention {
                until_acknowledged: false,
                window: Some(window),
            },
            lifetime: Lifetime::default(),
            queue: None,
        },
        adopt: Adopt::default(),
        facet: "kafka".into(),
        settings: Default::default(),
    };
    server.test.broker.declare_log(declare).await.unwrap();
    let mut client = server.client().await;
    client.publish("orders", b"before", 100).await;
    consume(&mut client, "orders").await;
    let (deliver, body) = delivery(&mut client).await;
    assert_eq!(
        (deliver.routing_key.as_text(), &body[..]),
        (Some("orders"), &b"before"[..])
    );
}

#[tokio::test]
async fn carbon_copies_are_further_keys_and_blind_ones_are_not_told() {
    let server = Server::start().await;
    let mut client = server.client().await;
    for queue in ["to", "copy", "blind"] {
        client.declare(queue).await;
    }
    let keys = |key| Value::Array(vec![Value::text(key), Value::text("to")]);
    let headers = Table::new()
        .with("CC", keys("copy"))
        .with("BCC", keys("blind"));
    let properties = Properties {
        headers: Some(EncodedTable::from(&headers)),
        ..Properties::default()
    };
    client
        .publish_with("to", properties.encode(), b"x", 100)
        .await;
    for queue in ["to", "copy", "blind"] {
        assert_eq!(client.declare(queue).await.message_count, 1, "{queue}");
        let get = basic::Get {
            queue: ShortString::new(queue).unwrap(),
            no_ack: true,
        };
        client.send(1, get).await;
        client.method().await;
        let Some(Frame::Header { payload, .. }) = client.frame().await else {
            panic!("no header");
        };
        let properties = ContentHeader::decode(payload).unwrap().properties;
        let headers = properties.parse().unwrap().headers.unwrap();
        let told = Table::new().with("CC", keys("copy"));
        assert_eq!(headers.decode(), Ok(told));
        client.frame().await;
    }
}

/// A key of arbitrary bytes is matched by patterns and returned unchanged, like the properties.
#[tokio::test]
async fn strings_of_a_message_may_be_any_octets() {
    let server = Server::start().await;
    let mut client = server.client().await;
    select_confirms(&mut client).await;
    client.declare("q").await;
    let bind = queue::Bind {
        queue: text("q"),
        exchange: text("amq.topic"),
        routing_key: text("*.b"),
        ..queue::Bind::default()
    };
    client.send(1, bind).await;
    client.expect(1, queue::BindOk {}).await;
    let octets =
        |octets: &'static [u8]| ShortOctets::from_bytes(Bytes::from_static(octets)).unwrap();
    let properties = Properties {
        message_id: Some(octets(b"\xff\x00")),
        ..Properties::default()
    };
    let publish = basic::Publish {
        exchange: octets(b"amq.topic"),
        routing_key: octets(b"\xff.b"),
        ..basic::Publish::default()
    };
    client.send(1, publish).await;
    let header = ContentHeader {
        class_id: 60,
        body_size: 0,
        properties: properties.encode(),
    };
    let mut out = BytesMut::new();
    encode::header(&mut out, 1, &header);
    client.octets(&out).await;
    let (1, Method::Basic(basic::Method::Ack(_))) = client.method().await else {
        panic!("not confirmed");
    };
    let get = basic::Get {
        queue: text("q"),
        no_ack: true,
    };
    client.send(1, get).await;
    let (1, Method::Basic(basic::Method::GetOk(got))) = client.method().await else {
        panic!("nothing got");
    };
    assert_eq!(got.routing_key, octets(b"\xff.b"));
    let Some(Frame::Header { payload, .. }) = client.frame().await else {
        panic!("no header");
    };
    assert_eq!(ContentHeader::decode(payload).unwrap(), header);
}

#[tokio::test]
async fn a_message_of_the_maximum_size_arrives_however_large_that_is() {
    const SIZE_BYTES: usize = 70 << 20;
    let server = Server::on(TestBroker::start(), |settings| {
        settings.body_bytes_max = SIZE_BYTES as u64;
    })
    .await;
    let mut client = server.client().await;
    client.declare("q").await;
    let body = vec![7; SIZE_BYTES];
    client.publish("q", &body, 131_064).await;
    let (_, found) = client.get("q").await.unwrap();
    assert!(found == body, "{} bytes", found.len());
}
