//! Sending, receiving and deleting, in both protocols.

use std::time::Duration;

use serde_json::json;

use crate::kit::{Server, bodies, json_request};

#[tokio::test]
async fn a_message_is_received_as_it_was_sent() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    let attributes = json!({
        "Hello": {"DataType": "String", "StringValue": "There"},
        "General": {"DataType": "String", "StringValue": "Kenobi"},
    });
    let trace = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2"}});
    let members = json!({
        "QueueUrl": url, "MessageBody": "msg", "MessageAttributes": attributes,
        "MessageSystemAttributes": trace,
    });
    let sent = server.ok("SendMessage", members).await;
    assert_eq!(sent["MD5OfMessageBody"], "6e2baaf3b97dbeef01c0043275f9a0e7");
    assert_eq!(
        sent["MD5OfMessageAttributes"],
        "fca026605781cb4126a1e9044df24232"
    );
    assert_eq!(
        sent["MD5OfMessageSystemAttributes"].as_str().unwrap().len(),
        32
    );
    assert!(sent["SequenceNumber"].is_null());

    let received = server.receive(&url).await;
    assert_eq!(bodies(&received), ["msg"]);
    let message = &received[0];
    assert_eq!(message["MessageId"], sent["MessageId"]);
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    assert_eq!(
        message["MD5OfMessageAttributes"],
        sent["MD5OfMessageAttributes"]
    );
    assert_eq!(message["MessageAttributes"], attributes);
    let system = &message["Attributes"];
    assert_eq!(system["ApproximateReceiveCount"], "1");
    assert_eq!(system["SenderId"], "000000000000");
    assert_eq!(system["AWSTraceHeader"], "Root=1-2");
    let instant = |name: &str| system[name].as_str().unwrap().parse::<i64>().unwrap();
    assert!(instant("SentTimestamp") > 1_700_000_000_000);
    assert!(instant("ApproximateFirstReceiveTimestamp") >= instant("SentTimestamp"));
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_message_is_counted_no_more() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    server
        .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "x"}))
        .await;
    assert_eq!(
        server.attribute(&url, "ApproximateNumberOfMessages").await,
        "1"
    );
    let received = server.receive(&url).await;
    assert_eq!(
        server.attribute(&url, "ApproximateNumberOfMessages").await,
        "0"
    );
    assert_eq!(
        server
            .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
            .await,
        "1"
    );
    let delete = json!({"QueueUrl": url, "ReceiptHandle": received[0]["ReceiptHandle"]});
    server.ok("DeleteMessage", delete.clone()).await;
    server.ok("DeleteMessage", delete).await;
    assert_eq!(
        server
            .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
            .await,
        "0"
    );
    assert_eq!(
        server.attribute(&url, "ApproximateNumberOfMessages").await,
        "0"
    );
    server.stop().await;
}

#[tokio::test]
async fn the_query_protocol_does_the_same() {
    let server = Server::start().await;
    let create = "Action=CreateQueue&QueueName=orders&Version=2012-11-05";
    let created = server.query("/", create).await;
    assert_eq!(created.status, 200);
    assert!(
        created.head.contains("content-type: text/xml"),
        "{}",
        created.head
    );
    let url = "<QueueUrl>http://queues.test:1234/000000000000/orders</QueueUrl>";
    assert!(created.body.contains(url), "{}", created.body);

    let send = "Action=SendMessage&MessageBody=a%3Cb%0D&MessageAttribute.1.Name=Foo\
        &MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=Bar";
    let sent = server.query("/000000000000/orders", send).await;
    let digest = "<MD5OfMessageAttributes>ae7155c6026991b6d54b11589678bf9c<";
    assert!(sent.body.contains(digest), "{}", sent.body);

    let receive = "Action=ReceiveMessage&QueueUrl=http://x/1/orders&WaitTimeSeconds=1\
        &AttributeName.1=All&MessageAttributeName.1=F.*";
    let body = server.query("/", receive).await.body;
    assert!(body.contains("<Body>a&lt;b&#xD;</Body>"), "{body}");
    assert!(
        body.contains("<Name>ApproximateReceiveCount</Name><Value>1</Value>"),
        "{body}"
    );
    assert!(
        body.contains("<Name>Foo</Name><Value><StringValue>Bar</StringValue>"),
        "{body}"
    );
    let handle = body
        .split("<ReceiptHandle>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    let handle: String = handle
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let form = format!("Action=DeleteMessage&ReceiptHandle={handle}");
    let deleted = server.query("/000000000000/orders", &form).await;
    assert_eq!(deleted.status, 200);
    assert!(
        deleted.body.contains("<DeleteMessageResponse xmlns="),
        "{}",
        deleted.body
    );
    server.stop().await;
}

#[tokio::test]
async fn errors_of_the_query_protocol_are_xml() {
    let server = Server::start().await;
    let missing = server
        .query("/", "Action=ReceiveMessage&QueueUrl=nowhere")
        .await;
    assert_eq!(missing.status, 400);
    let code = "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>";
    assert!(missing.body.contains(code), "{}", missing.body);
    assert!(
        missing
            .body
            .contains("does not exist for this wsdl version.")
    );
    server.stop().await;
}

#[tokio::test]
async fn errors_of_the_json_protocol_carry_the_code_of_the_other() {
    let server = Server::start().await;
    let request = json_request("SendMessage", r#"{"QueueUrl":"q","MessageBody":"x"}"#);
    let answer = server.exchange(&request).await;
    assert_eq!(answer.status, 400);
    let expected = "x-amzn-query-error: aws.simplequeueservice.nonexistentqueue;sender";
    assert!(answer.head.contains(expected), "{}", answer.head);
    assert!(
        answer
            .head
            .contains("content-type: application/x-amz-json-1.0")
    );
    assert!(answer.head.contains("x-amzn-requestid: "));
    server.stop().await;
}

#[tokio::test]
async fn what_can_not_be_sent_is_refused_in_aws_words() {
    let server = Server::start().await;
    let url = server
        .queue("orders", json!({"MaximumMessageSize": "1024"}))
        .await;
    let long = "x".repeat(1025);
    let many: serde_json::Map<_, _> = (0..11)
        .map(|number| {
            (
                format!("a{number}"),
                json!({"DataType": "String", "StringValue": "x"}),
            )
        })
        .collect();
    let one = |name: &str, value: serde_json::Value| json!({"MessageBody": "x", "MessageAttributes": {name: value}});
    for (mut members, expected) in [
        (
            json!({}),
            "The request must contain the parameter MessageBody.",
        ),
        (
            json!({"MessageBody": ""}),
            "The request must contain the parameter MessageBody.",
        ),
        (
            json!({"MessageBody": "a\u{1}"}),
            "Invalid characters found.",
        ),
        (
            json!({"MessageBody": long}),
            "Message must be shorter than 1024 bytes.",
        ),
        (
            json!({"MessageBody": "x", "DelaySeconds": 901}),
            "DelaySeconds must be >= 0 and <= 900.",
        ),
        (
            json!({"MessageBody": "x", "MessageDeduplicationId": "d"}),
            "The request includes a parameter that is not valid for this queue type.",
        ),
        (
            json!({"MessageBody": "x", "MessageAttributes": many}),
            "exceeds the allowed maximum [10]",
        ),
        (
            one("E", json!({"DataType": "String", "StringValue": ""})),
            "Message (user) attribute 'E' must contain a non-empty value of type 'String'.",
        ),
        (
            one("stele.x", json!({"DataType": "String", "StringValue": "x"})),
            "are reserved",
        ),
        (
            one("AWS.x", json!({"DataType": "String", "StringValue": "x"})),
            "are reserved",
        ),
        (
            one("E", json!({"DataType": "Number", "StringValue": "x"})),
            "to a number.",
        ),
    ] {
        members["QueueUrl"] = json!(url);
        let (_, message) = server.fail("SendMessage", members.clone()).await;
        assert!(message.contains(expected), "{members}: {message}");
    }
    assert!(server.receive(&url).await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_batch_sends_what_it_can() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    let entries = json!([
        {"Id": "1", "MessageBody": "one"},
        {"Id": "2", "MessageBody": "bad\u{1}"},
        {"Id": "3", "MessageBody": "three", "MessageAttributes":
            {"Foo": {"DataType": "String", "StringValue": "Bar"}}},
        {"Id": "4", "MessageBody": "four", "DelaySeconds": 0},
        {"Id": "5", "MessageBody": "later", "DelaySeconds": 900},
        {"Id": "6", "MessageBody": "six"},
    ]);
    let answer = server
        .ok(
            "SendMessageBatch",
            json!({"QueueUrl": url, "Entries": entries}),
        )
        .await;
    let ids = |list: &str| -> Vec<String> {
        let list = answer[list].as_array().unwrap();
        list.iter()
            .map(|entry| entry["Id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids("Successful"), ["1", "3", "4", "5", "6"]);
    assert_eq!(ids("Failed"), ["2"]);
    let failed = &answer["Failed"][0];
    assert_eq!(failed["Code"], "InvalidMessageContents");
    assert_eq!(failed["SenderFault"], true);

    let received = server.receive(&url).await;
    assert_eq!(bodies(&received), ["one", "three", "four", "six"]);
    for (position, sent) in [(0, 0), (1, 1), (2, 2), (3, 4)] {
        assert_eq!(
            received[position]["MessageId"],
            answer["Successful"][sent]["MessageId"]
        );
    }
    assert_eq!(
        server
            .attribute(&url, "ApproximateNumberOfMessagesDelayed")
            .await,
        "1"
    );

    let entries: Vec<_> = received
        .iter()
        .enumerate()
        .map(|(position, message)| json!({"Id": format!("d{position}"), "ReceiptHandle": message["ReceiptHandle"]}))
        .chain([json!({"Id": "bad", "ReceiptHandle": "x"})])
        .collect();
    let answer = server
        .ok(
            "DeleteMessageBatch",
            json!({"QueueUrl": url, "Entries": entries}),
        )
        .await;
    assert_eq!(answer["Successful"].as_array().unwrap().len(), 4);
    assert_eq!(answer["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(
        server
            .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
            .await,
        "0"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_batch_that_is_wrong_as_a_whole_sends_nothing() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    let entry = |id: &str, body: &str| json!({"Id": id, "MessageBody": body});
    let half = "x".repeat(600_000);
    let eleven: Vec<_> = (0..11)
        .map(|number| entry(&number.to_string(), "x"))
        .collect();
    for (entries, expected) in [
        (json!([]), "EmptyBatchRequest"),
        (json!(eleven), "TooManyEntriesInBatchRequest"),
        (
            json!([entry("a", "x"), entry("a", "y")]),
            "BatchEntryIdsNotDistinct",
        ),
        (json!([entry("a:b", "x")]), "InvalidBatchEntryId"),
        (
            json!([entry("a", &half), entry("b", &half)]),
            "BatchRequestTooLong",
        ),
    ] {
        let members = json!({"QueueUrl": url, "Entries": entries});
        assert_eq!(server.fail("SendMessageBatch", members).await.0, expected);
    }
    assert_eq!(
        server.attribute(&url, "ApproximateNumberOfMessages").await,
        "0"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_message_of_a_mebibyte_passes_and_one_byte_more_does_not() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    // Each of these characters takes six bytes of JSON or three of UTF-8.
    let body = "\u{1F600}".repeat(1024 * 1024 / 4);
    server
        .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": body}))
        .await;
    assert_eq!(bodies(&server.receive(&url).await), [body.as_str()]);
    let longer = format!("{body}x");
    let (_, message) = server
        .fail(
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": longer}),
        )
        .await;
    assert!(message.contains("shorter than 1048576 bytes"), "{message}");
    server.stop().await;
}

#[tokio::test]
async fn the_trace_of_a_request_is_that_of_its_messages() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    let own = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=own"}});
    let batch = json!([
        {"Id": "a", "MessageBody": "batch"},
        {"Id": "b", "MessageBody": "own", "MessageSystemAttributes": own},
    ]);
    for (action, members) in [
        (
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": "one"}),
        ),
        (
            "SendMessageBatch",
            json!({"QueueUrl": url, "Entries": batch}),
        ),
    ] {
        let request = String::from_utf8(json_request(action, &members.to_string())).unwrap();
        let (line, rest) = request.split_once("\r\n").unwrap();
        let traced = format!("{line}\r\nX-Amzn-Trace-Id: Root=1-5e3d83c1;Sampled=1\r\n{rest}");
        let answer = server.exchange(traced.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    server
        .ok(
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": "none"}),
        )
        .await;
    let traces: Vec<_> = server
        .receive(&url)
        .await
        .iter()
        .map(|message| message["Attributes"]["AWSTraceHeader"].clone())
        .collect();
    let given = "Root=1-5e3d83c1;Sampled=1";
    assert_eq!(json!(traces), json!([given, given, "Root=own", null]));
    server.stop().await;
}

#[tokio::test]
async fn a_purge_empties_the_queue_once_a_minute() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    for body in ["a", "b"] {
        server
            .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": body}))
            .await;
    }
    let later = json!({"QueueUrl": url, "MessageBody": "c", "DelaySeconds": 900});
    server.ok("SendMessage", later).await;
    let in_flight = json!({"QueueUrl": url, "MaxNumberOfMessages": 1, "WaitTimeSeconds": 1});
    assert_eq!(server.receive_as(in_flight).await.len(), 1);
    server.ok("PurgeQueue", json!({"QueueUrl": url})).await;
    for name in [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
    ] {
        assert_eq!(server.attribute(&url, name).await, "0", "{name}");
    }
    let (shape, message) = server.fail("PurgeQueue", json!({"QueueUrl": url})).await;
    assert_eq!(shape, "PurgeQueueInProgress");
    assert_eq!(
        message,
        "Only one PurgeQueue operation on orders is allowed every 60 seconds."
    );
    server.stop().await;
}

#[tokio::test]
async fn a_purge_may_be_allowed_at_any_time() {
    let server = Server::with(|settings| settings.purge_interval = Duration::ZERO).await;
    let url = server.queue("orders", json!({})).await;
    for _ in 0..2 {
        server.ok("PurgeQueue", json!({"QueueUrl": url})).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn messages_are_there_after_a_restart() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    for body in ["kept", "deleted"] {
        server
            .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": body}))
            .await;
    }
    let received = server.receive(&url).await;
    let deleted = received
        .iter()
        .find(|message| message["Body"] == "deleted")
        .unwrap();
    server
        .ok(
            "DeleteMessage",
            json!({"QueueUrl": url, "ReceiptHandle": deleted["ReceiptHandle"]}),
        )
        .await;

    let server = server.restart().await;
    let give_back = json!({
        "QueueUrl": url, "ReceiptHandle": received[0]["ReceiptHandle"], "VisibilityTimeout": 0,
    });
    // Whether or not the lease survives the restart, the message exists once.
    drop(server.json("ChangeMessageVisibility", &give_back).await);
    let again = server.receive(&url).await;
    assert_eq!(bodies(&again), ["kept"]);
    assert_eq!(again[0]["MessageId"], received[0]["MessageId"]);
    server.stop().await;
}
