//! Definitions: create, list, look up, alter, tag, delete.

use serde_json::json;

use crate::kit::Server;

#[tokio::test]
async fn a_queue_is_created_found_listed_and_deleted() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    assert_eq!(url, "http://queues.test:1234/000000000000/orders");
    let found = server
        .ok("GetQueueUrl", json!({"QueueName": "orders"}))
        .await;
    assert_eq!(found["QueueUrl"], url.as_str());
    let listed = server.ok("ListQueues", json!({})).await;
    assert_eq!(listed, json!({"QueueUrls": [url]}));
    server.ok("DeleteQueue", json!({"QueueUrl": url})).await;
    assert_eq!(server.ok("ListQueues", json!({})).await, json!({}));
    let (shape, message) = server
        .fail("GetQueueUrl", json!({"QueueName": "orders"}))
        .await;
    assert_eq!(shape, "QueueDoesNotExist");
    assert_eq!(message, "The specified queue does not exist.");
    server.queue("orders", json!({})).await;
    server.stop().await;
}

#[tokio::test]
async fn creating_again_compares_the_given_attributes() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({"DelaySeconds": "5"})).await;
    assert_eq!(
        server.queue("orders", json!({"DelaySeconds": "5"})).await,
        url
    );
    assert_eq!(
        server
            .queue("orders", json!({"VisibilityTimeout": "30"}))
            .await,
        url
    );
    assert_eq!(server.queue("orders", json!({})).await, url);
    let other = json!({"QueueName": "orders", "Attributes": {"DelaySeconds": "6"}});
    let (shape, message) = server.fail("CreateQueue", other).await;
    assert_eq!(shape, "QueueNameExists");
    assert_eq!(
        message,
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    );
    server.stop().await;
}

#[tokio::test]
async fn names_and_attributes_are_checked() {
    let server = Server::start().await;
    for (name, attributes, expected) in [
        ("a b", json!({}), "InvalidParameterValueException"),
        ("", json!({}), "InvalidParameterValueException"),
        (
            "q",
            json!({"FifoQueue": "true"}),
            "InvalidParameterValueException",
        ),
        ("q.fifo", json!({}), "InvalidParameterValueException"),
        ("q", json!({"DelaySeconds": "901"}), "InvalidAttributeValue"),
        ("q", json!({"DelaySeconds": "x"}), "InvalidAttributeValue"),
        ("q", json!({"Colour": "red"}), "InvalidAttributeName"),
        ("q", json!({"QueueArn": "x"}), "InvalidAttributeName"),
        ("q", json!({"Policy": "{}"}), "UnsupportedOperation"),
        ("q", json!({"DelaySeconds": 5}), "SerializationException"),
    ] {
        let members = json!({"QueueName": name, "Attributes": attributes});
        let (shape, _) = server.fail("CreateQueue", members).await;
        assert_eq!(shape, expected, "{name} {attributes}");
    }
    assert_eq!(server.ok("ListQueues", json!({})).await, json!({}));
    server.stop().await;
}

#[tokio::test]
async fn attributes_are_told_changed_and_kept_over_a_restart() {
    let server = Server::start().await;
    let given = json!({"VisibilityTimeout": "20", "MessageRetentionPeriod": "604800"});
    let url = server.queue("orders", given).await;
    let all = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let told = server.ok("GetQueueAttributes", all.clone()).await["Attributes"].clone();
    for (name, value) in [
        ("VisibilityTimeout", "20"),
        ("MessageRetentionPeriod", "604800"),
        ("MaximumMessageSize", "1048576"),
        ("DelaySeconds", "0"),
        ("ReceiveMessageWaitTimeSeconds", "0"),
        ("SqsManagedSseEnabled", "false"),
        ("ApproximateNumberOfMessages", "0"),
        ("ApproximateNumberOfMessagesDelayed", "0"),
        ("ApproximateNumberOfMessagesNotVisible", "0"),
        ("QueueArn", "arn:aws:sqs:us-east-1:000000000000:orders"),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    assert_eq!(told.as_object().unwrap().len(), 12, "{told}");
    let change = json!({"DelaySeconds": "420", "VisibilityTimeout": "69"});
    server
        .ok(
            "SetQueueAttributes",
            json!({"QueueUrl": url, "Attributes": change}),
        )
        .await;

    let server = server.restart().await;
    let told = server.ok("GetQueueAttributes", all).await["Attributes"].clone();
    assert_eq!(told["DelaySeconds"], "420");
    assert_eq!(told["VisibilityTimeout"], "69");
    assert_eq!(told["MessageRetentionPeriod"], "604800");
    let created: i64 = told["CreatedTimestamp"].as_str().unwrap().parse().unwrap();
    let modified: i64 = told["LastModifiedTimestamp"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        created > 1_700_000_000 && modified >= created,
        "{created} {modified}"
    );
    server.stop().await;
}

#[tokio::test]
async fn wrong_changes_change_nothing() {
    let server = Server::start().await;
    let url = server.queue("orders", json!({})).await;
    for (attributes, expected) in [
        (
            json!({"DelaySeconds": "1", "VisibilityTimeout": "-1"}),
            "InvalidAttributeValue",
        ),
        (json!({"FifoQueue": "true"}), "InvalidAttributeName"),
        (json!({"Policy": "{}"}), "UnsupportedOperation"),
    ] {
        let members = json!({"QueueUrl": url, "Attributes": attributes});
        assert_eq!(server.fail("SetQueueAttributes", members).await.0, expected);
    }
    assert_eq!(server.attribute(&url, "DelaySeconds").await, "0");
    let unknown = json!({"QueueUrl": url, "AttributeNames": ["Colour"]});
    let (shape, message) = server.fail("GetQueueAttributes", unknown).await;
    assert_eq!(
        (shape.as_str(), message.as_str()),
        ("InvalidAttributeName", "Unknown Attribute Colour.")
    );
    server.stop().await;
}

#[tokio::test]
async fn queues_are_listed_by_prefix_and_page() {
    let server = Server::start().await;
    for name in ["b1", "a1", "a2", "a3"] {
        server.queue(name, json!({})).await;
    }
    let names = |answer: &serde_json::Value| -> Vec<String> {
        let urls = answer["QueueUrls"].as_array().cloned().unwrap_or_default();
        urls.iter()
            .map(|url| url.as_str().unwrap().rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    let first = server
        .ok(
            "ListQueues",
            json!({"QueueNamePrefix": "a", "MaxResults": 2}),
        )
        .await;
    assert_eq!(names(&first), ["a1", "a2"]);
    let token = first["NextToken"].as_str().unwrap();
    let members = json!({"QueueNamePrefix": "a", "MaxResults": 2, "NextToken": token});
    let second = server.ok("ListQueues", members).await;
    assert_eq!(names(&second), ["a3"]);
    assert!(second["NextToken"].is_null());
    assert_eq!(
        names(&server.ok("ListQueues", json!({})).await),
        ["a1", "a2", "a3", "b1"]
    );
    for bad in [
        json!({"MaxResults": 0}),
        json!({"MaxResults": 1001}),
        json!({"NextToken": "!"}),
    ] {
        assert_eq!(
            server.fail("ListQueues", bad).await.0,
            "InvalidParameterValueException"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn tags_are_kept_with_the_queue() {
    let server = Server::start().await;
    let members = json!({"QueueName": "orders", "tags": {"team": "shop", "env": "dev"}});
    let url = server.ok("CreateQueue", members).await["QueueUrl"].clone();
    server
        .ok(
            "TagQueue",
            json!({"QueueUrl": url, "Tags": {"env": "live", "empty": ""}}),
        )
        .await;
    let tags = server.ok("ListQueueTags", json!({"QueueUrl": url})).await;
    assert_eq!(
        tags,
        json!({"Tags": {"team": "shop", "env": "live", "empty": ""}})
    );
    server
        .ok(
            "UntagQueue",
            json!({"QueueUrl": url, "TagKeys": ["team", "absent"]}),
        )
        .await;
    let server = server.restart().await;
    let tags = server.ok("ListQueueTags", json!({"QueueUrl": url})).await;
    assert_eq!(tags, json!({"Tags": {"env": "live", "empty": ""}}));
    let many: serde_json::Map<_, _> = (0..50).map(|n| (n.to_string(), json!("x"))).collect();
    for (action, member, value, refusal) in [
        (
            "TagQueue",
            "Tags",
            json!({}),
            "The request must contain the parameter Tags.",
        ),
        (
            "TagQueue",
            "Tags",
            json!(many),
            "Too many tags added for queue orders.",
        ),
        (
            "UntagQueue",
            "TagKeys",
            json!([]),
            "Tag keys must be between 1 and 128 characters in length.",
        ),
    ] {
        let (_, message) = server
            .fail(action, json!({"QueueUrl": url, member: value}))
            .await;
        assert_eq!(message, refusal);
    }
    let reserved = json!({"QueueUrl": url, "Tags": {"aws:x": "y"}});
    assert_eq!(
        server.fail("TagQueue", reserved).await.0,
        "InvalidParameterValueException"
    );
    server.stop().await;
}

#[tokio::test]
async fn only_the_last_segment_of_a_url_counts() {
    let server = Server::start().await;
    server.queue("orders", json!({})).await;
    for url in [
        "https://sqs.us-east-1.amazonaws.com/123456789/orders",
        "http://elsewhere/queue/eu/1/orders/",
        "orders",
    ] {
        server
            .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": "x"}))
            .await;
    }
    for url in [
        "https://sqs.us-east-1.amazonaws.com/123456789/others",
        "",
        "a b",
    ] {
        let members = json!({"QueueUrl": url, "MessageBody": "x"});
        assert_eq!(
            server.fail("SendMessage", members).await.0,
            "QueueDoesNotExist",
            "{url}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn actions_that_are_not_offered_say_so() {
    let server = Server::start().await;
    for action in ["AddPermission", "RemovePermission"] {
        assert_eq!(
            server.fail(action, json!({})).await.0,
            "UnsupportedOperation"
        );
    }
    assert_eq!(
        server.fail("DropQueue", json!({})).await.0,
        "UnknownOperationException"
    );
    server.stop().await;
}
