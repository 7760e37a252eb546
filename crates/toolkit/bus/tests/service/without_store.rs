//! Without a database, retries are the transport's.

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{Clock, Event, Failure, Jitter, Outbox, Policy, State, memory::Fault};

use crate::{
    order::{Handled, note},
    world::{Broken, Calls, InventoryReserved, OrderCreated, World, header},
};

const SECOND: Duration = Duration::from_secs(1);

fn plain() -> Policy {
    Policy::attempts(3).backoff(SECOND..10 * SECOND, Jitter::None)
}

#[tokio::test]
async fn messages_are_retried_and_then_dead() {
    async fn broken(_: Event<OrderCreated>, State(calls): State<Calls>) -> Result<(), Failure> {
        calls.next();
        Err(Broken.into())
    }
    let world = World::new();
    let calls = Calls::default();
    let service = world
        .service()
        .on(broken)
        .state(calls.clone())
        .policy(plain());
    let running = world.start_without_store(service).await;
    let start = world.clock.now();
    world.order("order-1", 1).await;
    world.clock.run_to_idle().await;
    assert_eq!(calls.count(), 3);
    assert_eq!(world.clock.now(), start + 3 * SECOND);
    let dead = world.dead();
    let [letter] = &dead[..] else {
        panic!("{dead:?}");
    };
    assert_eq!(header(letter, "attempts"), "3");
    assert_eq!(header(letter, "firstFailedAt"), start.to_string());
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn the_order_of_a_key_is_kept_across_retries() {
    let world = World::new();
    let handled = Arc::new(Handled::default());
    let service = world
        .service()
        .on(note)
        .state(Arc::clone(&handled))
        .policy(plain())
        .ordered_by_key(4);
    let running = world.start_without_store(service).await;
    for quantity in [1, -1, 2, 3, 4] {
        world.order("a", quantity).await;
    }
    world.order("b", 1).await;
    world.clock.settle().await;
    assert_eq!(handled.of("b"), [1]);
    world.clock.run_to_idle().await;
    assert_eq!(handled.of("a"), [1, -1, 2, 3, 4]);
    assert_eq!(world.dead(), []);
    running.stop().await.expect("stopped");
}

/// The broker counts deliveries, and only the process that put a message off knows why it came so
/// often.
#[tokio::test]
async fn a_message_put_off_by_one_process_is_no_crash_to_another() {
    async fn later(_: Event<OrderCreated>, State(calls): State<Calls>) -> Result<(), Failure> {
        match calls.next() {
            1..=7 => Err(Failure::Defer(SECOND)),
            _ => Ok(()),
        }
    }
    let world = World::new();
    let calls = Calls::default();
    let start = || {
        let service = world.service().on(later).state(calls.clone());
        world.start_without_store(service.policy(plain()))
    };
    let first = start().await;
    world.order("order-1", 1).await;
    for _ in 0..4 {
        world.clock.advance(SECOND).await;
    }
    assert_eq!(calls.count(), 5);
    first.stop().await.expect("stopped");
    let second = start().await;
    world.clock.run_to_idle().await;
    assert_eq!(calls.count(), 8);
    assert_eq!(world.dead(), []);
    world.assert_all_settled();
    second.stop().await.expect("stopped");
}

#[tokio::test]
async fn messages_are_sent_before_theirs_is_acknowledged() {
    async fn reserve(Event(order): Event<OrderCreated>, out: Outbox) {
        out.publish(&InventoryReserved {
            order_id: order.order_id,
        });
    }
    let world = World::new();
    let running = world.start_without_store(world.service().on(reserve)).await;
    world.order("order-1", 1).await;
    world.broker.fault(Fault::RefusePublish, 5);
    world.clock.settle().await;
    assert_eq!(world.broker.waiting("inventory").len(), 1);
    assert_eq!(world.broker.topic("inventory.reserved"), []);
    world.clock.run_to_idle().await;
    assert_eq!(world.broker.topic("inventory.reserved").len(), 1);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_letter_that_cannot_be_sent_yet_keeps_its_message() {
    async fn reject(_: Event<OrderCreated>) -> Result<(), Failure> {
        Err(Failure::reject("no"))
    }
    let world = World::new();
    let running = world.start_without_store(world.service().on(reject)).await;
    world.order("order-1", 1).await;
    world.broker.fault(Fault::RefusePublish, 5);
    world.clock.settle().await;
    assert_eq!(world.broker.waiting("inventory").len(), 1);
    world.clock.run_to_idle().await;
    assert_eq!(world.reasons(), ["rejected"]);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}
