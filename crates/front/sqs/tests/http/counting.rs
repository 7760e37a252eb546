//! The front's counters for operators, read from the broker.

use serde_json::json;
use stele_test_testkit::counted;

use crate::kit::{Server, json_request};

#[tokio::test]
async fn actions_errors_bytes_and_connections_are_counted() {
    let server = Server::start().await;
    let broker = server.broker().clone();
    let url = server.queue("q", json!({})).await;
    let message = json!({"QueueUrl": url, "MessageBody": "hello"});
    server.ok("SendMessage", message.clone()).await;
    server.ok("SendMessage", message).await;
    let nowhere = json!({"QueueUrl": url.replace("/q", "/none"), "MessageBody": "hello"});
    server.fail("SendMessage", nowhere).await;
    let nothing = json!({"QueueUrl": url, "Entries": [{"Id": "1", "ReceiptHandle": "none"}]});
    server.ok("DeleteMessageBatch", nothing).await;
    let request = json_request("ListQueues", "{}");
    let before = broker.front_counts().remove(0);
    let answer = server.raw(&request).await;
    let unread = server.raw(&json_request("DropQueue", "{}")).await;
    assert!(unread.starts_with("HTTP/1.1 404 "), "{unread}");
    let noise = server.raw(b"\x16\x03\x01\x02\0\r\n\r\n").await;
    // The last bytes sent are counted by then.
    server.stop().await;

    let counts = broker.front_counts().remove(0);
    assert_eq!(counts.front, "sqs");
    assert_eq!(counted(&counts.requests, "SendMessage"), 3);
    assert_eq!(counted(&counts.errors, "SendMessage"), 1);
    assert_eq!(counted(&counts.errors, "DeleteMessageBatch"), 1);
    assert_eq!(counted(&counts.requests, "ListQueues"), 1);
    assert_eq!(counted(&counts.errors, "ListQueues"), 0);
    assert_eq!(counted(&counts.requests, "unrecognized"), 1);
    assert_eq!((counts.connections, counts.connections_total), (0, 8));
    assert_eq!(counts.connection_errors, 1);
    let asked = request.len() + json_request("DropQueue", "{}").len() + 9;
    assert_eq!(counts.received_bytes - before.received_bytes, asked as u64);
    let answered = answer.len() + unread.len() + noise.len();
    assert!(counts.sent_bytes - before.sent_bytes >= answered as u64);
}
