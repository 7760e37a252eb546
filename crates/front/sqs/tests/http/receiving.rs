//! Leases and waits: visibility timeouts, long polling, handles.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

use crate::kit::{Server, bodies, json_request};

/// Long enough for anything here, short enough that a hanging test ends.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_received_message_is_hidden_until_its_timeout() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    server
        .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "x"}))
        .await;
    let first = server
        .receive_as(json!({"QueueUrl": url, "WaitTimeSeconds": 1, "VisibilityTimeout": 1}))
        .await;
    assert_eq!(bodies(&first), ["x"]);
    assert!(server.receive_as(json!({"QueueUrl": url})).await.is_empty());
    let again = server
        .receive_as(json!({
            "QueueUrl": url, "WaitTimeSeconds": 20, "AttributeNames": ["ApproximateReceiveCount"],
        }))
        .await;
    assert_eq!(bodies(&again), ["x"]);
    assert_eq!(
        again[0]["Attributes"],
        json!({"ApproximateReceiveCount": "2"})
    );
    assert_eq!(again[0]["MessageId"], first[0]["MessageId"]);
    assert_ne!(again[0]["ReceiptHandle"], first[0]["ReceiptHandle"]);
    // A standard queue accepts an old handle.
    server
        .ok(
            "DeleteMessage",
            json!({"QueueUrl": url, "ReceiptHandle": first[0]["ReceiptHandle"]}),
        )
        .await;
    assert_eq!(
        server
            .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
            .await,
        "0"
    );
    server.stop().await;
}

#[tokio::test]
async fn changing_the_visibility_gives_back_or_keeps() {
    let server = Server::start().await;
    let url = server
        .queue("orders", json!({"VisibilityTimeout": "1"}))
        .await;
    server
        .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "x"}))
        .await;
    let received = server.receive(&url).await;
    let handle = &received[0]["ReceiptHandle"];
    let change = |seconds: i32| json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": seconds});
    server.ok("ChangeMessageVisibility", change(40_000)).await;
    // After the timeout it was received with, it is still hidden.
    assert!(
        server
            .receive_as(json!({"QueueUrl": url, "WaitTimeSeconds": 2}))
            .await
            .is_empty()
    );
    server.ok("ChangeMessageVisibility", change(0)).await;
    let again = server.receive(&url).await;
    assert_eq!(bodies(&again), ["x"]);
    let (shape, _) = server.fail("ChangeMessageVisibility", change(5)).await;
    assert_eq!(shape, "InvalidParameterValueException", "another has it");
    for bad in [-1, 43_201] {
        let (shape, _) = server.fail("ChangeMessageVisibility", change(bad)).await;
        assert_eq!(shape, "InvalidParameterValueException");
    }
    server.stop().await;
}

/// Receives one message and returns it immediately. Returns its handle.
async fn receive_and_return(server: &Server, url: &str) -> Value {
    let received = server.receive(url).await;
    let handle = received[0]["ReceiptHandle"].clone();
    let back = json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0});
    server.ok("ChangeMessageVisibility", back).await;
    handle
}

#[tokio::test]
async fn a_handle_whose_time_is_over_holds_a_message_that_nobody_received_since() {
    let server = Server::start().await;
    let fifo = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    let fifo = server.queue("orders.fifo", fifo).await;
    for url in [server.queue("orders", json!({})).await, fifo] {
        let mut message = json!({"QueueUrl": url, "MessageBody": "x"});
        if url.ends_with(".fifo") {
            message["MessageGroupId"] = json!("g");
        }
        server.ok("SendMessage", message).await;
        let handle = receive_and_return(&server, &url).await;
        let change = |seconds: i32| json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": seconds});
        server.ok("ChangeMessageVisibility", change(0)).await;
        server.ok("ChangeMessageVisibility", change(1_000)).await;
        assert_eq!(bodies(&server.receive(&url).await), [""; 0], "it is hidden");
        let delete = json!({"QueueUrl": url, "ReceiptHandle": handle});
        server.ok("DeleteMessage", delete).await;
        let count = server.attribute(&url, "ApproximateNumberOfMessagesNotVisible");
        assert_eq!(count.await, "0");
        for seconds in [0, 10] {
            let (shape, message) = server
                .fail("ChangeMessageVisibility", change(seconds))
                .await;
            assert_eq!(shape, "InvalidParameterValueException");
            let expected = format!(
                "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist \
                 or is not available for visibility timeout change.",
                handle.as_str().unwrap()
            );
            assert_eq!(message, expected, "it is deleted");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn no_more_messages_are_in_flight_than_may_be() {
    let server = Server::with(|settings| settings.in_flight_max = 2).await;
    let url = server.queue("orders", json!({})).await;
    for body in ["a", "b", "c"] {
        let message = json!({"QueueUrl": url, "MessageBody": body});
        server.ok("SendMessage", message).await;
    }
    let received = server.receive(&url).await;
    assert_eq!(bodies(&received), ["a", "b"]);
    let short = json!({"QueueUrl": url});
    let request = json_request("ReceiveMessage", &short.to_string());
    let answer = server.exchange(&request).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(
        answer.body.contains("com.amazonaws.sqs#OverLimit"),
        "{answer:?}"
    );
    assert_eq!(bodies(&server.receive(&url).await), [""; 0], "it waited");
    let delete = json!({"QueueUrl": url, "ReceiptHandle": received[0]["ReceiptHandle"]});
    let waits = json!({"QueueUrl": url, "WaitTimeSeconds": 20});
    let (received, ()) = tokio::join!(server.receive_as(waits), async {
        server.ok("DeleteMessage", delete).await;
    });
    assert_eq!(bodies(&received), ["c"]);
    server.stop().await;
}

#[tokio::test]
async fn a_fifo_queue_gives_nothing_where_too_much_is_in_flight() {
    let server = Server::with(|settings| settings.in_flight_max = 1).await;
    let fifo = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    let url = server.queue("orders.fifo", fifo).await;
    for group in ["a", "b"] {
        let message = json!({"QueueUrl": url, "MessageBody": group, "MessageGroupId": group});
        server.ok("SendMessage", message).await;
    }
    let short = json!({"QueueUrl": url});
    assert_eq!(bodies(&server.receive_as(short.clone()).await), ["a"]);
    assert_eq!(bodies(&server.receive_as(short).await), [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn changes_of_visibility_come_in_batches() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    for body in ["a", "b"] {
        server
            .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": body}))
            .await;
    }
    let received = server.receive(&url).await;
    let handle = |position: usize| received[position]["ReceiptHandle"].clone();
    let entries = json!([
        {"Id": "back", "ReceiptHandle": handle(0), "VisibilityTimeout": 0},
        {"Id": "long", "ReceiptHandle": handle(1), "VisibilityTimeout": 43_200},
        {"Id": "without", "ReceiptHandle": handle(1)},
        {"Id": "bad", "ReceiptHandle": "x", "VisibilityTimeout": 1},
    ]);
    let members = json!({"QueueUrl": url, "Entries": entries});
    let answer = server.ok("ChangeMessageVisibilityBatch", members).await;
    assert_eq!(
        answer["Successful"],
        json!([{"Id": "back"}, {"Id": "long"}])
    );
    let codes: Vec<_> = answer["Failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["Code"])
        .collect();
    assert_eq!(codes, ["MissingParameter", "ReceiptHandleIsInvalid"]);
    assert_eq!(bodies(&server.receive(&url).await), ["a"]);
    server.stop().await;
}

#[tokio::test]
async fn a_waiting_receive_gets_what_is_sent_meanwhile() {
    let server = Server::start().await;
    let url = server
        .queue("orders", json!({"ReceiveMessageWaitTimeSeconds": "20"}))
        .await;
    // The queue's own wait time applies if the request has none.
    let (received, _) = timeout(PATIENCE, async {
        tokio::join!(server.receive_as(json!({"QueueUrl": url})), async {
            // If the wait is registered, the message wakes it; if not yet, the receive finds the
            // message.
            server
                .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "x"}))
                .await;
        })
    })
    .await
    .unwrap();
    assert_eq!(bodies(&received), ["x"]);
    server.stop().await;
}

#[tokio::test]
async fn a_receiver_that_goes_away_takes_nothing() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    let body = json!({"QueueUrl": url, "WaitTimeSeconds": 20}).to_string();
    for _ in 0..5 {
        let mut gone = TcpStream::connect(server.address).await.unwrap();
        gone.write_all(&json_request("ReceiveMessage", &body))
            .await
            .unwrap();
        drop(gone);
    }
    // A client that closed before it was served is handled like one that closed while it waited:
    // the server sees the end of the stream, and a lease it made meanwhile ends soon.
    let sent = json!({"QueueUrl": url, "MessageBody": "x"});
    let received = timeout(PATIENCE, async {
        loop {
            server.ok("SendMessage", sent.clone()).await;
            let received = server.receive(&url).await;
            if !received.is_empty() {
                return received;
            }
        }
    });
    assert!(bodies(&received.await.unwrap()).contains(&"x"));
    server.stop().await;
}

#[tokio::test]
async fn a_waiting_receive_ends_when_the_front_stops() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    let waiting = server.receive_as(json!({"QueueUrl": url, "WaitTimeSeconds": 20}));
    let stopping = async {
        // When this returns, the receive before it has long been accepted.
        server.attribute(&url, "DelaySeconds").await;
        server.begin_stop();
    };
    let (received, ()) = timeout(Duration::from_secs(10), async {
        tokio::join!(waiting, stopping)
    })
    .await
    .expect("the wait of 20 seconds ends early");
    assert!(received.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn handles_and_numbers_are_checked() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    let other = server.queue("others", json!({})).await;
    server
        .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "x"}))
        .await;
    let received = server.receive(&url).await;
    let elsewhere = json!({"QueueUrl": other, "ReceiptHandle": received[0]["ReceiptHandle"]});
    assert_eq!(
        server.fail("DeleteMessage", elsewhere).await.0,
        "ReceiptHandleIsInvalid"
    );
    let made_up = json!({"QueueUrl": url, "ReceiptHandle": "AAAA"});
    let (status, value) = server.json("DeleteMessage", &made_up).await;
    assert_eq!(status, 404);
    assert_eq!(
        value["message"],
        "The input receipt handle \"AAAA\" is not a valid receipt handle."
    );
    for (name, value) in [
        ("MaxNumberOfMessages", 0),
        ("MaxNumberOfMessages", 11),
        ("WaitTimeSeconds", -1),
        ("WaitTimeSeconds", 21),
        ("VisibilityTimeout", 43_201),
    ] {
        let (shape, message) = server
            .fail("ReceiveMessage", json!({"QueueUrl": url, name: value}))
            .await;
        assert_eq!(shape, "InvalidParameterValueException");
        assert!(
            message.starts_with(&format!("Value {value} for parameter {name} is invalid.")),
            "{message}"
        );
    }
    let unknown = json!({"QueueUrl": url, "MessageSystemAttributeNames": ["Colour"]});
    assert_eq!(
        server.fail("ReceiveMessage", unknown).await.0,
        "InvalidAttributeName"
    );
    server.stop().await;
}
