//! FIFO queues: order, groups, deduplication.

use serde_json::{Value, json};

use crate::kit::{Server, bodies};

fn message(url: &str, body: &str, group: &str, id: &str) -> Value {
    json!({
        "QueueUrl": url, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": id,
    })
}

async fn fifo(server: &Server, attributes: Value) -> String {
    let mut attributes = attributes;
    attributes["FifoQueue"] = json!("true");
    server.queue("orders.fifo", attributes).await
}

#[tokio::test]
async fn a_fifo_queue_has_its_attributes() {
    let server = Server::start().await;
    let url = fifo(&server, json!({"ContentBasedDeduplication": "true"})).await;
    for (name, value) in [
        ("FifoQueue", "true"),
        ("ContentBasedDeduplication", "true"),
        ("DeduplicationScope", "queue"),
        ("FifoThroughputLimit", "perQueue"),
    ] {
        assert_eq!(server.attribute(&url, name).await, value, "{name}");
    }
    let standard = json!({"FifoQueue": "false"});
    let (shape, message) = server
        .fail(
            "SetQueueAttributes",
            json!({"QueueUrl": url, "Attributes": standard}),
        )
        .await;
    assert_eq!(shape, "InvalidAttributeValue");
    assert!(message.contains("Modifying queue type is not supported."));
    server.stop().await;
}

#[tokio::test]
async fn a_group_is_received_in_order_and_waits_for_its_first() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    let mut numbers = Vec::new();
    for (body, group) in [("a1", "a"), ("a2", "a"), ("b1", "b")] {
        let sent = server
            .ok("SendMessage", message(&url, body, group, body))
            .await;
        numbers.push(sent["SequenceNumber"].as_str().unwrap().to_owned());
    }
    assert!(numbers.is_sorted() && numbers[0].len() == 20, "{numbers:?}");

    let one = json!({
        "QueueUrl": url, "WaitTimeSeconds": 1, "MessageSystemAttributeNames": ["All"],
    });
    let first = server.receive_as(one.clone()).await;
    assert_eq!(bodies(&first), ["a1"]);
    let system = &first[0]["Attributes"];
    assert_eq!(system["MessageGroupId"], "a");
    assert_eq!(system["MessageDeduplicationId"], "a1");
    assert_eq!(system["SequenceNumber"], numbers[0].as_str());
    // The group is blocked; the other group isn't.
    let second = server.receive_as(one.clone()).await;
    assert_eq!(bodies(&second), ["b1"]);
    assert!(server.receive_as(json!({"QueueUrl": url})).await.is_empty());
    let delete = json!({"QueueUrl": url, "ReceiptHandle": first[0]["ReceiptHandle"]});
    server.ok("DeleteMessage", delete).await;
    assert_eq!(bodies(&server.receive_as(one).await), ["a2"]);
    server.stop().await;
}

#[tokio::test]
async fn a_purge_frees_the_groups_of_what_is_in_flight() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    server
        .ok("SendMessage", message(&url, "first", "g", "1"))
        .await;
    assert_eq!(bodies(&server.receive(&url).await), ["first"]);
    server.ok("PurgeQueue", json!({"QueueUrl": url})).await;
    server
        .ok("SendMessage", message(&url, "second", "g", "2"))
        .await;
    assert_eq!(bodies(&server.receive(&url).await), ["second"]);
    server.stop().await;
}

#[tokio::test]
async fn a_deduplication_id_is_accepted_once_also_after_a_restart() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    let sent = server
        .ok("SendMessage", message(&url, "first", "a", "d1"))
        .await;
    let again = server
        .ok("SendMessage", message(&url, "second", "b", "d1"))
        .await;
    assert_eq!(again["MessageId"], sent["MessageId"]);
    assert_eq!(again["SequenceNumber"], sent["SequenceNumber"]);
    let received = server.receive(&url).await;
    assert_eq!(bodies(&received), ["first"]);
    server
        .ok(
            "DeleteMessage",
            json!({"QueueUrl": url, "ReceiptHandle": received[0]["ReceiptHandle"]}),
        )
        .await;

    let server = server.restart().await;
    server
        .ok("SendMessage", message(&url, "third", "a", "d1"))
        .await;
    server
        .ok("SendMessage", message(&url, "other", "a", "d2"))
        .await;
    assert_eq!(bodies(&server.receive(&url).await), ["other"]);
    server.stop().await;
}

#[tokio::test]
async fn content_stands_for_an_id_where_the_queue_says_so() {
    let server = Server::start().await;
    let url = fifo(&server, json!({"ContentBasedDeduplication": "true"})).await;
    for body in ["same", "same", "other"] {
        let members = json!({"QueueUrl": url, "MessageBody": body, "MessageGroupId": "g"});
        server.ok("SendMessage", members).await;
    }
    assert_eq!(
        server.attribute(&url, "ApproximateNumberOfMessages").await,
        "2"
    );
    server.stop().await;
}

#[tokio::test]
async fn deduplication_may_be_by_group() {
    let server = Server::start().await;
    let attributes =
        json!({"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"});
    let url = fifo(&server, attributes).await;
    for (body, group) in [("1", "a"), ("2", "b"), ("3", "a")] {
        server
            .ok("SendMessage", message(&url, body, group, "d"))
            .await;
    }
    assert_eq!(
        server.attribute(&url, "ApproximateNumberOfMessages").await,
        "2"
    );
    server.stop().await;
}

#[tokio::test]
async fn what_a_fifo_queue_needs_is_asked_for() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    for (members, expected) in [
        (
            json!({"MessageDeduplicationId": "d"}),
            "The request must contain the parameter MessageGroupId.",
        ),
        (
            json!({"MessageGroupId": "g"}),
            "The queue should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        ),
        (
            json!({"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 2}),
            "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter \
             that is not valid for this queue type.",
        ),
        (
            json!({"MessageGroupId": "a b", "MessageDeduplicationId": "d"}),
            "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only \
             include alphanumeric and punctuation characters. 1 to 128 in length.",
        ),
    ] {
        let mut members = members;
        members["QueueUrl"] = json!(url);
        members["MessageBody"] = json!("x");
        assert_eq!(server.fail("SendMessage", members).await.1, expected);
    }
    let entries = json!([
        {"Id": "1", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"},
        {"Id": "2", "MessageBody": "x", "MessageDeduplicationId": "e"},
    ]);
    let batch = json!({"QueueUrl": url, "Entries": entries});
    let (shape, message) = server.fail("SendMessageBatch", batch).await;
    assert_eq!(shape, "InvalidParameterValueException");
    assert_eq!(
        message,
        "The request must contain the parameter MessageGroupId."
    );
    assert_eq!(
        server.attribute(&url, "ApproximateNumberOfMessages").await,
        "0"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_id_that_is_too_long_is_told_whole() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    let long = "x".repeat(200);
    for (group, id, parameter) in [
        (long.as_str(), "d", "MessageGroupId"),
        ("g", &long, "MessageDeduplicationId"),
    ] {
        let sent = message(&url, "x", group, id);
        let (_, told) = server.fail("SendMessage", sent).await;
        let expected = format!("Value {long} for parameter {parameter} is invalid. ");
        assert!(told.starts_with(&expected), "{told}");
    }
    let delete = json!({"QueueUrl": url, "ReceiptHandle": long});
    let (_, told) = server.fail("DeleteMessage", delete).await;
    let expected = format!("The input receipt handle \"{long}\" is not a valid receipt handle.");
    assert_eq!(told, expected);
    let members = json!({"QueueUrl": url, "AttributeNames": [long]});
    let (_, told) = server.fail("GetQueueAttributes", members).await;
    assert_eq!(told, format!("Unknown Attribute {long}."));
    server.stop().await;
}

#[tokio::test]
async fn a_batch_keeps_the_order_of_its_groups() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    let entries: Vec<_> = (0..10)
        .map(|n| {
            json!({"Id": n.to_string(), "MessageBody": n.to_string(), "MessageGroupId": "g",
            "MessageDeduplicationId": n.to_string()})
        })
        .collect();
    server
        .ok(
            "SendMessageBatch",
            json!({"QueueUrl": url, "Entries": entries}),
        )
        .await;
    let mut seen = Vec::new();
    while seen.len() < 10 {
        let received = server.receive(&url).await;
        assert!(!received.is_empty(), "{seen:?}");
        for message in received {
            seen.push(message["Body"].as_str().unwrap().to_owned());
            let delete = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
            server.ok("DeleteMessage", delete).await;
        }
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    server.stop().await;
}

#[tokio::test]
async fn an_expired_handle_deletes_nothing() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    server.ok("SendMessage", message(&url, "x", "g", "d")).await;
    let short = json!({"QueueUrl": url, "WaitTimeSeconds": 1, "VisibilityTimeout": 1});
    let first = server.receive_as(short).await;
    let again = server
        .receive_as(json!({"QueueUrl": url, "WaitTimeSeconds": 20}))
        .await;
    assert_eq!(bodies(&again), ["x"]);
    let delete = |messages: &[Value]| json!({"QueueUrl": url, "ReceiptHandle": messages[0]["ReceiptHandle"]});
    let (shape, message) = server.fail("DeleteMessage", delete(&first)).await;
    assert_eq!(shape, "InvalidParameterValueException");
    assert!(
        message.ends_with("Reason: The receipt handle has expired."),
        "{message}"
    );
    server.ok("DeleteMessage", delete(&again)).await;
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_message_can_be_deleted_again() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    server.ok("SendMessage", message(&url, "x", "g", "d")).await;
    let received = server.receive(&url).await;
    let delete = json!({"QueueUrl": url, "ReceiptHandle": received[0]["ReceiptHandle"]});
    server.ok("DeleteMessage", delete.clone()).await;
    server.ok("DeleteMessage", delete).await;
    let change = json!({
        "QueueUrl": url, "ReceiptHandle": received[0]["ReceiptHandle"], "VisibilityTimeout": 5,
    });
    let (shape, _) = server.fail("ChangeMessageVisibility", change).await;
    assert_eq!(shape, "InvalidParameterValueException");
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_attempt_gets_the_same_messages() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    server.ok("SendMessage", message(&url, "x", "g", "d")).await;
    let attempt =
        json!({"QueueUrl": url, "WaitTimeSeconds": 1, "ReceiveRequestAttemptId": "try-1"});
    let first = server.receive_as(attempt.clone()).await;
    assert_eq!(bodies(&first), ["x"]);
    let again = server.receive_as(attempt).await;
    assert_eq!(bodies(&again), ["x"]);
    assert!(server.receive_as(json!({"QueueUrl": url})).await.is_empty());
    server.stop().await;
}

/// Sends these messages, given as group and deduplication id, as one batch; body and entry id are
/// the same. Returns their sequence numbers.
async fn send_batch(server: &Server, url: &str, messages: &[(&str, &str)]) -> Vec<String> {
    let entries = messages.iter().enumerate().map(|(n, (group, id))| {
        json!({"Id": n.to_string(), "MessageBody": id, "MessageGroupId": group,
               "MessageDeduplicationId": id})
    });
    let entries: Vec<_> = entries.collect();
    let request = json!({"QueueUrl": url, "Entries": entries});
    let answer = server.ok("SendMessageBatch", request).await;
    assert_eq!(answer["Failed"], Value::Null, "{answer}");
    let mut sent = answer["Successful"].as_array().unwrap().clone();
    sent.sort_by_key(|entry| entry["Id"].as_str().unwrap().to_owned());
    let numbers = sent.iter().map(|entry| entry["SequenceNumber"].as_str());
    numbers.map(|number| number.unwrap().to_owned()).collect()
}

async fn received_all(server: &Server, url: &str) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let received = server.receive(url).await;
        if received.is_empty() {
            return seen;
        }
        for message in received {
            seen.push(message["Body"].as_str().unwrap().to_owned());
            let delete = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
            server.ok("DeleteMessage", delete).await;
        }
    }
}

#[tokio::test]
async fn duplicates_in_a_batch_are_answered_with_the_first_and_not_received() {
    let server = Server::start().await;
    let url = fifo(&server, json!({})).await;
    let known = send_batch(&server, &url, &[("g", "a"), ("h", "b"), ("g", "c")]).await;
    let again = send_batch(&server, &url, &[("g", "a"), ("h", "b"), ("g", "c")]).await;
    assert_eq!(again, known);
    let mixed = [("g", "d"), ("h", "b"), ("g", "a"), ("h", "e"), ("h", "e")];
    let numbers = send_batch(&server, &url, &mixed).await;
    assert_eq!(numbers[1..3], [known[1].clone(), known[0].clone()]);
    assert_eq!(numbers[3], numbers[4]);
    assert!(known[2] < numbers[0] && numbers[0] < numbers[3]);
    let mut seen = received_all(&server, &url).await;
    let of_h = seen.extract_if(.., |body| ["b", "e"].contains(&body.as_str()));
    assert_eq!(of_h.collect::<Vec<_>>(), ["b", "e"]);
    assert_eq!(seen, ["a", "c", "d"]);
    server.stop().await;
}
