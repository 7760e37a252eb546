//! Tests of looking at messages.

use serde_json::{Value, json};
use stele_base_types::{ConsumerId, Timestamp};
use stele_core_broker::Session;
use stele_core_engine::{Columns, LeaseRequest, LedgerId, Schedule};
use stele_front_accept::{ConnectionInfo, Consumers, Registry};
use stele_wire_batch::{BatchBuilder, Body, NewRecord, RecordHeader};

use super::*;

const LARGE: usize = 100_000;

async fn look(front: &Running, query: &str) -> Value {
    let target = format!("/v1/logs/q/messages{query}");
    let (status, body) = front.get(&target).await;
    assert_eq!(status, 200, "{target}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

/// The offsets and states of a page.
fn states(page: &Value) -> Vec<(u64, &str)> {
    let messages = page["messages"].as_array().expect("a list").iter();
    let places = messages.map(|message| {
        let offset = message["offset"].as_u64().expect("an offset");
        (offset, message["state"].as_str().expect("a state"))
    });
    places.collect()
}

async fn append(broker: &TestBroker, log: LogId, record: &NewRecord<'_>, delay_ms: Option<u64>) {
    let batch = BatchBuilder::single(record).expect("a small record");
    let target = AppendTarget {
        log,
        partition: None,
    };
    let publish = Publish {
        columns: Columns::of([Schedule {
            delay_ms,
            ..Schedule::default()
        }]),
        ..Publish::to(target, batch)
    };
    broker.broker.append(publish).await.expect("appended");
}

fn record<'a>(body: &'a [u8], headers: &'a [RecordHeader<'a>]) -> NewRecord<'a> {
    NewRecord {
        timestamp: Timestamp(1_700_000_000_000),
        key: Some(b"key"),
        value: Body::Whole(body),
        headers,
    }
}

/// A queue with a message that `session` has, a ready one with headers, a delayed one and one that
/// isn't text.
async fn filled(broker: &TestBroker, session: &Session) -> LogId {
    let log = declare(broker, queue("q", Durability::Synced)).await;
    let headers = [
        ("text", &b"x"[..]),
        ("binary", b"\xff"),
        ("stele.amqp", b"\x01\x02ex\x05route\0\0"),
    ];
    let headers = headers.map(|(key, value)| RecordHeader {
        key: key.as_bytes(),
        value: Some(value),
    });
    for body in ["0", "1"] {
        append(broker, log, &record(body.as_bytes(), &headers), None).await;
    }
    append(broker, log, &record(b"2", &[]), Some(1_000_000)).await;
    append(broker, log, &record(b"\xff", &[]), None).await;
    let request = LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: session.consumer(ConsumerId(3)),
        records_max: 1,
        lease_ms: None,
        settle: false,
        wait_ms: None,
        attempt: None,
        leased_max: None,
    };
    broker.broker.lease(log, request).await.expect("leased");
    log
}

#[tokio::test]
async fn messages_are_looked_at_in_every_state_and_stay_as_they_are() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    front.state.ready(broker.broker.clone(), Vec::new());
    let (session, _events) = broker.broker.open_session().await;
    let log = filled(&broker, &session).await;
    let before = broker.broker.status(log).await.expect("a status");
    let all = look(&front, "").await;
    let expected = [(0, "leased"), (1, "ready"), (2, "delayed"), (3, "ready")];
    assert_eq!(states(&all), expected);
    assert_eq!(all["next"], Value::Null);
    let ready = look(&front, "?state=ready&limit=1").await;
    assert_eq!(states(&ready), [(1, "ready")]);
    assert_eq!(ready["next"], "0:1");
    let rest = look(&front, "?state=ready&limit=1&after=0:1").await;
    assert_eq!(states(&rest), [(3, "ready")]);
    assert_eq!(rest["next"], Value::Null);
    let leased = look(&front, "?state=leased").await;
    assert_eq!(states(&leased), [(0, "leased")]);
    let delayed = look(&front, "?state=delayed").await;
    assert_eq!(states(&delayed), [(2, "delayed")]);
    for none in ["moving", "dead"] {
        let found = look(&front, &format!("?state={none}")).await;
        assert_eq!(states(&found), []);
    }
    assert_eq!(broker.broker.status(log).await.expect("a status"), before);
    assert_eq!(front.get("/v1/logs/q/messages?limit=0").await.0, 400);
    assert_eq!(front.get("/v1/logs/none/messages").await.0, 404);
    let answer = front.ask("DELETE", "/v1/logs/q/messages").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    front.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_message_is_shown_with_its_content_and_who_has_it() {
    let connections = Registry::default();
    let settings = Settings {
        connections: connections.clone(),
        ..Settings::default()
    };
    let front = Running::start(settings).await;
    let broker = TestBroker::start();
    front.state.ready(broker.broker.clone(), Vec::new());
    let (session, _events) = broker.broker.open_session().await;
    let mut principal = Principal::anonymous(([127, 0, 0, 1], 7).into());
    principal.session = Some(session.id());
    let _registered = connections.open(ConnectionInfo {
        protocol: "AMQP 0-9-1",
        principal,
        local: ([127, 0, 0, 1], 5672).into(),
        vhost: Name::vhost_default(),
        since: Timestamp(7),
        properties: Vec::new(),
        figures: Vec::new(),
        consumers: Consumers::default(),
    });
    filled(&broker, &session).await;
    let all = look(&front, "").await;
    let leased = &all["messages"][0];
    assert_eq!(
        leased["lease"],
        json!({
            "session": session.id().0,
            "consumer": 3,
            "connection": "127.0.0.1:7 -> 127.0.0.1:5672",
        })
    );
    let ends = (&leased["deliveries"], &leased["until"]);
    assert_eq!(ends, (&json!(1), &Value::Null));
    assert_eq!(
        all["messages"][1],
        json!({
            "partition": 0, "offset": 1, "state": "ready", "deliveries": 0, "until": null,
            "reason": null, "lease": null, "timestamp": 1_700_000_000_000_u64,
            "key": { "text": "key" }, "exchange": "ex", "routing_key": "route",
            "headers": [
                { "name": "text", "value": { "text": "x" } },
                { "name": "binary", "value": { "base64": "/w==" } },
            ],
            "body": { "text": "1" }, "body_bytes": 1,
        })
    );
    assert!(all["messages"][2]["until"].as_u64().is_some());
    assert_eq!(all["messages"][3]["body"], json!({ "base64": "/w==" }));
    front.stop().await;
    broker.stop().await;
}

/// A page is bounded in bytes too, and its memory is returned.
#[tokio::test]
async fn large_messages_are_cut_and_fill_a_page_early() {
    let front = Running::start(Settings::default()).await;
    let broker = TestBroker::start();
    let log = declare(&broker, queue("q", Durability::Synced)).await;
    front.state.ready(broker.broker.clone(), Vec::new());
    let body = vec![b'x'; LARGE];
    for _ in 0..40 {
        append(&broker, log, &record(&body, &[]), None).await;
    }
    let (mut found, mut after) = (0, String::new());
    loop {
        let page = look(&front, &after).await;
        let messages = page["messages"].as_array().expect("a list");
        assert!(messages.len() < 20, "{} in a page", messages.len());
        for message in messages {
            assert_eq!(message["offset"], found);
            assert_eq!(message["body_bytes"], LARGE);
            let shown = message["body"]["text"].as_str().expect("text");
            assert_eq!(shown.len(), 64 << 10);
            found += 1;
        }
        match page["next"].as_str() {
            Some(next) => after = format!("?after={next}"),
            None => break,
        }
    }
    assert_eq!(found, 40);
    front.stop().await;
    let uses: Vec<_> = broker.broker.memory().uses().collect();
    assert!(uses.iter().all(|it| it.used_bytes == 0), "{uses:?}");
    broker.stop().await;
}
