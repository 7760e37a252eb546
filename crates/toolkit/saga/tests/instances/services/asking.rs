//! Operators ask by rows, and the process that has the plan does it.

use stele_toolkit_saga::{Entry, Instances, Operator, RequestOutcome, SagaError, SagaId, Status};

use super::{parts::SAGA, world::World};

crate::home::claims! { crate::services::world::World::new:
    what_an_operator_asks_is_done_by_the_service;
    what_makes_no_sense_is_refused;
    a_request_waits_for_the_service;
}

/// Asks, and waits for what comes of it.
async fn ask(world: &World, order: &str, action: Operator) -> RequestOutcome {
    let id = SagaId(order.to_owned());
    let instances = Instances::of(&world.db().await);
    let request = instances.ask(SAGA, &id, action).await.unwrap();
    let is_answered = async || request.outcome().await.unwrap() != RequestOutcome::Open;
    world.until(is_answered).await;
    request.outcome().await.unwrap()
}

async fn what_an_operator_asks_is_done_by_the_service(world: World) {
    world.place("slow-1").await;
    world.until_sent("slow-1", "charge").await;
    let outcome = ask(&world, "slow-1", Operator::Compensate).await;
    assert_eq!(outcome, RequestOutcome::Done);
    world.until_status("slow-1", Status::Undone).await;
    let asked = |entry: &Entry| matches!(entry, Entry::Operator { .. });
    assert_eq!(world.count("slow-1", asked).await, 1);
}

async fn what_makes_no_sense_is_refused(world: World) {
    world.place("o-1").await;
    world.until_status("o-1", Status::Done).await;
    let outcome = ask(&world, "o-1", Operator::Compensate).await;
    let reason = "instance o-1 has ended".to_owned();
    assert_eq!(outcome, RequestOutcome::Refused { reason });
    let none = SagaId("none".to_owned());
    let instances = Instances::of(&world.db().await);
    let asked = instances.ask(SAGA, &none, Operator::Retry).await;
    assert!(matches!(asked, Err(SagaError::NoSuchInstance { .. })));
}

async fn a_request_waits_for_the_service(world: World) {
    world.place("slow-1").await;
    world.until_sent("slow-1", "charge").await;
    let instances = Instances::of(&world.db().await);
    world.stop_orders().await;
    let id = SagaId("slow-1".to_owned());
    let request = instances.ask(SAGA, &id, Operator::Skip).await.unwrap();
    assert_eq!(request.outcome().await.unwrap(), RequestOutcome::Open);
    world.start_orders().await;
    let is_done = async || request.outcome().await.unwrap() == RequestOutcome::Done;
    world.until(is_done).await;
    // The step is taken as done, and the order goes on to its end.
    world.until_status("slow-1", Status::Done).await;
}
