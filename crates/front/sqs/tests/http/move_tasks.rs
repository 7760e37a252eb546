//! Tasks that move the messages of a dead-letter queue.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    dead_letters::{arn, pair, policy},
    kit::Server,
};

/// Puts messages into the dead-letter queue of `orders`. Returns their ids, sorted.
async fn fail(server: &Server, orders: &str, dead: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let members = json!({"QueueUrl": orders, "MessageBody": number.to_string()});
        let sent = server.ok("SendMessage", members).await;
        ids.push(sent["MessageId"].as_str().unwrap().to_owned());
    }
    let mut failed = 0;
    while failed < count {
        let members = json!({"QueueUrl": orders, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0,
            "WaitTimeSeconds": 1});
        failed += server.receive_as(members).await.len();
    }
    await_count(server, dead, count).await;
    ids.sort();
    ids
}

async fn await_count(server: &Server, url: &str, count: usize) {
    let name = "ApproximateNumberOfMessages";
    while server.attribute(url, name).await != count.to_string() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn ids(server: &Server, url: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let found = server.receive(url).await;
        let found = found.iter().map(|it| it["MessageId"].as_str().unwrap());
        ids.extend(found.map(str::to_owned));
    }
    ids.sort();
    ids
}

async fn start(server: &Server, members: Value) -> String {
    let started = server.ok("StartMessageMoveTask", members).await;
    started["TaskHandle"].as_str().unwrap().to_owned()
}

async fn last(server: &Server, source: &str) -> Value {
    let members = json!({"SourceArn": arn(source)});
    let listed = server.ok("ListMessageMoveTasks", members).await;
    listed["Results"][0].clone()
}

async fn ended(server: &Server, source: &str) -> Value {
    loop {
        let task = last(server, source).await;
        if task["Status"] != "RUNNING" && task["Status"] != "CANCELLING" {
            return task;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn messages_go_back_to_where_they_came_from_with_their_ids() {
    let server = Server::start().await;
    let (orders, dead) = pair(&server, 1).await;
    let others = server.queue("others", policy("dead", 1)).await;
    let sent = fail(&server, &orders, &dead, 3).await;
    let members = json!({"QueueUrl": others, "MessageBody": "other"});
    server.ok("SendMessage", members).await;
    server.receive_once(&others).await;
    await_count(&server, &dead, 4).await;

    start(&server, json!({"SourceArn": arn("dead")})).await;
    let task = ended(&server, "dead").await;
    assert_eq!(task["Status"], "COMPLETED", "{task}");
    assert_eq!(task["ApproximateNumberOfMessagesMoved"], 4);
    assert_eq!(task["ApproximateNumberOfMessagesToMove"], 4);
    assert_eq!(task["SourceArn"], arn("dead"));
    assert!(task["StartedTimestamp"].as_i64().unwrap() > 1_600_000_000_000);
    for absent in ["TaskHandle", "DestinationArn", "FailureReason"] {
        assert_eq!(task.get(absent), None, "{absent}");
    }
    await_count(&server, &dead, 0).await;
    assert_eq!(ids(&server, &orders, 3).await, sent);
    let other = server.receive_once(&others).await;
    assert_eq!(other["Body"], "other");
    assert_eq!(other["Attributes"].get("DeadLetterQueueSourceArn"), None);
    assert_eq!(other["Attributes"]["ApproximateReceiveCount"], "1");
    server.stop().await;
}

#[tokio::test]
async fn messages_go_to_another_queue_at_the_given_rate_until_the_task_is_cancelled() {
    let server = Server::start().await;
    let (orders, dead) = pair(&server, 1).await;
    let elsewhere = server.queue("elsewhere", json!({})).await;
    fail(&server, &orders, &dead, 5).await;
    let members = json!({"SourceArn": arn("dead"), "DestinationArn": arn("elsewhere"),
        "MaxNumberOfMessagesPerSecond": 1});
    let handle = start(&server, members.clone()).await;
    let (_, message) = server.fail("StartMessageMoveTask", members).await;
    assert_eq!(
        message,
        "There is already a task running. Only one active task is allowed for a source queue arn \
         at a given time."
    );
    await_count(&server, &elsewhere, 2).await;
    let task = last(&server, "dead").await;
    assert_eq!(
        (&task["Status"], &task["TaskHandle"]),
        (&json!("RUNNING"), &json!(handle))
    );
    assert_eq!(task["DestinationArn"], arn("elsewhere"));
    assert_eq!(task["MaxNumberOfMessagesPerSecond"], 1);

    let cancel = json!({"TaskHandle": handle});
    let cancelled = server.ok("CancelMessageMoveTask", cancel.clone()).await;
    assert!(
        cancelled["ApproximateNumberOfMessagesMoved"]
            .as_i64()
            .unwrap()
            <= 5
    );
    let task = ended(&server, "dead").await;
    assert_eq!(task["Status"], "CANCELLED");
    let moved = task["ApproximateNumberOfMessagesMoved"].as_u64().unwrap();
    assert!((2..5).contains(&moved), "{moved}");
    let moved = usize::try_from(moved).unwrap();
    await_count(&server, &elsewhere, moved).await;
    await_count(&server, &dead, 5 - moved).await;
    let again = server.fail("CancelMessageMoveTask", cancel).await;
    assert_eq!(again.0, "UnsupportedOperation");
    server.stop().await;
}

#[tokio::test]
async fn a_task_goes_on_after_a_restart() {
    let mut server = Server::start().await;
    let (orders, dead) = pair(&server, 1).await;
    let sent = fail(&server, &orders, &dead, 4).await;
    let members = json!({"SourceArn": arn("dead"), "MaxNumberOfMessagesPerSecond": 1});
    start(&server, members).await;
    await_count(&server, &orders, 1).await;
    server = server.restart().await;
    assert_eq!(ids(&server, "orders", 4).await, sent);
    let task = ended(&server, "dead").await;
    assert_eq!(task["Status"], "COMPLETED");
    assert_eq!(task["ApproximateNumberOfMessagesMoved"], 4);
    server.stop().await;
}

#[tokio::test]
async fn a_task_fails_if_there_is_no_place_for_a_message() {
    let server = Server::start().await;
    let (orders, dead) = pair(&server, 1).await;
    let members = json!({"QueueUrl": dead, "MessageBody": "direct"});
    server.ok("SendMessage", members).await;
    start(&server, json!({"SourceArn": arn("dead")})).await;
    let task = ended(&server, "dead").await;
    let status = (&task["Status"], &task["FailureReason"]);
    assert_eq!(
        status,
        (&json!("FAILED"), &json!("CouldNotDetermineMessageSource"))
    );
    server.ok("PurgeQueue", json!({"QueueUrl": dead})).await;
    fail(&server, &orders, &dead, 1).await;
    server.ok("DeleteQueue", json!({"QueueUrl": orders})).await;
    server.queue("others", policy("dead", 1)).await;
    start(&server, json!({"SourceArn": arn("dead")})).await;
    let task = ended(&server, "dead").await;
    let status = (&task["Status"], &task["FailureReason"]);
    let gone = json!("AWS.SimpleQueueService.NonExistentQueue");
    assert_eq!(status, (&json!("FAILED"), &gone));
    await_count(&server, &dead, 1).await;
    let all = json!({"SourceArn": arn("dead"), "MaxResults": 10});
    let all = server.ok("ListMessageMoveTasks", all).await;
    assert_eq!(all["Results"].as_array().unwrap().len(), 2);
    server.stop().await;
}

/// Requests that are refused: the action, its members, the kind of error and the message.
fn refusals() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    const INVALID: &str = "InvalidParameterValueException";
    const ABSENT: &str = "ResourceNotFoundException";
    const RATE: &str = "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You \
                        must enter a number that's between 1 and 500.";
    const NO_SOURCE: &str =
        "The resource that you specified for the SourceArn parameter doesn't exist.";
    let start = |members, kind, message| ("StartMessageMoveTask", members, kind, message);
    let to = |name: &str| json!({"SourceArn": arn("dead"), "DestinationArn": arn(name)});
    let at = |rate| json!({"SourceArn": arn("dead"), "MaxNumberOfMessagesPerSecond": rate});
    let format = "You must use this format to specify the SourceArn: \
                  arn:<partition>:<service>:<region>:<account-id>:<resource-id>";
    let no_dead_letters = "Source queue must be configured as a Dead Letter Queue.";
    let missing = "The request must contain the parameter SourceArn.";
    let no_handle = "Value for parameter TaskHandle is invalid.";
    let same = "Source queue arn and destination queue arn cannot be the same.";
    let no_target =
        "The resource that you specified for the DestinationArn parameter doesn't exist.";
    let kinds = "The source queue and destination queue must be of the same queue type.";
    let too_many = "Value for parameter MaxResults is invalid. Reason: You must enter a number \
                    that's between 1 and 10.";
    let cancel = |handle| {
        (
            "CancelMessageMoveTask",
            json!({"TaskHandle": handle}),
            INVALID,
            no_handle,
        )
    };
    let list = |members, kind, message| ("ListMessageMoveTasks", members, kind, message);
    vec![
        start(json!({}), "MissingRequiredParameterException", missing),
        start(json!({"SourceArn": "dead"}), INVALID, format),
        start(json!({"SourceArn": arn("absent")}), ABSENT, NO_SOURCE),
        start(
            json!({"SourceArn": arn("orders")}),
            INVALID,
            no_dead_letters,
        ),
        start(to("dead"), INVALID, same),
        start(to("absent"), ABSENT, no_target),
        start(to("other.fifo"), INVALID, kinds),
        start(at(0), INVALID, RATE),
        start(at(501), INVALID, RATE),
        list(json!({"SourceArn": arn("absent")}), ABSENT, NO_SOURCE),
        list(
            json!({"SourceArn": arn("dead"), "MaxResults": 11}),
            INVALID,
            too_many,
        ),
        cancel("foobared"),
        cancel("e30="),
    ]
}

#[tokio::test]
async fn tasks_are_refused_in_the_words_of_aws() {
    let server = Server::start().await;
    pair(&server, 1).await;
    server
        .queue("other.fifo", json!({"FifoQueue": "true"}))
        .await;
    for (action, members, kind, message) in refusals() {
        let found = server.fail(action, members.clone()).await;
        assert_eq!(
            (found.0.as_str(), found.1.as_str()),
            (kind, message),
            "{members}"
        );
    }
    let listed = json!({"SourceArn": arn("dead")});
    assert_eq!(server.ok("ListMessageMoveTasks", listed).await, json!({}));
    server.stop().await;
}
