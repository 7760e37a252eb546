//! The service's own database is away.

use std::time::Duration;

use prometheus_client::registry::Registry;
use stele_toolkit_bus::{Attempt, Event, Failure, Metrics, State, memory::MemoryTx};

use crate::world::{Broken, Calls, OrderCreated, World};

const MINUTE: Duration = Duration::from_secs(60);

async fn reserve(
    Event(order): Event<OrderCreated>,
    mut tx: MemoryTx,
    Attempt(attempt): Attempt,
    State(calls): State<Calls>,
) {
    calls.next();
    assert_eq!(attempt, 1);
    tx.add(&order.order_id, order.quantity);
}

#[tokio::test]
async fn nothing_is_acknowledged_and_everything_is_handled_once_it_is_back() {
    let world = World::new();
    let calls = Calls::default();
    let metrics = Metrics::default();
    let service = world
        .service()
        .on(reserve)
        .state(calls.clone())
        .metrics(&metrics)
        .concurrency(4);
    let running = world.start(service).await;
    world.store.set_away(true);
    world.order("order-0", 2).await;
    world.clock.advance(MINUTE).await;
    for number in 1..50 {
        world.order(&format!("order-{number}"), 2).await;
    }
    world.clock.advance(60 * MINUTE).await;
    assert_eq!(calls.count(), 0);
    assert_eq!(world.broker.waiting("inventory").len(), 50);
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("written");
    let held = "messages_held{service=\"inventory\"} 1";
    assert!(
        text.lines().any(|it| it == held),
        "no more are taken: {text}"
    );
    world.store.set_away(false);
    world.clock.run_to_idle().await;
    for number in 0..50 {
        assert_eq!(world.number(&format!("order-{number}")), 2);
    }
    assert_eq!(world.dead(), []);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_failure_that_cannot_be_kept_is_not_acknowledged() {
    async fn fail(
        _: Event<OrderCreated>,
        State(store): State<stele_toolkit_bus::memory::MemoryStore>,
    ) -> Result<(), Failure> {
        store.set_away(true);
        Err(Broken.into())
    }
    let world = World::new();
    let service = world.service().on(fail).state(world.store.clone());
    let running = world.start(service).await;
    world.order("order-1", 1).await;
    world.clock.advance(MINUTE).await;
    assert_eq!(world.broker.waiting("inventory").len(), 1);
    world.store.set_away(false);
    world.clock.settle().await;
    running
        .stop()
        .await
        .expect("it stops although the message isn't done");
}

#[tokio::test]
async fn a_service_stops_while_the_database_is_away() {
    let world = World::new();
    let service = world.service().on(reserve).state(Calls::default());
    let running = world.start(service).await;
    world.store.set_away(true);
    world.order("order-1", 1).await;
    world.clock.advance(MINUTE).await;
    running.stop().await.expect("stopped");
    assert_eq!(world.broker.waiting("inventory").len(), 1);
}
