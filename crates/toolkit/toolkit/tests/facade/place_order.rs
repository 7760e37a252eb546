//! The saga of an order: its paths, and how long all of these tests take together.

use std::time::{Duration, Instant};

use stele_toolkit::{
    saga::{Entry, Operator},
    test::{command, event, saga},
};

use crate::{messages::*, saga::PlaceOrder};

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

/// Not a gate: a machine may be busy. The figure is that of `docs/toolkit/testing.md`.
#[test]
#[expect(clippy::disallowed_methods, reason = "a figure in real time")]
fn how_long_they_take_together_is_told() {
    let start = Instant::now();
    an_order_that_is_paid_is_confirmed();
    an_order_whose_payment_fails_is_released_and_cancelled();
    an_order_without_stock_is_cancelled_and_nothing_is_released();
    a_payment_of_which_nobody_hears_is_refunded();
    replies_that_come_twice_or_late_change_nothing();
    an_operator_may_have_it_undone_before_it_is_paid();
    println!("the tests of the saga took {:?}", start.elapsed());
}
