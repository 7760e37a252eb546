//! Tests of the paths of RabbitMQ's API.

use serde_json::{Value, json};
use stele_base_types::Timestamp;
use stele_front_accept::{ConnectionInfo, Consumers, Registry};

use super::*;

const NOT_FOUND: &str = "{\"error\":\"Object Not Found\",\"reason\":\"Not Found\"}\n";

/// A connection from this port.
fn info(port: u16) -> ConnectionInfo {
    ConnectionInfo {
        protocol: "AMQP 0-9-1",
        principal: Principal::anonymous(([127, 0, 0, 1], port).into()),
        local: ([127, 0, 0, 1], 5672).into(),
        vhost: Name::vhost_default(),
        since: Timestamp(7),
        properties: vec![("connection_name".to_owned(), "mine".to_owned())],
        figures: vec![("channel_max", 2047)],
        consumers: Consumers::default(),
    }
}

async fn json_of(front: &Running, target: &str) -> Value {
    let (status, body) = front.get(target).await;
    assert_eq!(status, 200, "{target}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

#[tokio::test]
async fn queues_are_told_by_rabbitmqs_names() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    let log = declare(&broker, queue("a/b", Durability::Synced)).await;
    declare(&broker, queue("c", Durability::Volatile)).await;
    publish(&broker, log, PartitionIndex(0)).await;
    front.state.ready(broker.broker.clone(), Vec::new());
    let one = json_of(&front, "/api/queues/%2F/a%2Fb").await;
    let expected = json!({
        "name": "a/b", "vhost": "/", "node": "stele@localhost", "state": "running",
        "type": "classic", "durable": true, "auto_delete": false, "exclusive": false,
        "arguments": {}, "consumers": 0, "messages": 1, "messages_ready": 1,
        "messages_unacknowledged": 0, "single_active_consumer_tag": null,
    });
    let mut detailed = expected.clone();
    detailed["consumer_details"] = json!([]);
    assert_eq!(one, detailed);
    for target in ["/api/queues", "/api/queues/%2F", "/api/queues/"] {
        let all = json_of(&front, target).await;
        assert_eq!(all[0], expected, "{target}");
        assert_eq!(all[1]["durable"], false, "{target}");
    }
    let page = json_of(&front, "/api/queues?page=2&page_size=1").await;
    assert_eq!(page["items"][0]["name"], "c");
    assert_eq!(
        (&page["page_count"], &page["total_count"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(front.get("/api/queues?page=3&page_size=1").await.0, 400);
    let overview = json_of(&front, "/api/overview").await;
    let kinds = overview["exchange_types"].as_array().unwrap();
    assert!(kinds.iter().any(|kind| kind["name"] == "x-consistent-hash"));
    assert_eq!(overview["object_totals"]["queues"], 2);
    assert_eq!(overview["queue_totals"]["messages_ready"], 1);
    let alive = json_of(&front, "/api/aliveness-test/%2F").await;
    assert_eq!(alive, json!({ "status": "ok" }));
    front.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn lists_are_shown_as_the_query_says() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    let log = declare(&broker, queue("a/b", Durability::Synced)).await;
    declare(&broker, queue("c", Durability::Volatile)).await;
    publish(&broker, log, PartitionIndex(0)).await;
    front.state.ready(broker.broker.clone(), Vec::new());
    for (target, expected) in [
        (
            "/api/queues?columns=name,messages",
            json!([{"name": "a/b", "messages": 1}, {"name": "c", "messages": 0}]),
        ),
        (
            "/api/queues/%2F?columns=name&sort=messages",
            json!([{"name": "c"}, {"name": "a/b"}]),
        ),
        (
            "/api/queues?columns=name&sort=name&sort_reverse=true",
            json!([{"name": "c"}, {"name": "a/b"}]),
        ),
        ("/api/queues?columns=name&name=C", json!([{"name": "c"}])),
        (
            "/api/queues/%2F/c?columns=name,vhost",
            json!({"name": "c", "vhost": "/"}),
        ),
        (
            "/api/overview?columns=object_totals.queues",
            json!({"object_totals": {"queues": 2}}),
        ),
    ] {
        assert_eq!(json_of(&front, target).await, expected, "{target}");
    }
    for (order, first) in [
        ("sort=name", "a/b"),
        ("sort=messages", "c"),
        ("sort_reverse=true", "c"),
        ("sort=name&sort_reverse=true", "c"),
        ("sort=messages&sort_reverse=true", "a/b"),
    ] {
        let target = format!("/api/queues?page=1&page_size=1&{order}");
        let page = json_of(&front, &target).await;
        assert_eq!(page["items"][0]["name"], first, "{target}");
    }
    let page = json_of(&front, "/api/queues?page=1&name=c").await;
    assert_eq!(
        (&page["filtered_count"], &page["total_count"]),
        (&json!(1), &json!(2))
    );
    let refused = front.get("/api/queues?page=1&name=c&use_regex=true").await;
    assert_eq!(refused.0, 400);
    front.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_404_in_rabbitmqs_words() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    front.state.ready(broker.broker.clone(), Vec::new());
    for target in [
        "/api/queues/%2F/none",
        "/api/queues/none",
        "/api/aliveness-test/none",
        "/api/connections/none",
        "/api/channels",
        "/api/",
    ] {
        let answer = front.get(target).await;
        assert_eq!(answer, (404, NOT_FOUND.to_owned()), "{target}");
    }
    for (method, target) in [
        ("DELETE", "/api/queues/%2F/none"),
        ("PUT", "/api/connections/none"),
        ("DELETE", "/v1/logs/none"),
    ] {
        let answer = front.ask(method, target).await;
        assert!(
            answer.starts_with("HTTP/1.1 405 "),
            "{method} {target}: {answer}"
        );
    }
    front.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_connection_is_listed_and_closed_by_its_name() {
    let connections = Registry::default();
    let front = Running::start(Settings {
        connections: connections.clone(),
        ..Settings::default()
    })
    .await;
    let mut registered = connections.open(info(4000));
    let all = json_of(&front, "/api/connections").await;
    let name = "127.0.0.1:4000 -> 127.0.0.1:5672";
    assert_eq!(all[0]["name"], name);
    assert_eq!(all[0]["user_provided_name"], "mine");
    assert_eq!(
        (&all[0]["peer_port"], &all[0]["channel_max"]),
        (&json!(4000), &json!(2047))
    );
    let target = "/api/connections/127.0.0.1%3A4000%20-%3E%20127.0.0.1%3A5672";
    assert_eq!(json_of(&front, target).await, all[0]);
    let head = format!(
        "DELETE {target} HTTP/1.1\r\nhost: x\r\nx-reason: because\r\nconnection: close\r\n\r\n"
    );
    let answer = front.send(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert_eq!(registered.close().await, "because");
    drop(registered);
    let answer = front.ask("DELETE", target).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    front.stop().await;
}

/// A page from another site, open in the user's browser, can send requests with a form or a script.
#[tokio::test]
async fn a_foreign_page_closes_no_connection() {
    let connections = Registry::default();
    let front = Running::start(Settings {
        connections: connections.clone(),
        ..Settings::default()
    })
    .await;
    let _registered = connections.open(info(4000));
    let head = "DELETE /api/connections/127.0.0.1%3A4000%20-%3E%20127.0.0.1%3A5672 HTTP/1.1\r\n\
                host: x\r\norigin: https://example.org\r\nconnection: close\r\n\r\n";
    let answer = front.send(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    front.stop().await;
}

#[tokio::test]
async fn who_is_not_logged_in_is_told_as_rabbitmq_tells_it() {
    let user = User {
        name: Name::new("ann").expect("a name"),
        password: Secret::new("a"),
    };
    let front = Running::start(Settings {
        users: Some(vec![user]),
        ..Settings::default()
    })
    .await;
    let (status, body) = front.get("/api/overview").await;
    assert_eq!(status, 401);
    assert_eq!(
        body,
        "{\"error\":\"not_authorized\",\"reason\":\"Login failed\"}\n"
    );
    front.stop().await;
}
