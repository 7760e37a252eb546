use prometheus_client::{encoding::text::encode, registry::Registry};
use stele_toolkit_bus::Destination;
use stele_toolkit_envelope::RawJson;
use stele_toolkit_saga::{
    Entry, Filter, Instances, Operator, Orchestrator, SagaError, SagaId, SagaMetrics, Status,
};
use stele_toolkit_sql::sqlx;

use crate::order::{
    InventoryReserved, OrderCreated, PaymentFailed, PaymentProcessed, PlaceOrder, PlaceOrder2,
    PlaceOrder3, Renamed, World, sent, types,
};

crate::home::claims! { crate::order::World::new:
    an_order_goes_through_its_steps;
    a_failed_payment_is_compensated;
    what_is_rolled_back_never_happened;
    a_start_and_a_reply_count_once;
    a_deadline_that_passes_leaves_the_outcome_unknown;
    a_reply_to_another_instance_changes_nothing;
    instances_go_on_with_the_version_that_they_began_with;
    an_instance_without_its_plan_stands_still_and_is_told;
    a_deadline_of_an_instance_without_its_plan_holds_up_no_other;
    an_instance_that_another_plan_of_the_version_made_holds_up_no_other;
    commands_have_the_instance_as_their_key;
    operators_see_and_intervene;
    what_is_open_and_what_is_stuck_is_counted;
}

async fn an_order_goes_through_its_steps(world: World) {
    let started = world.handle(&world.created("req-1")).await;
    let [reserve] = &sent(&started)[..] else {
        panic!("{started:?}");
    };
    assert_eq!(reserve.message_type, "ReserveInventory");
    assert_eq!(reserve.correlation_id, "req-1");
    let to = &started.messages[0].to;
    assert_eq!(*to, Destination::Queue("inventory.commands".to_owned()));
    let charge = world.reply::<InventoryReserved>(reserve).await;
    assert_eq!(types(&charge), ["ChargePayment"]);
    let done = world.reply::<PaymentProcessed>(&sent(&charge)[0]).await;
    assert_eq!(types(&done), ["OrderConfirmed"]);
    let to = &done.messages[0].to;
    assert_eq!(*to, Destination::Topic("order.updated".to_owned()));
    let id = SagaId("req-1".to_owned());
    let shown = Instances::of(&world.db).show("place-order", &id).await;
    let shown = shown.unwrap();
    assert_eq!(shown.instance.status, Status::Done);
    let first = shown.entries.first().map(|(_, entry)| entry.clone());
    let last = shown.entries.last().map(|(_, entry)| entry.clone());
    assert_eq!(first, Some(Entry::Started));
    assert_eq!(last, Some(Entry::Ended { is_done: true }));
}

async fn a_failed_payment_is_compensated(world: World) {
    let started = world.handle(&world.created("req-1")).await;
    let charge = world.reply::<InventoryReserved>(&sent(&started)[0]).await;
    let failed = world.reply::<PaymentFailed>(&sent(&charge)[0]).await;
    assert_eq!(types(&failed), ["ReleaseInventory", "OrderCancelled"]);
    let action = |handled| sent(handled)[0].metadata.unknown.value("actionId").cloned();
    let undone = action(&failed);
    assert!(undone.is_some());
    assert_eq!(undone, action(&started));
}

async fn what_is_rolled_back_never_happened(world: World) {
    let created = world.created("req-1");
    let mut tx = world.begin().await;
    let handled = world.orchestrator.handle(&mut tx, &created).await.unwrap();
    assert_eq!(handled.instances, 1);
    tx.rollback().await.unwrap();
    let all = Filter::default();
    let listed = Instances::of(&world.db).list(&all, 10).await;
    assert!(listed.unwrap().is_empty());
    assert_eq!(types(&world.handle(&created).await), ["ReserveInventory"]);
}

async fn a_start_and_a_reply_count_once(world: World) {
    let started = world.handle(&world.created("req-1")).await;
    let again = world.handle(&world.created("req-1")).await;
    assert!(types(&again).is_empty());
    let reserve = &sent(&started)[0];
    world
        .reply::<InventoryReserved>(reserve)
        .await
        .messages
        .clear();
    assert!(types(&world.reply::<InventoryReserved>(reserve).await).is_empty());
}

async fn a_deadline_that_passes_leaves_the_outcome_unknown(world: World) {
    let started = world.handle(&world.created("req-1")).await;
    let charge = world.reply::<InventoryReserved>(&sent(&started)[0]).await;
    world.advance(29);
    assert!(types(&world.due().await).is_empty());
    let due_at = world.orchestrator.due_at(&world.db).await.unwrap();
    assert_eq!(due_at.unwrap().since(world.db.now()).as_secs(), 1);
    world.advance(1);
    let unknown = world.due().await;
    let expected = ["RefundPayment", "ReleaseInventory", "OrderCancelled"];
    assert_eq!(types(&unknown), expected);
    assert_eq!(sent(&unknown)[0].correlation_id, "req-1");
    assert!(types(&world.due().await).is_empty());
    // The answer comes after all, and is only noted.
    let late = world.reply::<PaymentProcessed>(&sent(&charge)[0]).await;
    assert!(types(&late).is_empty());
}

async fn a_reply_to_another_instance_changes_nothing(world: World) {
    let one = world.handle(&world.created("req-1")).await;
    world.handle(&world.created("req-2")).await.messages.clear();
    assert_eq!(
        types(&world.reply::<InventoryReserved>(&sent(&one)[0]).await).len(),
        1
    );
    let filter = Filter {
        status: Some(Status::Running),
        ..Filter::default()
    };
    let listed = Instances::of(&world.db).list(&filter, 10).await;
    assert_eq!(listed.unwrap().len(), 2);
    let stray = world.created("req-3");
    let stray = world.reply::<InventoryReserved>(&stray).await;
    assert_eq!(stray.instances, 0);
}

async fn instances_go_on_with_the_version_that_they_began_with(mut world: World) {
    let old = world.handle(&world.created("old")).await;
    world.orchestrator = Orchestrator::new(world.context.clone())
        .with::<PlaceOrder2>()
        .with::<PlaceOrder>();
    let new = world.handle(&world.created("new")).await;
    assert_eq!(types(&new), ["ChargePayment"]);
    assert_eq!(
        types(&world.reply::<PaymentProcessed>(&sent(&new)[0]).await),
        ["OrderConfirmed"]
    );
    let charge = world.reply::<InventoryReserved>(&sent(&old)[0]).await;
    assert_eq!(types(&charge), ["ChargePayment"]);
}

async fn an_instance_without_its_plan_stands_still_and_is_told(mut world: World) {
    let old = world.handle(&world.created("old")).await;
    world.orchestrator = Orchestrator::new(world.context.clone()).with::<PlaceOrder2>();
    let without = world.orchestrator.without_plan(&world.db, 10).await;
    assert_eq!(without.unwrap().len(), 1);
    let reply = sent(&old)[0].caused(&PaymentProcessed::default(), &world.context);
    let mut tx = world.begin().await;
    let error = world.orchestrator.handle(&mut tx, &reply.unwrap()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, SagaError::NoSuchPlan { version: 1, .. }),
        "{error}"
    );
    assert!(error.is_transient());
}

async fn a_deadline_of_an_instance_without_its_plan_holds_up_no_other(mut world: World) {
    let charging = async |world: &World, request: &str| {
        let started = world.handle(&world.created(request)).await;
        let charge = world.reply::<InventoryReserved>(&sent(&started)[0]).await;
        assert_eq!(types(&charge), ["ChargePayment"]);
    };
    charging(&world, "old").await;
    world.orchestrator = Orchestrator::new(world.context.clone()).with::<PlaceOrder3>();
    world.advance(30);
    charging(&world, "new").await;
    world.advance(30);
    let mut tx = world.begin().await;
    let due = world.orchestrator.due(&mut tx, 1).await.unwrap();
    tx.commit().await.unwrap();
    let expected = ["RefundPayment", "ReleaseInventory", "OrderCancelled"];
    assert_eq!(types(&due), expected);
    assert_eq!(sent(&due)[0].correlation_id, "new");
    assert!(types(&world.due().await).is_empty());
    // Nobody is to be woken for the old one.
    let due_at = world.orchestrator.due_at(&world.db).await;
    assert_eq!(due_at.unwrap(), None);
}

async fn an_instance_that_another_plan_of_the_version_made_holds_up_no_other(mut world: World) {
    let charging = async |world: &World, request: &str| {
        let started = world.handle(&world.created(request)).await;
        let charge = world.reply::<InventoryReserved>(&sent(&started)[0]).await;
        assert_eq!(types(&charge), ["ChargePayment"]);
    };
    charging(&world, "old").await;
    // The steps have other names, and somebody forgot to raise the version.
    world.orchestrator = Orchestrator::new(world.context.clone()).with::<Renamed>();
    charging(&world, "new").await;
    world.advance(30);
    let due = world.due().await;
    let expected = ["RefundPayment", "ReleaseInventory", "OrderCancelled"];
    assert_eq!(types(&due), expected);
    assert_eq!(sent(&due)[0].correlation_id, "new");
    let told: Vec<_> = due.alerts.iter().map(|alert| alert.id.0.as_str()).collect();
    assert_eq!(told, ["old"]);
    let stuck = Filter {
        is_stuck: true,
        ..Filter::default()
    };
    let listed = Instances::of(&world.db).list(&stuck, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    // It is looked at again, and nobody is told twice.
    world.advance(60);
    assert!(world.due().await.alerts.is_empty());
    world.orchestrator = Orchestrator::new(world.context.clone()).with::<PlaceOrder>();
    world.advance(60);
    assert_eq!(types(&world.due().await), expected);
}

async fn commands_have_the_instance_as_their_key(world: World) {
    let started = world.handle(&world.created("req-1")).await;
    let charge = world.reply::<InventoryReserved>(&sent(&started)[0]).await;
    let failed = world.reply::<PaymentFailed>(&sent(&charge)[0]).await;
    assert_eq!(started.messages[0].key, "req-1");
    assert_eq!(failed.messages[0].key, "req-1");
    // The event belongs to the order.
    assert_eq!(failed.messages[1].key, "o-1");
}

async fn operators_see_and_intervene(world: World) {
    let started = world.handle(&world.created("req-1")).await;
    world
        .reply::<InventoryReserved>(&sent(&started)[0])
        .await
        .messages
        .clear();
    let id = SagaId("req-1".to_owned());
    let mut tx = world.begin().await;
    let asked = world
        .orchestrator
        .operate(&mut tx, "place-order", &id, Operator::Compensate);
    let handled = asked.await.unwrap();
    tx.commit().await.unwrap();
    let expected = ["RefundPayment", "ReleaseInventory", "OrderCancelled"];
    assert_eq!(types(&handled), expected);
    let mut tx = world.begin().await;
    let missing = SagaId("none".to_owned());
    let asked = world
        .orchestrator
        .operate(&mut tx, "place-order", &missing, Operator::Retry);
    assert!(matches!(asked.await, Err(SagaError::NoSuchInstance { .. })));
}

async fn what_is_open_and_what_is_stuck_is_counted(world: World) {
    let started = world.handle(&world.created("req-1")).await;
    assert_eq!(types(&started), ["ReserveInventory"]);
    let (metrics, mut registry) = (SagaMetrics::default(), Registry::default());
    metrics.register(&mut registry);
    let page = async || {
        metrics.update(&world.db).await.unwrap();
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        page
    };
    world.advance(90);
    let expected = "saga_stuck{saga=\"place-order\"} ";
    let before = page().await;
    assert!(before.contains(&format!("\n{expected}0\n")), "{before}");
    let stop = world.db.sql("UPDATE {p}sagas SET is_stuck = 1");
    let mut tx = world.begin().await;
    sqlx::query(stop).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let after = page().await;
    assert!(after.contains(&format!("\n{expected}1\n")), "{after}");
    let open = "\nsaga_open{saga=\"place-order\"} 1\n";
    assert!(after.contains(open), "{after}");
    let oldest = "\nsaga_oldest_seconds{saga=\"place-order\"} 90.0\n";
    assert!(after.contains(oldest), "{after}");
    let charge = world.reply::<InventoryReserved>(&sent(&started)[0]).await;
    drop(world.reply::<PaymentProcessed>(&sent(&charge)[0]).await);
    let ended = page().await;
    for none in ["saga_open{", "saga_stuck{"] {
        let none = format!("\n{none}saga=\"place-order\"}} 0\n");
        assert!(ended.contains(&none), "{ended}");
    }
}

#[test]
fn a_service_learns_what_to_subscribe_to() {
    let context = stele_toolkit_envelope::Context::new("orders");
    let types = Orchestrator::new(context)
        .with::<PlaceOrder>()
        .message_types();
    assert!(types.contains(&"OrderCreated") && types.contains(&"PaymentFailed"));
    assert!(RawJson::of(&OrderCreated::default()).is_ok());
}
