//! A service that is asked to stop.

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{Clock, Event, memory::MemoryTx};

use crate::world::{OrderCreated, World};

const SECOND: Duration = Duration::from_secs(1);

async fn slow(Event(order): Event<OrderCreated>, mut tx: MemoryTx, clock: Arc<dyn Clock>) {
    clock.sleep(SECOND).await;
    tx.add(&order.order_id, 1);
}

#[tokio::test]
async fn what_was_begun_is_finished_and_the_rest_is_left_to_others() {
    let world = World::new();
    let first = world.start(world.service().on(slow).concurrency(2)).await;
    for number in 0..10 {
        world.order(&format!("order-{number}"), 1).await;
    }
    world.clock.settle().await;
    let stopping = tokio::spawn(first.stop());
    world.clock.run_to_idle().await;
    stopping.await.expect("no panic").expect("stopped");
    assert_eq!(world.broker.waiting("inventory").len(), 8);

    let second = world.start(world.service().on(slow)).await;
    world.clock.run_to_idle().await;
    for number in 0..10 {
        assert_eq!(world.number(&format!("order-{number}")), 1);
    }
    world.assert_all_settled();
    second.stop().await.expect("stopped");
}

#[tokio::test]
async fn no_more_is_taken_than_may_be_held() {
    let world = World::new();
    let service = world.service().on(slow).concurrency(2).prefetch(5);
    let first = world.start(service).await;
    for number in 0..20 {
        world.order(&format!("order-{number}"), 1).await;
    }
    world.clock.settle().await;
    let second = world.start(world.service().on(slow).concurrency(20)).await;
    world.clock.advance(SECOND).await;
    // The first has 2 done and the second the 15 that the first hasn't taken.
    let waiting = world.broker.waiting("inventory").len();
    assert_eq!(waiting, 3);
    world.clock.run_to_idle().await;
    world.assert_all_settled();
    first.stop().await.expect("stopped");
    second.stop().await.expect("stopped");
}
