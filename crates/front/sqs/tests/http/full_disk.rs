//! A disk below its reserve: sending fails so that clients retry, everything else continues.

use serde_json::{Value, json};

use crate::kit::{Server, bodies};

fn handle(message: &Value) -> Value {
    message["ReceiptHandle"].clone()
}

#[tokio::test]
async fn what_queues_may_take_below_the_reserve_has_an_end() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    server.disk().fill_disk_for_definitions().await;
    let create = json!({"QueueName": "another"});
    let (status, refused) = server.json("CreateQueue", &create).await;
    assert_eq!(status, 503, "{refused}");
    assert_eq!(server.queue("q", json!({})).await, url);
    server.disk().empty_disk().await;
    server.ok("CreateQueue", create).await;
    server.stop().await;
}

#[tokio::test]
async fn without_space_sending_is_unavailable_and_receiving_and_deleting_go_on() {
    let server = Server::start().await;
    let url = server.queue("q", json!({})).await;
    let message = |body: &str| json!({"QueueUrl": url, "MessageBody": body});
    server.ok("SendMessage", message("one")).await;
    server.ok("SendMessage", message("two")).await;
    server.disk().fill_disk().await;

    let (status, refused) = server.json("SendMessage", &message("three")).await;
    assert_eq!(status, 503, "{refused}");
    let kind = refused["__type"].as_str().unwrap();
    assert!(kind.ends_with("#ServiceUnavailableException"), "{refused}");
    let batch = json!({"QueueUrl": url, "Entries": [{"Id": "1", "MessageBody": "four"}]});
    let (status, refused) = server.json("SendMessageBatch", &batch).await;
    let entry = &refused["Failed"][0];
    let is_told = status == 503 || (entry["SenderFault"] == false && entry["Id"] == "1");
    assert!(is_told, "{status} {refused}");
    // A client that starts now may need a queue for its replies.
    let another = server.queue("another", json!({})).await;
    server
        .ok("DeleteQueue", json!({ "QueueUrl": another }))
        .await;

    // A client that starts now first creates its queue.
    assert_eq!(server.queue("q", json!({})).await, url);
    let received = server.receive(&url).await;
    assert_eq!(bodies(&received), ["one", "two"]);
    let back = json!({
        "QueueUrl": url, "ReceiptHandle": handle(&received[1]), "VisibilityTimeout": 0,
    });
    server.ok("ChangeMessageVisibility", back).await;
    let done = json!({"QueueUrl": url, "ReceiptHandle": handle(&received[0])});
    server.ok("DeleteMessage", done).await;
    assert_eq!(bodies(&server.receive(&url).await), ["two"]);

    server.disk().empty_disk().await;
    server.ok("SendMessage", message("three")).await;
    assert_eq!(bodies(&server.receive(&url).await), ["three"]);
    server.stop().await;
}
