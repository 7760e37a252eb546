//! What a service tells about itself.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use prometheus_client::registry::Registry;
use stele_toolkit_bus::{
    Alert, Breaker, DeadNotice, Event, Failure, FailureClass, Fate, Jitter, Metrics, Observation,
    Observer, Policy, Story, WebhookAlert, memory::Fault,
};
use stele_toolkit_envelope::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Broken, OrderCreated, World};

async fn by_quantity(Event(order): Event<OrderCreated>) -> Result<(), Failure> {
    match order.quantity {
        1 => Ok(()),
        2 => Err(Failure::reject("no")),
        _ => Err(Broken.into()),
    }
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let world = World::new();
    let metrics = Metrics::default();
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let service = world.service().on(by_quantity).metrics(&metrics);
    let running = world.start(service).await;
    world.broker.fault(Fault::Double, 1);
    for quantity in [1, 2, 3] {
        world.order("order-1", quantity).await;
    }
    world.clock.run_to_idle().await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("written");
    let handler = "{handler=\"inventory/OrderCreated\"";
    for line in [
        format!("handled_total{handler}}} 1"),
        format!("unclaimed_total{handler},reason=\"duplicate\"}} 1"),
        format!("failures_total{handler},class=\"rejected\"}} 1"),
        format!("failures_total{handler},class=\"error\"}} 3"),
        format!("inbox_duplicates_total{handler}}} 1"),
        format!("parked_messages_total{handler}}} 2"),
        format!("dead_letters_total{handler}}} 2"),
        format!("processing_seconds_count{handler}}} 5"),
        format!("message_age_seconds_count{handler}}} 6"),
        "messages_held{service=\"inventory\"} 0".to_owned(),
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
    running.stop().await.expect("stopped");
}

/// Notes what became of messages, with their keys and attempts.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Observer for Notes {
    fn observe(&self, observation: &Observation<'_>) {
        let fate = match observation.fate {
            Fate::Handled => "handled".to_owned(),
            Fate::Unclaimed(reason) => format!("{reason:?}"),
            Fate::Deferred { after } => format!("deferred for {after:?}"),
            Fate::Failed { story, after } => format!("{}, again after {after:?}", story.error),
            Fate::Dead { story, letter_id } => {
                assert!(!letter_id.is_empty());
                format!("dead: {}", story.error)
            }
            Fate::Dropped => "dropped".to_owned(),
        };
        let received = observation.received;
        let (key, attempt) = (&received.message.key, received.attempt);
        let note = format!("{} {key} {attempt} {fate}", observation.handler);
        self.0.lock().expect("no panic").push(note);
    }
}

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

#[tokio::test]
async fn an_observer_is_told_what_becomes_of_each_message() {
    let world = World::new();
    let notes = Notes::default();
    let policy =
        Policy::attempts(2).backoff(Duration::from_secs(1)..Duration::from_secs(1), Jitter::None);
    let service = world.service().on(by_quantity).policy(policy);
    let running = world.start(service.observer(notes.clone())).await;
    world.broker.fault(Fault::Double, 1);
    world.order("order-1", 1).await;
    world.clock.run_to_idle().await;
    world.order("order-2", 2).await;
    world.clock.run_to_idle().await;
    world.order("order-3", 3).await;
    world.clock.run_to_idle().await;
    let expected = [
        "order-1 1 handled",
        "order-1 1 Duplicate",
        "order-2 1 dead: no",
        "order-3 1 out of order, again after 1s",
        "order-3 2 dead: out of order",
    ];
    let expected = expected.map(|text| format!("inventory/OrderCreated {text}"));
    assert_eq!(notes.take(), expected);
    running.stop().await.expect("stopped");
}

async fn put_off(_: Event<OrderCreated>) -> Result<(), Failure> {
    Err(Failure::Defer(Duration::from_secs(3600)))
}

#[tokio::test]
async fn an_observer_is_told_of_what_is_put_off() {
    let (world, notes) = (World::new(), Notes::default());
    let service = world.service().on(put_off).observer(notes.clone());
    let running = world.start(service).await;
    world.order("order-1", 1).await;
    world.clock.settle().await;
    let expected = "inventory/OrderCreated order-1 1 deferred for 3600s";
    assert_eq!(notes.take(), [expected]);
    running.stop().await.expect("stopped");
}

async fn of_no_use(_: Event<OrderCreated>) -> Result<(), Failure> {
    Err(Failure::Drop)
}

#[tokio::test]
async fn an_observer_is_told_of_what_is_dropped_without_a_store_too() {
    let (world, notes) = (World::new(), Notes::default());
    let service = world.service().on(of_no_use).observer(notes.clone());
    let running = world.start_without_store(service).await;
    world.order("order-1", 1).await;
    world.clock.run_to_idle().await;
    let expected = "inventory/OrderCreated order-1 1 dropped";
    assert_eq!(notes.take(), [expected]);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn the_lag_and_what_is_put_aside_are_watched_if_asked_for() {
    let world = World::new();
    let metrics = Metrics::default();
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let day = Duration::from_secs(24 * 3600);
    let policy = Policy::attempts(2).backoff(day..day, Jitter::None);
    let breaker = Breaker::open_after(1).probe_every(day);
    let service = world
        .service()
        .on(by_quantity)
        .policy(policy)
        .breaker(breaker)
        .metrics(&metrics)
        .watch_depth(Duration::from_secs(10));
    let running = world.start(service).await;
    world.order("order-1", 2).await;
    world.order("order-2", 3).await;
    world.clock.settle().await;
    world.order("order-3", 1).await;
    world.clock.advance(Duration::from_secs(11)).await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("written");
    let service = "{service=\"inventory\"";
    for line in [
        format!("consumer_lag{service},name=\"inventory\"}} 1"),
        format!("parked{service}}} 1"),
        format!("dead{service}}} 1"),
        format!("breaker_state{service}}} 2"),
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn the_depth_is_watched_if_asked_for() {
    let world = World::new();
    let metrics = Metrics::default();
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let service = world
        .service()
        .on(by_quantity)
        .metrics(&metrics)
        .watch_depth(Duration::from_secs(10));
    world.store.set_away(true);
    let running = world.start(service).await;
    for _ in 0..7 {
        world.order("order-1", 1).await;
    }
    world.clock.advance(Duration::from_secs(11)).await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("written");
    let line = "queue_depth{service=\"inventory\",name=\"inventory\"} 7";
    assert!(text.lines().any(|it| it == line), "{text}");
    running.stop().await.expect("stopped");
}

fn notice() -> DeadNotice {
    DeadNotice {
        letter_id: "letter-1".to_owned(),
        service: "inventory".to_owned(),
        handler: "inventory/OrderCreated".to_owned(),
        message_id: "message-1".to_owned(),
        message_type: "OrderCreated".to_owned(),
        key: "order-1".to_owned(),
        origin: "order.created[0]@7".to_owned(),
        story: Story {
            reason: "error".to_owned(),
            class: FailureClass::Error,
            error: "out of order".to_owned(),
            error_type: "Broken".to_owned(),
            attempts: 3,
            first_failed_at: Timestamp::UNIX_EPOCH,
            last_failed_at: Timestamp::UNIX_EPOCH,
        },
    }
}

#[tokio::test]
async fn a_webhook_gets_the_dead_letter_as_json() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("bound");
    let address = listener.local_addr().expect("an address");
    let alert = WebhookAlert::new(&format!("http://{address}/hooks/dead")).expect("an address");
    let serving = async {
        let (mut connection, _) = listener.accept().await.expect("accepted");
        let mut request = Vec::new();
        while !request.ends_with(b"}}") {
            connection.read_buf(&mut request).await.expect("read");
        }
        let response = b"HTTP/1.1 204 No Content\r\n\r\n";
        connection.write_all(response).await.expect("written");
        String::from_utf8(request).expect("text")
    };
    let notice = notice();
    let (request, ()) = tokio::join!(serving, alert.dead(&notice));
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("POST /hooks/dead HTTP/1.1\r\n"), "{head}");
    let length = format!("Content-Length: {}", body.len());
    assert!(head.lines().any(|line| line == length), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["letterId"], "letter-1");
    assert_eq!(body["story"]["reason"], "error");
    assert_eq!(body["story"]["attempts"], 3);
}

#[test]
fn addresses_that_are_not_plain_http_are_refused() {
    for url in [
        "https://a/",
        "http://",
        "a:80",
        "http://u@a/",
        "http://a/\r\nX: y",
    ] {
        assert!(WebhookAlert::new(url).is_err(), "{url:?}");
    }
}
