//! Several messages in one unit of work.

use std::time::Duration;

use stele_toolkit_bus::{
    Batch, Clock, Failure, Outbox, State,
    memory::{Fault, MemoryTx},
};

use crate::world::{Broken, Calls, InventoryReserved, OrderCreated, World};

async fn reserve(
    Batch(orders): Batch<OrderCreated>,
    mut tx: MemoryTx,
    State(calls): State<Calls>,
    out: Outbox,
) -> Result<(), Failure> {
    calls.next();
    for order in orders {
        if order.quantity < 0 {
            return Err(Broken.into());
        }
        tx.add("sum", order.quantity);
        out.publish(&InventoryReserved {
            order_id: order.order_id,
        });
    }
    Ok(())
}

const TIME: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_full_batch_starts_at_once_and_a_small_one_after_its_time() {
    let world = World::new();
    let calls = Calls::default();
    let service = world
        .service()
        .on(reserve)
        .state(calls.clone())
        .batches(10, TIME);
    let running = world.start(service).await;
    let start = world.clock.now();
    for number in 0..25 {
        world.order(&format!("order-{number}"), 1).await;
    }
    world.clock.settle().await;
    assert_eq!((calls.count(), world.number("sum")), (2, 20));
    world.clock.run_to_idle().await;
    assert_eq!((calls.count(), world.number("sum")), (3, 25));
    assert_eq!(world.clock.now(), start + TIME);
    assert_eq!(world.broker.topic("inventory.reserved").len(), 25);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_bad_message_does_not_fail_the_others_of_its_batch() {
    let world = World::new();
    let calls = Calls::default();
    let service = world
        .service()
        .on(reserve)
        .state(calls.clone())
        .batches(10, TIME);
    let running = world.start(service).await;
    for quantity in [1, 2, -1, 4] {
        world.order(&format!("order {quantity}"), quantity).await;
    }
    world.clock.run_to_idle().await;
    assert_eq!(world.number("sum"), 7);
    assert_eq!(world.reasons(), ["error"]);
    // Together, one by one, and two more attempts at the bad one.
    assert_eq!(calls.count(), 1 + 4 + 2);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn duplicates_within_a_batch_are_handled_once() {
    let world = World::new();
    let service = world
        .service()
        .on(reserve)
        .state(Calls::default())
        .batches(10, TIME);
    let running = world.start(service).await;
    world.broker.fault(Fault::Double, 3);
    for number in 0..3 {
        world.order(&format!("order-{number}"), 1).await;
    }
    world.clock.run_to_idle().await;
    assert_eq!(world.number("sum"), 3);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}
