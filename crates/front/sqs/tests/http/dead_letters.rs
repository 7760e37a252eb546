//! Dead-letter queues: policies, what goes to them, and how it looks there.

use serde_json::{Value, json};
use stele_base_types::{Timestamp, VHOST_DEFAULT};
use stele_core_broker::{DEATHS_HEADER, Publish};
use stele_core_engine::{AppendTarget, Columns, DeathReason};
use stele_wire_batch::{BatchBuilder, Body, NewRecord, RecordHeader};

use crate::kit::{Server, bodies};

const ACCOUNT: &str = "000000000000";

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
}

pub(crate) fn policy(target: &str, receives_max: u32) -> Value {
    let policy = json!({"deadLetterTargetArn": arn(target), "maxReceiveCount": receives_max});
    json!({"RedrivePolicy": policy.to_string()})
}

async fn set(server: &Server, url: &str, attributes: Value) -> Value {
    let members = json!({"QueueUrl": url, "Attributes": attributes});
    server.ok("SetQueueAttributes", members).await
}

/// A queue, and the one that its messages go to after so many receives.
pub(crate) async fn pair(server: &Server, receives_max: u32) -> (String, String) {
    let dead = server.queue("dead", json!({})).await;
    let orders = server.queue("orders", policy("dead", receives_max)).await;
    (orders, dead)
}

async fn send(server: &Server, url: &str, body: &str) -> String {
    let members = json!({"QueueUrl": url, "MessageBody": body});
    let sent = server.ok("SendMessage", members).await;
    sent["MessageId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_message_goes_to_the_dead_letter_queue_after_its_last_receive_with_its_id_and_time() {
    let server = Server::start().await;
    let (orders, dead) = pair(&server, 3).await;
    let members = json!({"QueueUrl": orders, "MessageBody": "bad",
        "MessageAttributes": {"colour": {"DataType": "String", "StringValue": "red"}}});
    let sent = server.ok("SendMessage", members).await;
    let mut first = Value::Null;
    for count in 1..=3 {
        first = server.receive_once(&orders).await;
        let counted = &first["Attributes"]["ApproximateReceiveCount"];
        assert_eq!(counted, &json!(count.to_string()));
        assert_eq!(first["Attributes"].get("DeadLetterQueueSourceArn"), None);
    }
    let found = server.receive_once(&dead).await;
    assert_eq!(found["MessageId"], sent["MessageId"]);
    for same in [
        "Body",
        "MD5OfBody",
        "MessageAttributes",
        "MD5OfMessageAttributes",
    ] {
        assert_eq!(found[same], first[same], "{same}");
    }
    let attributes = &found["Attributes"];
    assert_eq!(
        attributes["SentTimestamp"],
        first["Attributes"]["SentTimestamp"]
    );
    assert_eq!(attributes["ApproximateReceiveCount"], "1");
    assert_eq!(attributes["DeadLetterQueueSourceArn"], arn("orders"));
    assert_eq!(
        server
            .attribute(&orders, "ApproximateNumberOfMessages")
            .await,
        "0"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_policy_is_returned_in_one_form_compared_and_removed() {
    let server = Server::start().await;
    let (orders, _) = pair(&server, 3).await;
    let text = format!(
        "{{\"deadLetterTargetArn\":\"{}\",\"maxReceiveCount\":3}}",
        arn("dead")
    );
    assert_eq!(server.attribute(&orders, "RedrivePolicy").await, text);
    let other_form = format!(
        "{{ \"maxReceiveCount\": \"3\", \"deadLetterTargetArn\": \"{}\" }}",
        arn("dead")
    );
    server
        .queue("orders", json!({"RedrivePolicy": other_form}))
        .await;
    let other = json!({"QueueName": "orders", "Attributes": policy("dead", 4)});
    assert_eq!(server.fail("CreateQueue", other).await.0, "QueueNameExists");
    set(&server, &orders, json!({"RedrivePolicy": ""})).await;
    let all = json!({"QueueUrl": orders, "AttributeNames": ["All"]});
    let all = server.ok("GetQueueAttributes", all).await;
    assert_eq!(all["Attributes"].get("RedrivePolicy"), None);
    let found = server
        .broker()
        .catalogue()
        .log(VHOST_DEFAULT, "orders")
        .unwrap()
        .clone();
    let queue = found.config.queue.unwrap();
    assert_eq!(queue.deliveries_max, None);
    assert!(!queue.dead_letters.contains(DeathReason::Deliveries));
    server.stop().await;
}

#[tokio::test]
async fn a_policy_that_cannot_work_is_refused() {
    let server = Server::start().await;
    let (orders, dead) = pair(&server, 3).await;
    let fifo = json!({"FifoQueue": "true"});
    server.queue("dead.fifo", fifo).await;
    let of = |arn: String| json!({"deadLetterTargetArn": arn, "maxReceiveCount": 1}).to_string();
    for (target, reason) in [
        (arn("nowhere"), "Dead letter target does not exist."),
        (
            arn("dead").replace("us-east-1", "eu-west-1"),
            "Dead letter target does not exist.",
        ),
        (
            arn("dead").replace(ACCOUNT, "111111111111"),
            "Dead-letter target owner should be same as the source.",
        ),
        (
            arn("dead.fifo"),
            "Dead-letter queue must be same type of queue as the source.",
        ),
    ] {
        let text = of(target);
        let attributes = json!({"RedrivePolicy": text});
        let expected = format!("for parameter RedrivePolicy is invalid. Reason: {reason}");
        for (action, members) in [
            (
                "SetQueueAttributes",
                json!({"QueueUrl": orders, "Attributes": attributes}),
            ),
            (
                "CreateQueue",
                json!({"QueueName": "new", "Attributes": attributes}),
            ),
        ] {
            let (kind, message) = server.fail(action, members).await;
            assert_eq!(kind, "InvalidParameterValueException");
            assert!(message.ends_with(&expected), "{message}");
        }
    }
    for (allowed, is_permitted) in [
        (json!({"redrivePermission": "denyAll"}), false),
        (
            json!({"redrivePermission": "byQueue", "sourceQueueArns": [arn("x")]}),
            false,
        ),
        (
            json!({"redrivePermission": "byQueue", "sourceQueueArns": [arn("orders")]}),
            true,
        ),
        (json!({"redrivePermission": "allowAll"}), true),
    ] {
        set(
            &server,
            &dead,
            json!({"RedriveAllowPolicy": allowed.to_string()}),
        )
        .await;
        assert_eq!(
            server.attribute(&dead, "RedriveAllowPolicy").await,
            allowed.to_string()
        );
        let members = json!({"QueueUrl": orders, "Attributes": policy("dead", 5)});
        let (status, answer) = server.json("SetQueueAttributes", &members).await;
        assert_eq!(status == 200, is_permitted, "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn without_its_target_a_message_stays_receivable() {
    let server = Server::start().await;
    let (orders, dead) = pair(&server, 2).await;
    let id = send(&server, &orders, "bad").await;
    server.ok("DeleteQueue", json!({"QueueUrl": dead})).await;
    for _ in 0..5 {
        assert_eq!(server.receive_once(&orders).await["MessageId"], json!(id));
    }
    let dead = server.queue("dead", json!({})).await;
    // The sixth receive is the second one of its third round.
    server.receive_once(&orders).await;
    assert_eq!(server.receive_once(&dead).await["MessageId"], json!(id));
    server.stop().await;
}

#[tokio::test]
async fn in_a_fifo_queue_the_group_goes_on_without_the_dead_letter() {
    let server = Server::start().await;
    let fifo = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    let dead = server.queue("dead.fifo", fifo.clone()).await;
    let mut attributes = policy("dead.fifo", 1);
    for (name, value) in fifo.as_object().unwrap() {
        attributes[name] = value.clone();
    }
    let orders = server.queue("orders.fifo", attributes).await;
    for body in ["bad", "good"] {
        let members = json!({"QueueUrl": orders, "MessageBody": body, "MessageGroupId": "g"});
        server.ok("SendMessage", members).await;
    }
    assert_eq!(server.receive_once(&orders).await["Body"], "bad");
    assert_eq!(server.receive_once(&orders).await["Body"], "good");
    let found = server.receive_once(&dead).await;
    assert_eq!(found["Body"], "bad");
    assert_eq!(found["Attributes"]["MessageGroupId"], "g");
    server.stop().await;
}

#[tokio::test]
async fn the_sources_of_a_dead_letter_queue_are_listed_in_pages() {
    let server = Server::start().await;
    let (_, dead) = pair(&server, 3).await;
    for name in ["a", "b", "c"] {
        server.queue(name, policy("dead", 1)).await;
    }
    let others = policy("a", 1);
    let other = server.queue("other", others).await;
    let names = |answer: &Value| -> Vec<String> {
        let urls = answer["queueUrls"].as_array().unwrap().iter();
        let name = |url: &Value| url.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        urls.map(name).collect()
    };
    let list = async |members| server.ok("ListDeadLetterSourceQueues", members).await;
    let all = list(json!({"QueueUrl": dead})).await;
    assert_eq!(names(&all), ["a", "b", "c", "orders"]);
    assert_eq!(all.get("NextToken"), None);
    let page = list(json!({"QueueUrl": dead, "MaxResults": 3})).await;
    assert_eq!(names(&page), ["a", "b", "c"]);
    let token = &page["NextToken"];
    let page = list(json!({"QueueUrl": dead, "MaxResults": 3, "NextToken": token})).await;
    assert_eq!(
        (names(&page), page.get("NextToken")),
        (vec!["orders".to_owned()], None)
    );
    assert_eq!(names(&list(json!({"QueueUrl": other})).await), [""; 0]);
    for (members, kind) in [
        (json!({}), "MissingRequiredParameterException"),
        (json!({"QueueUrl": "absent"}), "QueueDoesNotExist"),
        (
            json!({"QueueUrl": dead, "MaxResults": 0}),
            "InvalidParameterValueException",
        ),
    ] {
        assert_eq!(
            server.fail("ListDeadLetterSourceQueues", members).await.0,
            kind
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn the_history_of_other_protocols_dead_letters_is_an_attribute() {
    let server = Server::start().await;
    let url = server.queue("dead", json!({})).await;
    let died = json!({"queue": "work", "reason": "rejected", "exchange": "e"});
    let mut death = died.clone();
    death["count"] = json!(2);
    death["time-ms"] = json!(5);
    death["routing-keys"] = json!(["k"]);
    let history = json!({"exchange": "", "routing-keys": ["dead"], "first": died, "last": died,
        "deaths": [death]})
    .to_string();
    let log = server
        .broker()
        .catalogue()
        .log(VHOST_DEFAULT, "dead")
        .unwrap()
        .id;
    let batch = BatchBuilder::single(&NewRecord {
        timestamp: Timestamp(1),
        key: None,
        value: Body::Whole(b"x"),
        headers: &[RecordHeader::new(DEATHS_HEADER, history.as_bytes())],
    });
    let target = AppendTarget {
        log,
        partition: None,
    };
    let publish = Publish {
        targets: [target].into_iter().collect(),
        batch: batch.unwrap(),
        columns: Columns::default(),
    };
    drop(server.broker().append(publish).await.unwrap());
    let found = server.receive(&url).await;
    assert_eq!(bodies(&found), ["x"]);
    let attribute = &found[0]["MessageAttributes"]["x-death"];
    assert_eq!(
        attribute,
        &json!({"DataType": "String", "StringValue": history})
    );
    assert_eq!(
        found[0]["Attributes"]["DeadLetterQueueSourceArn"],
        arn("work")
    );
    server.stop().await;
}
