//! The saga of an order: its paths, and how long all of these tests take together.

use std::time::{Duration, Instant};

use stele_toolkit::{
    Failure, Outbox, Service,
    bus::Event,
    saga::{Entry, Operator},
    test::{Harness, command, event, saga},
};

use crate::{
    messages::*,
    saga::{PlaceOrder, orders},
};

const ORDER: &str = "order-123";
const CENTS: i64 = 9_999;

fn begun() -> saga::Given<PlaceOrder> {
    saga::given::<PlaceOrder>(&OrderCreated::of(ORDER, CENTS))
        .then([command(&ReserveInventory::of(ORDER, CENTS))])
}

fn paying() -> saga::Given<PlaceOrder> {
    begun()
        .when(&InventoryReserved::of(ORDER, CENTS))
        .then([command(&ProcessPayment::of(ORDER, CENTS))])
}

#[test]
fn an_order_that_is_paid_is_confirmed() {
    paying()
        .when(&PaymentProcessed::of(ORDER, CENTS))
        .then([event(&OrderConfirmed::of(ORDER, CENTS))])
        .then_done();
}

#[test]
fn an_order_whose_payment_fails_is_released_and_cancelled() {
    paying()
        .when(&PaymentFailed::of(ORDER, CENTS))
        .then([
            command(&ReleaseInventory::of(ORDER, CENTS)),
            event(&CancelOrder::of(ORDER, CENTS)),
        ])
        .then_undone();
}

#[test]
fn an_order_without_stock_is_cancelled_and_nothing_is_released() {
    begun()
        .when(&InventoryRejected::of(ORDER, CENTS))
        .then([event(&CancelOrder::of(ORDER, CENTS))])
        .then_undone();
}

#[test]
fn a_payment_of_which_nobody_hears_is_refunded() {
    paying()
        .after(Duration::from_secs(29))
        .then_nothing()
        .after(Duration::from_secs(1))
        .then_types(["RefundPayment", "ReleaseInventory", "CancelOrder"])
        .then_undone();
}

#[test]
fn replies_that_come_twice_or_late_change_nothing() {
    let paid = paying()
        .when(&InventoryReserved::of(ORDER, CENTS))
        .then_nothing()
        .when(&PaymentProcessed::of(ORDER, CENTS))
        .then_types(["OrderConfirmed"])
        .when(&PaymentFailed::of(ORDER, CENTS))
        .then_nothing()
        .then_done();
    let is_late = |entry: &&Entry| matches!(entry, Entry::Late { .. });
    assert_eq!(paid.history().iter().filter(is_late).count(), 2);
}

#[test]
fn an_operator_may_have_it_undone_before_it_is_paid() {
    paying()
        .when_operator(Operator::Compensate)
        .then_types(["RefundPayment", "ReleaseInventory", "CancelOrder"])
        .then_undone();
}

async fn reserve(Event(order): Event<ReserveInventory>, out: Outbox) -> Result<(), Failure> {
    out.publish(&InventoryReserved::of(&order.order_id, order.total_cents));
    Ok(())
}

async fn release(_: Event<ReleaseInventory>) -> Result<(), Failure> {
    Ok(())
}

async fn decline(Event(order): Event<ProcessPayment>, out: Outbox) -> Result<(), Failure> {
    out.publish(&PaymentFailed::of(&order.order_id, order.total_cents));
    Ok(())
}

#[tokio::test]
async fn the_services_cancel_an_order_whose_payment_fails() {
    services_cancel().await;
}

async fn services_cancel() {
    let harness = Harness::new();
    harness.start_on(&harness.sqlite().await, orders).await;
    let inventory = || {
        let service = Service::new("inventory").on_queue("inventory.commands", reserve);
        service.on_queue("inventory.commands", release)
    };
    harness.start(inventory).await;
    let payment = || Service::new("payment").on_queue("payment.commands", decline);
    harness.start(payment).await;
    let start = harness.now();
    harness.publish(&OrderCreated::of(ORDER, CENTS)).await;
    harness.run_to_idle().await;
    harness.then_published([CancelOrder::of(ORDER, CENTS)]);
    assert!(harness.now().since(start) < Duration::from_secs(1));
}

/// Not a gate: a machine may be busy. The figures are those of `docs/toolkit/testing.md`.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a figure in real time")]
async fn how_long_they_take_together_is_told() {
    let start = Instant::now();
    an_order_that_is_paid_is_confirmed();
    an_order_whose_payment_fails_is_released_and_cancelled();
    an_order_without_stock_is_cancelled_and_nothing_is_released();
    a_payment_of_which_nobody_hears_is_refunded();
    replies_that_come_twice_or_late_change_nothing();
    an_operator_may_have_it_undone_before_it_is_paid();
    let of_plan = start.elapsed();
    services_cancel().await;
    let all = start.elapsed();
    println!("the tests of the saga took {of_plan:?}, and with its services on SQLite {all:?}");
}
