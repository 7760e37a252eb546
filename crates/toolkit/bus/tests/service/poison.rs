//! A message that ends its process.

use stele_toolkit_bus::{Event, Failure, NoStore, Running, Service, State};
use tokio::sync::Notify;

use std::sync::Arc;

use crate::world::{Broken, Calls, OrderCreated, World, header};

/// Told when the process is to end.
type Killed = Arc<Notify>;

async fn kill(
    Event(order): Event<OrderCreated>,
    State(killed): State<Killed>,
    State(calls): State<Calls>,
) -> Result<(), Failure> {
    if order.order_id == "fails" && calls.count() == 0 {
        calls.next();
        return Err(Broken.into());
    }
    if order.order_id == "fine" {
        return Ok(());
    }
    calls.next();
    killed.notify_one();
    std::future::pending().await
}

fn service(world: &World, killed: &Killed, calls: &Calls) -> Service {
    world
        .service()
        .on(kill)
        .state(Arc::clone(killed))
        .state(calls.clone())
}

/// Starts the service again whenever it is killed, until it stays alive.
async fn survive<F: Future<Output = Running>>(
    world: &World,
    killed: &Killed,
    start: impl Fn() -> F,
) -> Running {
    for _ in 0..10 {
        let running = start().await;
        tokio::select! {
            biased;
            () = killed.notified() => drop(running),
            () = world.clock.run_to_idle() => return running,
        }
    }
    panic!("it is killed again and again");
}

#[tokio::test]
async fn it_is_dead_after_three_attempts_and_others_are_handled() {
    let world = World::new();
    let (killed, calls) = (Killed::default(), Calls::default());
    world.order("kills", 1).await;
    world.order("fine", 1).await;
    let running = survive(&world, &killed, || {
        world.start(service(&world, &killed, &calls))
    })
    .await;
    assert_eq!(calls.count(), 3);
    let dead = world.dead();
    let [letter] = &dead[..] else {
        panic!("{dead:?}");
    };
    assert_eq!(header(letter, "reason"), "crash");
    assert_eq!(header(letter, "attempts"), "3");
    assert_eq!(letter.key, "kills");
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_parked_message_that_ends_its_process_is_found_out_too() {
    let world = World::new();
    let (killed, calls) = (Killed::default(), Calls::default());
    world.order("fails", 1).await;
    let running = survive(&world, &killed, || {
        world.start(service(&world, &killed, &calls))
    })
    .await;
    assert_eq!(calls.count(), 3);
    assert_eq!(world.reasons(), ["crash"]);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_transport_that_counts_deliveries_finds_it_out_without_a_store() {
    let world = World::new();
    let (killed, calls) = (Killed::default(), Calls::default());
    world.order("kills", 1).await;
    let running = survive(&world, &killed, || async {
        let transport = Arc::new(world.broker.transport());
        let service = service(&world, &killed, &calls);
        let started = service.start(Arc::new(NoStore), transport).await;
        started.expect("started")
    })
    .await;
    assert_eq!(calls.count(), 3);
    assert_eq!(world.reasons(), ["crash"]);
    running.stop().await.expect("stopped");
}
