//! Logs and records created by other protocols.

use serde_json::json;
use stele_base_types::{LogId, Name, Offset, PartitionId, PartitionIndex, SessionId, Timestamp};
use stele_core_broker::{Broker, Publish, Read};
use stele_core_engine::{
    Adopt, AppendTarget, DeclareLog, Durability, LedgerConfig, Lifetime, LogConfig, Retention,
    Settings, Window,
};
use stele_test_testkit::{message, unopenable};
use stele_wire_batch::{BatchBuilder, Body, NewRecord, RecordHeader};

use crate::kit::{Server, bodies};

fn topic() -> LogConfig {
    let week = Window {
        time_ms: Some(604_800_000),
        size_bytes: None,
    };
    LogConfig {
        partitions: 3,
        durability: Durability::Synced,
        retention: Retention {
            until_acknowledged: false,
            window: Some(week),
        },
        lifetime: Lifetime::default(),
        queue: None,
    }
}

fn queue() -> LogConfig {
    LogConfig {
        partitions: 1,
        retention: Retention::QUEUE,
        queue: Some(LedgerConfig::default()),
        ..topic()
    }
}

async fn declare(broker: &Broker, name: &str, facet: &str, config: LogConfig) -> LogId {
    let declare = DeclareLog {
        vhost: Name::vhost_default(),
        name: Name::new(name).unwrap(),
        adopt: Adopt::same_as(&config),
        config,
        facet: facet.into(),
        settings: Settings::new(),
    };
    broker.declare_log(declare).await.unwrap().definition().id
}

/// A FIFO queue, and its URL.
async fn fifo_of_three_partitions(server: &Server) -> (LogId, String) {
    let config = LogConfig {
        partitions: 3,
        queue: Some(LedgerConfig {
            fifo: true,
            ..LedgerConfig::default()
        }),
        ..queue()
    };
    let log = declare(server.broker(), "many.fifo", "other", config).await;
    let found = server
        .ok("GetQueueUrl", json!({"QueueName": "many.fifo"}))
        .await;
    (log, found["QueueUrl"].as_str().unwrap().to_owned())
}

/// The records of a partition, in order.
async fn values(broker: &Broker, log: LogId, partition: u32) -> Vec<String> {
    let read = Read {
        partition: PartitionId::new(log, PartitionIndex(partition)),
        from: Offset(0),
        bytes_max: 1 << 20,
    };
    let batches = broker.read(read).await.unwrap().resolve().await.unwrap();
    let mut values = Vec::new();
    for batch in &batches {
        for record in batch.records(1 << 20).unwrap() {
            let value = record.unwrap().value.unwrap().to_vec();
            values.push(String::from_utf8(value).unwrap());
        }
    }
    values
}

async fn append(broker: &Broker, log: LogId, key: &[u8], value: &[u8]) {
    let record = NewRecord {
        timestamp: Timestamp(1_700_000_000_000),
        key: Some(key),
        value: Body::Whole(value),
        headers: &[RecordHeader::new("source", b"kafka")],
    };
    let target = AppendTarget {
        log,
        partition: None,
    };
    let batch = BatchBuilder::single(&record).unwrap();
    broker.append(Publish::to(target, batch)).await.unwrap();
}

#[tokio::test]
async fn what_was_in_a_topic_before_the_first_receiver_is_received() {
    let server = Server::start().await;
    let log = declare(server.broker(), "orders", "kafka", topic()).await;
    for value in [&b"one"[..], b"two", b"\xFFthree"] {
        append(server.broker(), log, b"customer-7", value).await;
    }
    let url = server
        .ok("GetQueueUrl", json!({"QueueName": "orders"}))
        .await["QueueUrl"]
        .clone();
    let url = url.as_str().unwrap();
    let mut received = Vec::new();
    while received.len() < 3 {
        let more = server.receive(url).await;
        assert!(!more.is_empty(), "{received:?}");
        received.extend(more);
    }
    let mut found = bodies(&received);
    found.sort_unstable();
    assert_eq!(found, ["/3RocmVl", "one", "two"]);
    for message in &received {
        assert_eq!(message["Attributes"]["SentTimestamp"], "1700000000000");
        assert_eq!(message["Attributes"]["MessageGroupId"], "customer-7");
        let attributes = &message["MessageAttributes"];
        assert_eq!(
            attributes["source"],
            json!({"DataType": "String", "StringValue": "kafka"})
        );
        let encoded = message["Body"] == "/3RocmVl";
        assert_eq!(attributes["stele.body-encoding"].is_object(), encoded);
        server
            .ok(
                "DeleteMessage",
                json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}),
            )
            .await;
    }
    assert_eq!(
        server.attribute(url, "ApproximateNumberOfMessages").await,
        "0"
    );
    // The topic's retention doesn't depend on consumers.
    let definition = server
        .broker()
        .catalogue()
        .log("/", "orders")
        .unwrap()
        .clone();
    assert_eq!(definition.config.partitions, 3);
    assert_eq!(definition.config.retention, topic().retention);
    server.stop().await;
}

#[tokio::test]
async fn a_queue_can_be_created_over_a_topic_with_attributes() {
    let server = Server::start().await;
    declare(server.broker(), "orders", "kafka", topic()).await;
    let url = server
        .queue(
            "orders",
            json!({"DelaySeconds": "7", "VisibilityTimeout": "9"}),
        )
        .await;
    assert_eq!(server.attribute(&url, "DelaySeconds").await, "7");
    assert_eq!(server.attribute(&url, "VisibilityTimeout").await, "9");
    server.stop().await;
}

#[tokio::test]
async fn a_topic_that_was_received_from_can_become_a_fifo_queue() {
    let server = Server::start().await;
    let config = LogConfig {
        partitions: 1,
        ..topic()
    };
    let log = declare(server.broker(), "orders.fifo", "kafka", config).await;
    for value in [b"one", b"two"] {
        append(server.broker(), log, b"customer-7", value).await;
    }
    let url = "http://x/1/orders.fifo";
    let one = json!({"QueueUrl": url, "MaxNumberOfMessages": 1});
    let first = server.ok("ReceiveMessage", one.clone()).await;
    let first = &first["Messages"][0];
    assert_eq!(first["Body"], "one");
    let fifo = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    server.queue("orders.fifo", fifo).await;
    assert_eq!(server.attribute(url, "FifoQueue").await, "true");
    // What was there is one group, which waits for the message in flight.
    assert_eq!(server.ok("ReceiveMessage", one).await, json!({}));
    let delete = json!({"QueueUrl": url, "ReceiptHandle": first["ReceiptHandle"]});
    server.ok("DeleteMessage", delete).await;
    assert_eq!(bodies(&server.receive(url).await), ["two"]);
    server.stop().await;
}

#[tokio::test]
async fn a_queue_that_is_created_over_one_of_amqp_gets_its_attributes_at_once() {
    let server = Server::start().await;
    declare(server.broker(), "orders", "amqp", queue()).await;
    let version = server.broker().catalogue().version();
    let given = json!({"DelaySeconds": "7", "MessageRetentionPeriod": "90"});
    let url = server.queue("orders", given.clone()).await;
    assert_eq!(server.attribute(&url, "DelaySeconds").await, "7");
    assert_eq!(server.attribute(&url, "MessageRetentionPeriod").await, "90");
    // One change: a crash can't leave a queue without them.
    assert_eq!(server.broker().catalogue().version(), version + 1);
    assert_eq!(server.queue("orders", given).await, url);
    server.stop().await;
}

#[tokio::test]
async fn a_retention_does_not_lengthen_the_life_that_amqp_gives_messages() {
    let server = Server::start().await;
    let config = LogConfig {
        queue: Some(LedgerConfig {
            expiry_ms: Some(75_000),
            ..LedgerConfig::default()
        }),
        ..queue()
    };
    declare(server.broker(), "orders", "amqp", config).await;
    let url = server.queue("orders", json!({})).await;
    assert_eq!(server.attribute(&url, "MessageRetentionPeriod").await, "75");
    for (retention, effective_ms) in [("90", 75_000), ("60", 60_000), ("80", 75_000)] {
        let attributes = json!({"MessageRetentionPeriod": retention});
        let set = json!({"QueueUrl": url, "Attributes": attributes});
        server.ok("SetQueueAttributes", set).await;
        let shown = server.attribute(&url, "MessageRetentionPeriod").await;
        assert_eq!(shown, retention);
        let definition = server.broker().catalogue().log("/", "orders").cloned();
        let queue = definition.unwrap().config.queue.unwrap();
        assert_eq!(queue.expiry_ms, Some(effective_ms));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_queue_of_amqp_is_used_as_it_is() {
    let server = Server::start().await;
    declare(server.broker(), "orders", "amqp", queue()).await;
    let url = "http://x/1/orders";
    server
        .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "x"}))
        .await;
    assert_eq!(bodies(&server.receive(url).await), ["x"]);
    assert_eq!(
        server.attribute(url, "MessageRetentionPeriod").await,
        "1209600"
    );
    // From its first use it is a queue of SQS too, and compared as one.
    let other = json!({"QueueName": "orders", "Attributes": {"DelaySeconds": "3"}});
    assert_eq!(server.fail("CreateQueue", other).await.0, "QueueNameExists");
    server.stop().await;
}

#[tokio::test]
async fn logs_that_are_not_for_others_are_not_shown() {
    let server = Server::start().await;
    let auto_delete = Lifetime {
        auto_delete: true,
        ..Lifetime::default()
    };
    let unused = Lifetime {
        unused_ms_max: Some(3_600_000),
        ..Lifetime::default()
    };
    let exclusive = Lifetime {
        exclusive: Some(SessionId(1)),
        ..Lifetime::default()
    };
    let broker = server.broker();
    for (name, lifetime) in [
        ("temporary", auto_delete),
        ("unused", unused),
        ("mine", exclusive),
    ] {
        let config = LogConfig {
            lifetime,
            ..queue()
        };
        declare(broker, name, "amqp", config).await;
    }
    declare(broker, "with space", "amqp", queue()).await;
    declare(broker, "plain", "amqp", queue()).await;
    let listed = server.ok("ListQueues", json!({})).await;
    assert_eq!(
        listed,
        json!({"QueueUrls": ["http://queues.test:1234/000000000000/plain"]})
    );
    for name in ["temporary", "unused", "mine"] {
        let (shape, _) = server
            .fail("SendMessage", json!({"QueueUrl": name, "MessageBody": "x"}))
            .await;
        assert_eq!(shape, "QueueDoesNotExist");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_log_with_a_dotted_name_is_used_but_not_created() {
    let server = Server::start().await;
    declare(server.broker(), "orders.created", "kafka", topic()).await;
    let name = json!({"QueueName": "orders.created"});
    let url = server.ok("GetQueueUrl", name.clone()).await["QueueUrl"].clone();
    assert_eq!(url, "http://queues.test:1234/000000000000/orders.created");
    let listed = server.ok("ListQueues", json!({})).await;
    assert_eq!(listed, json!({"QueueUrls": [url]}));
    let message = json!({"QueueUrl": url, "MessageBody": "x"});
    server.ok("SendMessage", message).await;
    let url = url.as_str().unwrap();
    let received = server.receive(url).await;
    assert_eq!(bodies(&received), ["x"]);
    let delete = json!({"QueueUrl": url, "ReceiptHandle": received[0]["ReceiptHandle"]});
    server.ok("DeleteMessage", delete).await;
    let (shape, _) = server.fail("CreateQueue", name).await;
    assert_eq!(shape, "InvalidParameterValueException");
    let (shape, _) = server
        .fail("GetQueueUrl", json!({"QueueName": "a.b"}))
        .await;
    assert_eq!(shape, "QueueDoesNotExist");
    server.stop().await;
}

#[tokio::test]
async fn a_queue_that_contradicts_what_exists_is_refused() {
    let server = Server::start().await;
    let volatile = LogConfig {
        durability: Durability::Volatile,
        ..topic()
    };
    declare(server.broker(), "memory", "amqp", volatile).await;
    let (shape, _) = server
        .fail("CreateQueue", json!({"QueueName": "memory"}))
        .await;
    assert_eq!(shape, "QueueNameExists");
    server.stop().await;
}

#[tokio::test]
async fn a_batch_for_a_queue_of_several_partitions_goes_by_group() {
    let server = Server::start().await;
    let (log, url) = fifo_of_three_partitions(&server).await;
    // By Kafka's hash, for three partitions.
    let partitions = [("a", 1), ("b", 2), ("c", 1), ("d", 2)];
    let entries: Vec<_> = (0..10)
        .map(|n| {
            let group = partitions[n % 4].0;
            json!({"Id": n.to_string(), "MessageBody": format!("{group}{n}"),
                   "MessageGroupId": group, "MessageDeduplicationId": n.to_string()})
        })
        .collect();
    let request = json!({"QueueUrl": url, "Entries": entries});
    let answer = server.ok("SendMessageBatch", request).await;
    assert_eq!(answer["Successful"].as_array().unwrap().len(), 10);
    for partition in [1, 2] {
        let expected: Vec<_> = (0..10)
            .map(|n| (n, partitions[n % 4]))
            .filter(|(_, (_, of_group))| *of_group == partition)
            .map(|(n, (group, _))| format!("{group}{n}"))
            .collect();
        let stored = values(server.broker(), log, partition).await;
        assert_eq!(stored, expected, "{partition}");
    }
    server.stop().await;
}

#[tokio::test]
async fn of_two_with_one_deduplication_id_the_first_is_taken_wherever_they_belong() {
    let server = Server::start().await;
    let (_, url) = fifo_of_three_partitions(&server).await;
    // Group b is in another partition, which comes first here.
    let entries: Vec<_> = [
        ("b", "z", "before"),
        ("a", "d", "first"),
        ("b", "d", "second"),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, (group, id, body))| {
        json!({"Id": n.to_string(), "MessageBody": body, "MessageGroupId": group,
                   "MessageDeduplicationId": id})
    })
    .collect();
    let request = json!({"QueueUrl": url, "Entries": entries});
    let answer = server.ok("SendMessageBatch", request).await;
    let sent = answer["Successful"].as_array().unwrap();
    let ids: Vec<_> = sent
        .iter()
        .map(|entry| entry["Id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["0", "1", "2"]);
    assert_eq!(sent[2]["MessageId"], sent[1]["MessageId"]);
    let mut received = server.receive(&url).await;
    received.extend(server.receive(&url).await);
    let mut received = bodies(&received);
    received.sort_unstable();
    assert_eq!(received, ["before", "first"]);
    server.stop().await;
}

/// A Kafka producer may send a batch that can't be decoded.
#[tokio::test]
async fn a_receive_looks_behind_a_batch_that_cannot_be_read() {
    let server = Server::start().await;
    let log = declare(server.broker(), "orders", "kafka", queue()).await;
    let url = server.queue("orders", json!({})).await;
    let target = AppendTarget {
        log,
        partition: None,
    };
    for batch in [
        unopenable(&message("broken")),
        unopenable(&message("broken")),
        message("good"),
    ] {
        let publish = Publish::to(target, batch);
        server.broker().append(publish).await.unwrap();
    }
    assert_eq!(bodies(&server.receive(&url).await), ["good"]);
    assert!(server.receive(&url).await.is_empty());
}
