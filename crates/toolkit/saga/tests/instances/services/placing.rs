//! Orders that go well, and orders that don't.

use prometheus_client::{encoding::text::encode, registry::Registry};
use stele_toolkit_bus::memory::Fault;
use stele_toolkit_envelope::RawJson;
use stele_toolkit_saga::{Entry, Status};

use super::world::World;
use crate::order::{OrderCreated, PaymentProcessed};

crate::home::claims! { crate::services::world::World::new:
    an_order_is_fulfilled;
    a_refused_reservation_undoes_nothing;
    a_refused_shipment_undoes_payment_and_then_reservation;
    a_payment_that_comes_too_late_is_refused_and_all_is_undone;
    doubled_and_reordered_messages_change_nothing;
    a_reply_that_cannot_be_read_is_a_dead_letter;
    what_is_overdue_is_told_to_the_alerts_of_the_service;
    a_service_that_stops_leaves_its_deadlines_to_the_next;
}

async fn an_order_is_fulfilled(world: World) {
    world.place("o-1").await;
    world.until_status("o-1", Status::Done).await;
    assert_eq!(
        world.effects("o-1").await,
        ["reserved", "charged", "shipped"]
    );
    world
        .until(async || world.broker.topic("order.updated").len() == 1)
        .await;
}

async fn a_refused_reservation_undoes_nothing(world: World) {
    world.place("sold-out-1").await;
    world.until_status("sold-out-1", Status::Undone).await;
    assert!(world.effects("sold-out-1").await.is_empty());
}

async fn a_refused_shipment_undoes_payment_and_then_reservation(world: World) {
    world.place("unshippable-1").await;
    world.until_status("unshippable-1", Status::Undone).await;
    let effects = ["reserved", "released", "charged", "refunded"];
    assert_eq!(world.effects("unshippable-1").await, effects);
    let entries = world.history("unshippable-1").await.entries;
    let undone = entries.iter().filter_map(|(_, entry)| match entry {
        Entry::Undone { step } => Some(step.as_str()),
        _ => None,
    });
    assert_eq!(undone.collect::<Vec<_>>(), ["charge", "reserve"]);
}

async fn a_payment_that_comes_too_late_is_refused_and_all_is_undone(world: World) {
    world.place("slow-1").await;
    world.until_sent("slow-1", "charge").await;
    // The payment service holds the command for a minute, and the saga waits for 30 s.
    world
        .until(async || world.broker.queue("payment.commands").is_empty())
        .await;
    world.advance(30);
    world.until_status("slow-1", Status::Undone).await;
    let unknown = |entry: &Entry| matches!(entry, Entry::Unknown { .. });
    assert_eq!(world.count("slow-1", unknown).await, 1);
    world.advance(60);
    // The command comes, is refused, and its answer is noted.
    let late = |entry: &Entry| matches!(entry, Entry::Late { .. });
    world
        .until(async || world.count("slow-1", late).await == 1)
        .await;
    assert_eq!(world.effects("slow-1").await, ["reserved", "released"]);
    let mut registry = Registry::default();
    world.metrics.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(
        text.contains("saga_replies_late_total{saga=\"fulfil\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("saga_ended_total{saga=\"fulfil\",outcome=\"undone\"} 1"),
        "{text}"
    );
}

async fn doubled_and_reordered_messages_change_nothing(world: World) {
    world.broker.fault(Fault::Double, 30);
    world.broker.fault(Fault::Reorder, 10);
    world.broker.fault(Fault::LoseAck, 10);
    let orders: Vec<String> = (0..10).map(|number| format!("o-{number}")).collect();
    for order in &orders {
        world.place(order).await;
        // The same request once more, with a message of its own.
        world.place(order).await;
    }
    for order in &orders {
        world.until_status(order, Status::Done).await;
        assert_eq!(
            world.effects(order).await,
            ["reserved", "charged", "shipped"]
        );
        let late = |entry: &Entry| matches!(entry, Entry::Late { .. });
        world
            .until(async || world.count(order, late).await == 1)
            .await;
    }
}

async fn a_reply_that_cannot_be_read_is_a_dead_letter(world: World) {
    world.place("slow-1").await;
    world.until_sent("slow-1", "charge").await;
    let mut reply = world.created("slow-1");
    reply.message_type = "PaymentProcessed".to_owned();
    reply.data = RawJson::of(&7).unwrap();
    world.publish::<PaymentProcessed>(&reply).await;
    world
        .until(async || world.broker.queue("orders.dead").len() == 1)
        .await;
    // And so is what should start one.
    let mut start = world.created("other");
    start.data = RawJson::of(&7).unwrap();
    world.publish::<OrderCreated>(&start).await;
    world
        .until(async || world.broker.queue("orders.dead").len() == 2)
        .await;
    for letter in world.broker.queue("orders.dead") {
        assert_eq!(letter.headers.text("attempts"), Some("1"));
    }
    // The others go on.
    world.place("o-1").await;
    world.until_status("o-1", Status::Done).await;
}

async fn what_is_overdue_is_told_to_the_alerts_of_the_service(world: World) {
    world.place("lost-1").await;
    world.until_sent("lost-1", "ship").await;
    assert!(world.told.all().is_empty());
    world.advance(60);
    world.until(async || !world.told.all().is_empty()).await;
    let told = world.told.all();
    assert_eq!(told[0].service, "orders");
    assert_eq!(told[0].subject, "flow lost-1");
    assert!(told[0].text.contains("hasn't followed PaymentProcessed"));
}

async fn a_service_that_stops_leaves_its_deadlines_to_the_next(world: World) {
    world.place("slow-1").await;
    world.until_sent("slow-1", "charge").await;
    world.stop_orders().await;
    // Behind the deadline of 30 s, and before the payment is there.
    world.advance(40);
    world.start_orders().await;
    world.until_status("slow-1", Status::Undone).await;
}
