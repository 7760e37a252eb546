//! Reading without taking: streams, and other logs that keep what they hold.

use stele_base_types::Name;
use stele_core_engine::{
    Adopt, AlterLog, DeclareLog, Durability, Lifetime, LogConfig, Retention, Role, Settings, Window,
};
use stele_test_testkit::TestBroker;
use stele_wire_amqp::{
    ContentHeader, EncodedTable, Frame, Method, Properties, ShortString, Table, Value,
    method::{basic, channel, connection, queue},
};

use crate::support::{Client, Server};

fn stream(name: &'static str) -> queue::Declare {
    queue::Declare {
        queue: ShortString::from_static(name),
        durable: true,
        arguments: Table::new().with("x-queue-type", Value::text("stream")),
        ..queue::Declare::default()
    }
}

async fn declare(client: &mut Client, declare: queue::Declare) -> queue::DeclareOk {
    client.send(1, declare).await;
    match client.method().await {
        (1, Method::Queue(queue::Method::DeclareOk(ok))) => ok,
        other => panic!("not declared: {other:?}"),
    }
}

async fn qos(client: &mut Client, prefetch_count: u16) {
    let qos = basic::Qos {
        prefetch_count,
        ..basic::Qos::default()
    };
    client.send(1, qos).await;
    client.expect(1, basic::QosOk {}).await;
}

fn reading(name: &'static str, arguments: Table) -> basic::Consume {
    basic::Consume {
        queue: ShortString::from_static(name),
        consumer_tag: ShortString::from_static("t"),
        arguments,
        ..basic::Consume::default()
    }
}

fn from(offset: Value) -> Table {
    Table::new().with("x-stream-offset", offset)
}

async fn read(client: &mut Client, name: &'static str, arguments: Table) {
    client.send(1, reading(name, arguments)).await;
    let consumer_tag = ShortString::from_static("t");
    client.expect(1, basic::ConsumeOk { consumer_tag }).await;
}

/// A delivery: its tag, its offset and its body.
async fn delivery(client: &mut Client) -> (u64, i64, String) {
    let (1, Method::Basic(basic::Method::Deliver(deliver))) = client.method().await else {
        panic!("not delivered");
    };
    assert!(!deliver.redelivered);
    let Some(Frame::Header { payload, .. }) = client.frame().await else {
        panic!("no header");
    };
    let header = ContentHeader::decode(payload).unwrap();
    let headers = header.properties.parse().unwrap().headers.unwrap();
    let headers = headers.decode().unwrap();
    let offset = headers.find("x-stream-offset").unwrap();
    assert_eq!(offset.type_name(), "long");
    let Some(Frame::Body { payload, .. }) = client.frame().await else {
        panic!("no body");
    };
    let body = String::from_utf8(payload.to_vec()).unwrap();
    (deliver.delivery_tag, offset.as_integer().unwrap(), body)
}

async fn offsets(client: &mut Client, count: usize) -> Vec<i64> {
    let mut offsets = Vec::new();
    for _ in 0..count {
        let (_, offset, body) = delivery(client).await;
        assert_eq!(body, offset.to_string());
        offsets.push(offset);
    }
    offsets
}

async fn ack(client: &mut Client, delivery_tag: u64, multiple: bool) {
    let ack = basic::Ack {
        delivery_tag,
        multiple,
    };
    client.send(1, ack).await;
}

/// Publishes the numbers from `first`, and returns once they are stored.
async fn publish(client: &mut Client, name: &'static str, first: u32, count: u32) {
    for number in first..first + count {
        client
            .publish(name, number.to_string().as_bytes(), 1000)
            .await;
    }
    let passive = queue::Declare {
        passive: true,
        ..stream(name)
    };
    while declare(client, passive.clone()).await.message_count < first + count {}
}

/// The code and the text with which the channel or the connection is closed.
async fn refused(client: &mut Client) -> (u16, u16, String) {
    match client.method().await {
        (1, Method::Channel(channel::Method::Close(close))) => {
            client.send(1, channel::CloseOk {}).await;
            client.send(1, channel::Open {}).await;
            client.expect(1, channel::OpenOk {}).await;
            (1, close.reply_code, close.reply_text.to_string())
        }
        (0, Method::Connection(connection::Method::Close(close))) => {
            (0, close.reply_code, close.reply_text.to_string())
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn readers_get_the_same_messages_each_within_its_prefetch_count() {
    let server = Server::start().await;
    let mut client = server.client().await;
    declare(&mut client, stream("s")).await;
    publish(&mut client, "s", 0, 10).await;
    let mut other = server.client().await;
    for client in [&mut client, &mut other] {
        qos(client, 3).await;
        read(client, "s", from(Value::text("first"))).await;
        assert_eq!(offsets(client, 3).await, [0, 1, 2]);
    }
    // Nothing comes before an acknowledgement, however it is given.
    for client in [&mut client, &mut other] {
        let passive = queue::Declare {
            passive: true,
            ..stream("s")
        };
        let found = declare(client, passive).await;
        assert_eq!((found.message_count, found.consumer_count), (10, 0));
        ack(client, 2, true).await;
        assert_eq!(offsets(client, 2).await, [3, 4]);
        let nack = basic::Nack {
            delivery_tag: 3,
            multiple: false,
            requeue: true,
        };
        client.send(1, nack).await;
        let reject = basic::Reject {
            delivery_tag: 5,
            requeue: false,
        };
        client.send(1, reject).await;
        assert_eq!(offsets(client, 2).await, [5, 6]);
        ack(client, 0, true).await;
        assert_eq!(offsets(client, 3).await, [7, 8, 9]);
    }
}

#[tokio::test]
async fn a_reader_begins_anywhere_and_follows_what_is_published() {
    let server = Server::on(TestBroker::with_shards(2), |_| {}).await;
    let mut client = server.client().await;
    declare(&mut client, stream("s")).await;
    let mut reader = server.client().await;
    qos(&mut reader, 100).await;
    // What comes next, before there is anything, and after.
    read(&mut reader, "s", Table::new()).await;
    publish(&mut client, "s", 0, 3).await;
    assert_eq!(offsets(&mut reader, 3).await, [0, 1, 2]);
    let starts = [
        (Value::text("last"), vec![2, 3]),
        (Value::Int32(1), vec![1, 2, 3]),
        (Value::Int32(-1), vec![0, 1, 2, 3]),
        (Value::text("next"), vec![3]),
        (Value::Int64(3), vec![3]),
        (Value::text("1h"), vec![0, 1, 2, 3]),
        (Value::Timestamp(1), vec![0, 1, 2, 3]),
        (Value::Timestamp(u64::MAX), vec![3]),
    ];
    let mut readers = Vec::new();
    for (start, expected) in starts {
        let mut reader = server.client().await;
        qos(&mut reader, 100).await;
        read(&mut reader, "s", from(start)).await;
        let early = expected.len() - 1;
        assert_eq!(offsets(&mut reader, early).await, expected[..early]);
        readers.push((reader, expected[early]));
    }
    // One that waits for a message that is still to come.
    let mut future = server.client().await;
    qos(&mut future, 100).await;
    read(&mut future, "s", from(Value::Int32(5))).await;
    publish(&mut client, "s", 3, 3).await;
    for (reader, expected) in &mut readers {
        assert_eq!(offsets(reader, 1).await, [*expected]);
    }
    assert_eq!(offsets(&mut future, 1).await, [5]);
}

#[tokio::test]
async fn a_reader_is_refused_as_in_rabbitmq() {
    let server = Server::start().await;
    let mut client = server.client().await;
    declare(&mut client, stream("s")).await;
    client.declare("q").await;
    let precondition = |text: &str| (1, 406, format!("PRECONDITION_FAILED - {text}"));
    client.send(1, reading("s", Table::new())).await;
    assert_eq!(
        refused(&mut client).await,
        precondition("consumer prefetch count is not set for 'queue 's' in vhost '/''")
    );
    qos(&mut client, 1).await;
    client.send(1, reading("s", from(Value::Bool(true)))).await;
    assert_eq!(
        refused(&mut client).await,
        precondition(
            "invalid arg 'x-stream-offset' for queue 's' in vhost '/': \
             {invalid_stream_offset_arg,{bool,true}}"
        )
    );
    qos(&mut client, 1).await;
    let prior = Table::new().with("x-priority", Value::Int32(1));
    client.send(1, reading("s", prior)).await;
    assert_eq!(
        refused(&mut client).await,
        precondition(
            "invalid arg 'x-priority' for queue 's' in vhost '/' of queue type rabbit_stream_queue"
        )
    );
    qos(&mut client, 1).await;
    client
        .send(1, reading("q", from(Value::text("first"))))
        .await;
    assert_eq!(
        refused(&mut client).await,
        precondition(
            "invalid arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type \
             rabbit_classic_queue without x-stele-keep"
        )
    );
    let not_implemented = |text: &str| (0, 540, format!("NOT_IMPLEMENTED - {text}"));
    let s = || ShortString::from_static("s");
    let get = basic::Get {
        queue: s(),
        no_ack: true,
    };
    let purge = queue::Purge {
        queue: s(),
        no_wait: false,
    };
    let unacknowledged = basic::Consume {
        no_ack: true,
        ..reading("s", Table::new())
    };
    let cases: [(Method, &str); 3] = [
        (get.into(), "basic.get not supported"),
        (purge.into(), "queue.purge not supported"),
        (
            unacknowledged.into(),
            "automatic acknowledgement not supported",
        ),
    ];
    for (method, what) in cases {
        let mut client = server.client().await;
        qos(&mut client, 1).await;
        client.send(1, method).await;
        let text = format!("{what} by stream queues queue 's' in vhost '/'");
        assert_eq!(refused(&mut client).await, not_implemented(&text));
    }
}

#[tokio::test]
async fn a_filter_leaves_out_what_is_not_wanted() {
    let server = Server::start().await;
    let mut client = server.client().await;
    declare(&mut client, stream("s")).await;
    for number in 0..6_u32 {
        let value = ["a", "b"].get(number as usize % 3);
        let headers =
            value.map(|value| Table::new().with("x-stream-filter-value", Value::text(value)));
        let properties = Properties {
            headers: headers.as_ref().map(EncodedTable::from),
            ..Properties::default()
        };
        let body = number.to_string();
        client
            .publish_with("s", properties.encode(), body.as_bytes(), 1000)
            .await;
    }
    qos(&mut client, 10).await;
    let filter = from(Value::text("first")).with("x-stream-filter", Value::text("a"));
    read(&mut client, "s", filter.clone()).await;
    assert_eq!(offsets(&mut client, 2).await, [0, 3]);
    let mut other = server.client().await;
    qos(&mut other, 10).await;
    let unfiltered = filter.with("x-stream-match-unfiltered", Value::Bool(true));
    read(&mut other, "s", unfiltered).await;
    assert_eq!(offsets(&mut other, 4).await, [0, 2, 3, 5]);
}

#[tokio::test]
async fn a_reader_ends_with_its_stream_or_by_its_client() {
    let server = Server::start().await;
    let mut client = server.client().await;
    declare(&mut client, stream("s")).await;
    publish(&mut client, "s", 0, 2).await;
    qos(&mut client, 1).await;
    read(&mut client, "s", from(Value::text("first"))).await;
    assert_eq!(offsets(&mut client, 1).await, [0]);
    let consumer_tag = ShortString::from_static("t");
    let cancel = basic::Cancel {
        consumer_tag: consumer_tag.clone(),
        no_wait: false,
    };
    client.send(1, cancel).await;
    let cancelled = basic::CancelOk {
        consumer_tag: consumer_tag.clone(),
    };
    client.expect(1, cancelled).await;
    // Its delivery is still to be acknowledged, to no effect.
    ack(&mut client, 1, false).await;
    read(&mut client, "s", from(Value::text("next"))).await;
    let mut other = server.client().await;
    let delete = queue::Delete {
        queue: ShortString::from_static("s"),
        if_unused: true,
        if_empty: true,
        no_wait: false,
    };
    other.send(1, delete).await;
    other.expect(1, queue::DeleteOk { message_count: 0 }).await;
    let gone = basic::Cancel {
        consumer_tag,
        no_wait: true,
    };
    client.expect(1, gone).await;
}

/// Far more than the output holds: the client's reading sets the pace.
#[tokio::test]
async fn a_long_stream_is_read_to_its_end_beside_a_queue() {
    let server = Server::start().await;
    let mut client = server.client().await;
    declare(&mut client, stream("s")).await;
    client.declare("q").await;
    let body = vec![b'x'; 100_000];
    for _ in 0..100 {
        client.publish("s", &body, 100_000).await;
    }
    qos(&mut client, 1000).await;
    read(&mut client, "s", from(Value::text("first"))).await;
    let of_queue = basic::Consume {
        queue: ShortString::from_static("q"),
        consumer_tag: ShortString::from_static("of queue"),
        ..basic::Consume::default()
    };
    client.send(1, of_queue).await;
    client.publish("q", b"small", 1000).await;
    let (mut read, mut is_served) = (0, false);
    while read < 100 || !is_served {
        match client.method().await {
            (1, Method::Basic(basic::Method::Deliver(deliver))) => {
                let is_of_queue = deliver.consumer_tag.as_str() == "of queue";
                is_served |= is_of_queue;
                read += usize::from(!is_of_queue);
                client.content().await;
            }
            (1, Method::Basic(basic::Method::ConsumeOk(_))) => {}
            other => panic!("not delivered: {other:?}"),
        }
    }
}

fn topic(name: &str, partitions: u32) -> DeclareLog {
    DeclareLog {
        vhost: Name::vhost_default(),
        name: Name::new(name).unwrap(),
        config: LogConfig {
            partitions,
            durability: Durability::Synced,
            retention: Retention {
                until_acknowledged: false,
                window: Some(Window {
                    time_ms: Some(1_000_000),
                    size_bytes: None,
                }),
            },
            lifetime: Lifetime::default(),
            queue: None,
        },
        adopt: Adopt::default(),
        facet: "kafka".into(),
        settings: Settings::new(),
    }
}

#[tokio::test]
async fn a_topic_is_read_as_a_stream_partition_by_partition() {
    let server = Server::start().await;
    for (name, partitions) in [("one", 1), ("three", 3)] {
        let declared = server.test.broker.declare_log(topic(name, partitions));
        declared.await.unwrap();
    }
    let mut client = server.client().await;
    publish(&mut client, "one", 0, 2).await;
    qos(&mut client, 10).await;
    read(&mut client, "one", from(Value::text("first"))).await;
    assert_eq!(offsets(&mut client, 2).await, [0, 1]);
    let ledger = {
        let catalogue = server.test.broker.catalogue();
        catalogue.log("/", "one").unwrap().config.queue
    };
    assert_eq!(ledger, None, "reading opens no queue");

    let mut client = server.client().await;
    let wrong = [
        (None, "missing for 3 partitions"),
        (Some(Value::Int32(3)), "3 of 3 partitions"),
        (Some(Value::Int64(-1)), "-1 of 3 partitions"),
        (Some(Value::text("1")), "\"expected integer, got longstr\""),
    ];
    for (partition, what) in wrong {
        qos(&mut client, 10).await;
        let arguments = match partition {
            Some(partition) => from(Value::Int32(0)).with("x-stele-partition", partition),
            None => from(Value::Int32(0)),
        };
        client.send(1, reading("three", arguments)).await;
        let (_, _, text) = refused(&mut client).await;
        let prefix = "PRECONDITION_FAILED - invalid arg 'x-stele-partition' for queue 'three' in \
                      vhost '/'";
        assert_eq!(text, format!("{prefix}: {what}"));
    }
    // One by one, since those sent together stay together.
    for number in 0..3 {
        publish(&mut client, "three", number, 1).await;
    }
    for partition in 0..3 {
        let mut client = server.client().await;
        qos(&mut client, 10).await;
        let of_partition = Value::Int32(partition);
        let arguments = from(Value::text("first")).with("x-stele-partition", of_partition);
        read(&mut client, "three", arguments).await;
        let (_, offset, body) = delivery(&mut client).await;
        assert_eq!((offset, body), (0, partition.to_string()));
    }
}

#[tokio::test]
async fn a_topic_becomes_a_stream_and_keeps_at_least_what_it_kept() {
    let server = Server::start().await;
    let window = |name: &str| {
        let catalogue = server.test.broker.catalogue();
        let retention = catalogue.log("/", name).unwrap().config.retention;
        assert!(!retention.until_acknowledged);
        retention.window.unwrap().time_ms
    };
    let aged = |name, age| queue::Declare {
        arguments: Table::new()
            .with("x-queue-type", Value::text("stream"))
            .with("x-max-age", Value::text(age)),
        ..stream(name)
    };
    let mut client = server.client().await;
    for name in ["plain", "longer", "shorter", "consumed"] {
        let declared = server.test.broker.declare_log(topic(name, 1));
        declared.await.unwrap();
    }
    declare(&mut client, stream("plain")).await;
    assert_eq!(window("plain"), Some(1_000_000));
    declare(&mut client, aged("longer", "1h")).await;
    assert_eq!(window("longer"), Some(3_600_000));
    declare(&mut client, aged("shorter", "1s")).await;
    assert_eq!(window("shorter"), Some(1_000_000));
    // One that a consumer has opened as a queue.
    assert!(client.get("consumed").await.is_none());
    declare(&mut client, aged("consumed", "1h")).await;
    assert_eq!(window("consumed"), Some(3_600_000));
    declare(&mut client, aged("consumed", "1h")).await;
    client.send(1, aged("consumed", "2h")).await;
    let (_, _, text) = refused(&mut client).await;
    assert_eq!(
        text,
        "PRECONDITION_FAILED - inequivalent arg 'x-max-age' for queue 'consumed' in vhost '/': \
         received '2h' but current is '1h'"
    );
    let classic = queue::Declare {
        arguments: Table::new(),
        ..stream("consumed")
    };
    client.send(1, classic).await;
    let (_, _, text) = refused(&mut client).await;
    assert_eq!(
        text,
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'consumed' in vhost '/': \
         received none but current is the value 'stream' of type 'longstr'"
    );
}

#[tokio::test]
async fn a_stream_must_be_durable_shared_lasting_and_named() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let invalid = |property: &str| {
        format!("PRECONDITION_FAILED - invalid property '{property}' for queue 's' in vhost '/'")
    };
    let unnamed = "PRECONDITION_FAILED - Cannot declare a server-named queue for type \
                   rabbit_stream_queue";
    let cases = [
        (
            queue::Declare {
                durable: false,
                ..stream("s")
            },
            invalid("non-durable"),
        ),
        (
            queue::Declare {
                auto_delete: true,
                durable: false,
                ..stream("s")
            },
            invalid("auto-delete"),
        ),
        (
            queue::Declare {
                exclusive: true,
                ..stream("s")
            },
            invalid("exclusive-owner"),
        ),
        (stream(""), unnamed.to_owned()),
    ];
    for (declare, expected) in cases {
        client.send(1, declare).await;
        assert_eq!(refused(&mut client).await, (1, 406, expected));
    }
    assert!(server.test.broker.catalogue().all_logs().next().is_none());
}

fn kept(name: &'static str, durable: bool, keep: Value) -> queue::Declare {
    queue::Declare {
        durable,
        arguments: Table::new().with("x-stele-keep", keep),
        ..stream(name)
    }
}

#[tokio::test]
async fn a_kept_queue_is_read_again_after_everything_is_acknowledged() {
    let server = Server::start().await;
    for (name, durable) in [("durable", true), ("transient", false)] {
        let mut client = server.client().await;
        let declaration = kept(name, durable, Value::text("7D"));
        declare(&mut client, declaration.clone()).await;
        declare(&mut client, declaration).await;
        publish(&mut client, name, 0, 5).await;
        for number in 0..5_u64 {
            let (_, body) = client.get(name).await.unwrap();
            assert_eq!(body, number.to_string().as_bytes());
            ack(&mut client, number + 1, false).await;
        }
        assert!(client.get(name).await.is_none());
        // Retention looks at the log about once a second.
        server.test.pass(60_000).await;
        qos(&mut client, 10).await;
        read(&mut client, name, from(Value::text("first"))).await;
        assert_eq!(offsets(&mut client, 5).await, [0, 1, 2, 3, 4]);
        // Without an offset it is a queue like any other.
        let mut worker = server.client().await;
        read(&mut worker, name, Table::new()).await;
        client.publish(name, b"5", 1000).await;
        assert_eq!(offsets(&mut client, 1).await, [5]);
        let (1, Method::Basic(basic::Method::Deliver(_))) = worker.method().await else {
            panic!("not delivered");
        };
        assert_eq!(worker.content().await, b"5");
        ack(&mut client, 0, true).await;
        // Reading has settled nothing.
        let mut other = server.client().await;
        other.send(1, kept(name, durable, Value::text("1D"))).await;
        let (_, _, text) = refused(&mut other).await;
        assert!(
            text.ends_with("received '1D' but current is '7D'"),
            "{text}"
        );
        let broker = &server.test.broker;
        let log = broker.catalogue().log("/", name).unwrap().id;
        assert_eq!(broker.status(log).await.unwrap().leased, 1);
    }
}

#[tokio::test]
async fn what_is_kept_is_an_age_or_a_size() {
    let server = Server::start().await;
    let mut client = server.client().await;
    declare(&mut client, kept("size", true, Value::Int32(1_000))).await;
    declare(&mut client, kept("age", true, Value::text("1h"))).await;
    let retention = |name: &str| {
        let catalogue = server.test.broker.catalogue();
        catalogue.log("/", name).unwrap().config.retention
    };
    let window = |time_ms, size_bytes| Retention {
        until_acknowledged: true,
        window: Some(Window {
            time_ms,
            size_bytes,
        }),
    };
    assert_eq!(retention("size"), window(None, Some(1_000)));
    assert_eq!(retention("age"), window(Some(3_600_000), None));
    let wrong = [
        (Value::Int32(0), ": {value_zero,0}"),
        (Value::Int64(-5), ": {value_negative,-5}"),
        (Value::text("5"), ": invalid_max_age"),
        (Value::text("-1D"), ": invalid_max_age"),
        (Value::Bool(true), ": {unacceptable_type,bool}"),
        (Value::Double(1.5), ": {unacceptable_type,double}"),
    ];
    for (value, what) in wrong {
        client.send(1, kept("no", true, value)).await;
        let (_, _, text) = refused(&mut client).await;
        let prefix = "PRECONDITION_FAILED - invalid arg 'x-stele-keep' for queue 'no' in vhost '/'";
        assert_eq!(text, format!("{prefix}{what}"));
    }
    let mut of_stream = stream("no");
    let keep = Value::text("1h");
    of_stream.arguments = of_stream.arguments.with("x-stele-keep", keep);
    client.send(1, of_stream).await;
    let (_, _, text) = refused(&mut client).await;
    assert!(
        text.ends_with("of queue type rabbit_stream_queue"),
        "{text}"
    );
}

/// As declaring a queue again makes a log a queue again.
#[tokio::test]
async fn declaring_a_queue_again_keeps_again() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let declaration = kept("q", true, Value::text("1h"));
    declare(&mut client, declaration.clone()).await;
    let broker = &server.test.broker;
    let log = broker.catalogue().log("/", "q").unwrap().id;
    let end = AlterLog {
        ends: Some(Role::Topic),
        ..AlterLog::nothing(log)
    };
    broker.alter_log(end).await.unwrap();
    declare(&mut client, declaration).await;
    let window = broker
        .catalogue()
        .log("/", "q")
        .unwrap()
        .config
        .retention
        .window;
    assert_eq!(window.unwrap().time_ms, Some(3_600_000));
}
