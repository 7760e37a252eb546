//! Choreography: what is noted, expected, and told.

use std::time::Duration;

use stele_toolkit_envelope::{Envelope, Message};
use stele_toolkit_saga::{
    Correlation, Entry, Filter, Instances, Next, Operator, Orchestrator, SagaError, SagaId, Status,
};

use crate::order::{
    OrderCancelled, OrderCreated, PaymentProcessed, PaymentRefunded, ShippingScheduled, World,
};

crate::home::claims! { crate::order::World::new:
    what_belongs_to_an_order_is_in_one_history;
    what_does_not_follow_in_time_is_told_and_listed;
    what_came_in_another_order_is_not_expected;
    an_end_waits_for_what_is_expected;
    an_operator_expects_it_no_longer;
}

const NAME: &str = "order-flow";

fn flow() -> Correlation {
    Correlation::new(NAME)
        .notes::<OrderCreated>()
        .after::<PaymentProcessed>(
            Duration::from_secs(60),
            Next::is::<ShippingScheduled>().or::<PaymentRefunded>(),
        )
        .ends::<ShippingScheduled>()
        .fails::<OrderCancelled>()
}

/// The world with the correlation, which has seen an order.
async fn watching(mut world: World) -> World {
    world.orchestrator = Orchestrator::new(world.context.clone()).correlation(flow());
    world.orchestrator.migrate(&world.db).await.unwrap();
    let handled = world.handle(&world.created("req-1")).await;
    assert_eq!(handled.instances, 1);
    world
}

/// Publishes an event of the order; no cause is known.
async fn came<M: Message + Default>(world: &World) {
    let context = world.context.clone().with_correlation_id("req-1");
    let mut event = Envelope::of(&M::default(), &context).unwrap();
    event.timestamp = world.db.now();
    let handled = world.handle(&event).await;
    assert!(handled.messages.is_empty());
}

async fn status(world: &World) -> Status {
    let id = SagaId("req-1".to_owned());
    let shown = Instances::of(&world.db).show(NAME, &id).await.unwrap();
    shown.instance.status
}

async fn stuck(world: &World) -> usize {
    let filter = Filter {
        is_stuck: true,
        ..Filter::default()
    };
    let listed = Instances::of(&world.db).list(&filter, 10).await;
    listed.unwrap().len()
}

async fn what_belongs_to_an_order_is_in_one_history(world: World) {
    let world = watching(world).await;
    came::<PaymentProcessed>(&world).await;
    came::<ShippingScheduled>(&world).await;
    let id = SagaId("req-1".to_owned());
    let shown = Instances::of(&world.db).show(NAME, &id).await.unwrap();
    assert_eq!(shown.instance.status, Status::Done);
    let seen = shown.entries.iter().filter_map(|(_, entry)| match entry {
        Entry::Seen { message_type, .. } => Some(message_type.as_str()),
        _ => None,
    });
    let expected = ["OrderCreated", "PaymentProcessed", "ShippingScheduled"];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
}

async fn what_does_not_follow_in_time_is_told_and_listed(world: World) {
    let world = watching(world).await;
    came::<PaymentProcessed>(&world).await;
    world.advance(59);
    assert!(world.due().await.alerts.is_empty());
    world.advance(1);
    let late = world.due().await;
    let text = "ShippingScheduled or PaymentRefunded hasn't followed PaymentProcessed in time";
    assert_eq!(late.alerts[0].text, text);
    assert_eq!(stuck(&world).await, 1);
    world.advance(3600);
    assert!(world.due().await.alerts.is_empty());
    came::<ShippingScheduled>(&world).await;
    assert_eq!(stuck(&world).await, 0);
    assert_eq!(status(&world).await, Status::Done);
}

async fn what_came_in_another_order_is_not_expected(world: World) {
    let world = watching(world).await;
    came::<ShippingScheduled>(&world).await;
    came::<PaymentProcessed>(&world).await;
    world.advance(3600);
    assert!(world.due().await.alerts.is_empty());
    assert_eq!(status(&world).await, Status::Done);
}

async fn an_end_waits_for_what_is_expected(world: World) {
    let world = watching(world).await;
    came::<PaymentProcessed>(&world).await;
    came::<OrderCancelled>(&world).await;
    assert_eq!(status(&world).await, Status::Running);
    came::<PaymentRefunded>(&world).await;
    assert_eq!(status(&world).await, Status::Undone);
}

async fn an_operator_expects_it_no_longer(world: World) {
    let world = watching(world).await;
    came::<PaymentProcessed>(&world).await;
    came::<OrderCancelled>(&world).await;
    world.advance(60);
    assert_eq!(world.due().await.alerts.len(), 1);
    let operate = async |action| {
        let mut tx = world.begin().await;
        let id = SagaId("req-1".to_owned());
        let done = world.orchestrator.operate(&mut tx, NAME, &id, action).await;
        tx.commit().await.unwrap();
        done
    };
    let refused = operate(Operator::Retry).await.unwrap_err();
    assert!(matches!(refused, SagaError::Decide(_)), "{refused}");
    assert!(operate(Operator::Skip).await.unwrap().messages.is_empty());
    assert_eq!(stuck(&world).await, 0);
    assert_eq!(status(&world).await, Status::Undone);
}
