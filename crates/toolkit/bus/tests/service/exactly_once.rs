//! A message's effect is there once, whatever happens between its steps.

use stele_toolkit_bus::{
    Event, Failure, Outbox,
    memory::{Crash, Fault, MemoryTx},
};
use stele_toolkit_envelope::Envelope;

use crate::world::{InventoryReserved, OrderCreated, World};

async fn reserve(
    Event(order): Event<OrderCreated>,
    mut tx: MemoryTx,
    out: Outbox,
) -> Result<(), Failure> {
    tx.add(&order.order_id, order.quantity);
    out.publish(&InventoryReserved {
        order_id: order.order_id,
    });
    Ok(())
}

#[track_caller]
fn assert_once(world: &World) {
    assert_eq!(world.number("order-1"), 3);
    assert_eq!(world.broker.topic("inventory.reserved").len(), 1);
    world.assert_all_settled();
}

#[tokio::test]
async fn data_and_messages_are_there_together_and_messages_follow_from_theirs() {
    let world = World::new();
    let running = world.start(world.service().on(reserve)).await;
    let id = world.order("order-1", 3).await;
    world.clock.run_to_idle().await;
    assert_once(&world);
    let sent = &world.broker.topic("inventory.reserved")[0];
    assert_eq!(sent.key, "order-1");
    let envelope = Envelope::decode(&sent.body, 10_000).expect("an envelope");
    assert_eq!(envelope.metadata.causation_id, Some(id.clone()));
    assert_eq!(envelope.correlation_id, id);
    assert_eq!(envelope.source, "inventory");
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_doubled_message_is_handled_once() {
    let world = World::new();
    let running = world.start(world.service().on(reserve)).await;
    world.broker.fault(Fault::Double, 1);
    world.order("order-1", 3).await;
    world.clock.run_to_idle().await;
    assert_once(&world);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_message_whose_acknowledgement_is_lost_is_handled_once() {
    let world = World::new();
    let running = world.start(world.service().on(reserve)).await;
    world.broker.fault(Fault::LoseAck, 2);
    world.order("order-1", 3).await;
    world.clock.run_to_idle().await;
    assert_once(&world);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_crash_before_the_commit_changes_nothing() {
    let world = World::new();
    world.store.crash(Crash::BeforeCommit);
    crash_and_start_again(&world, world.store.crashed()).await;
    assert_once(&world);
}

#[tokio::test]
async fn a_crash_after_the_commit_changes_nothing() {
    let world = World::new();
    world.store.crash(Crash::AfterCommit);
    crash_and_start_again(&world, world.store.crashed()).await;
    assert_once(&world);
}

#[tokio::test]
async fn a_crash_before_the_acknowledgement_changes_nothing() {
    let world = World::new();
    world.broker.fault(Fault::Crash(Crash::BeforeAck), 1);
    crash_and_start_again(&world, world.broker.crashed()).await;
    assert_once(&world);
}

/// Has a first process crash, and a second one do its work.
async fn crash_and_start_again(world: &World, crashed: impl Future<Output = ()>) {
    let first = world.start(world.service().on(reserve)).await;
    world.order("order-1", 3).await;
    crashed.await;
    drop(first);
    let second = world.start(world.service().on(reserve)).await;
    world.clock.run_to_idle().await;
    second.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_sender_that_crashed_after_it_has_sent_sends_again() {
    let world = World::new();
    let first = world.start(world.service().on(reserve)).await;
    world.order("order-1", 3).await;
    world.broker.fault(Fault::Crash(Crash::AfterPublish), 1);
    world.broker.crashed().await;
    drop(first);
    let second = world.start(world.service().on(reserve)).await;
    world.clock.run_to_idle().await;
    assert_eq!(world.number("order-1"), 3);
    let sent = world.broker.topic("inventory.reserved");
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].message_id, sent[1].message_id, "receivers can tell");
    second.stop().await.expect("stopped");
}

#[tokio::test]
async fn what_the_broker_refuses_for_now_is_sent_later() {
    let world = World::new();
    let running = world.start(world.service().on(reserve)).await;
    world.order("order-1", 3).await;
    world.broker.fault(Fault::RefusePublish, 3);
    world.clock.run_to_idle().await;
    assert_once(&world);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_failed_handler_changes_and_sends_nothing() {
    async fn fail(event: Event<OrderCreated>, tx: MemoryTx, out: Outbox) -> Result<(), Failure> {
        reserve(event, tx, out).await?;
        Err(Failure::reject("not today"))
    }
    let world = World::new();
    let running = world.start(world.service().on(fail)).await;
    world.order("order-1", 3).await;
    world.clock.run_to_idle().await;
    assert_eq!(world.store.value("order-1"), None);
    assert_eq!(world.broker.topic("inventory.reserved"), []);
    assert_eq!(world.reasons(), ["rejected"]);
    running.stop().await.expect("stopped");
}
