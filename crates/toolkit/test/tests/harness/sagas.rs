//! Given a start, when replies and time, then commands.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stele_toolkit_saga::{DecideError, Entry, Operator, Plan, Saga, Status};
use stele_toolkit_test::{
    command, event,
    saga::{self, Given, given_stored},
};

use crate::messages::{
    CancelOrder, ChargePayment, InventoryRejected, InventoryReserved, OrderConfirmed, OrderCreated,
    PaymentFailed, PaymentProcessed, RefundPayment, ReleaseInventory, ReserveInventory,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlaceOrder {
    order: String,
}

impl Saga for PlaceOrder {
    const NAME: &'static str = "place-order";
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        let order = start.order.clone();
        Self { order }
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("reserve")
            .send(|saga: &Self| ReserveInventory::of(&saga.order))
            .ok::<InventoryReserved>()
            .fail::<InventoryRejected>()
            .undo(|saga: &Self| ReleaseInventory::of(&saga.order));
        plan.step("charge")
            .send(|saga: &Self| ChargePayment::of(&saga.order))
            .ok::<PaymentProcessed>()
            .fail::<PaymentFailed>()
            .timeout(Duration::from_secs(30))
            .undo(|saga: &Self| RefundPayment::of(&saga.order))
            .pivot();
        plan.done(|saga| OrderConfirmed::of(&saga.order))
            .undone(|saga| CancelOrder::of(&saga.order));
    }
}

/// The same with other steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PayFirst {
    order: String,
}

impl Saga for PayFirst {
    const NAME: &'static str = "place-order";
    const VERSION: u32 = 2;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        let order = start.order.clone();
        Self { order }
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("charge")
            .send(|saga: &Self| ChargePayment::of(&saga.order))
            .ok::<PaymentProcessed>();
    }
}

fn charging() -> Given<PlaceOrder> {
    saga::given::<PlaceOrder>(&OrderCreated::of("o-1"))
        .then([command(&ReserveInventory::of("o-1"))])
        .when(&InventoryReserved::of("o-1"))
        .then([command(&ChargePayment::of("o-1"))])
}

#[test]
fn messages_are_compared_by_kind_type_and_data() {
    charging()
        .when(&PaymentProcessed::of("o-1"))
        .then([event(&OrderConfirmed::of("o-1"))])
        .then_done();
    charging()
        .when(&PaymentFailed::of("o-1"))
        .then_types(["ReleaseInventory", "CancelOrder"])
        .then_undone();
}

#[test]
#[should_panic(expected = "-     \"order\": \"o-2\"\n  +     \"order\": \"o-1\"")]
fn a_message_with_other_data_is_shown() {
    charging()
        .when(&PaymentProcessed::of("o-1"))
        .then([event(&OrderConfirmed::of("o-2"))])
        .then_done();
}

#[test]
#[should_panic(expected = "- command OrderConfirmed 1.0")]
fn an_event_is_no_command() {
    let done = charging().when(&PaymentProcessed::of("o-1"));
    done.then([command(&OrderConfirmed::of("o-1"))]).then_done();
}

#[test]
#[should_panic(expected = "- status Done\n  + status Running")]
fn a_status_that_is_not_there_is_shown_with_the_steps() {
    charging().then_done();
}

#[test]
fn time_passes_to_each_deadline() {
    let start = charging().now();
    charging().after(Duration::from_secs(29)).then_nothing();
    let unknown = charging().after_deadline();
    assert_eq!(unknown.now().since(start), Duration::from_secs(30));
    let undone = unknown
        .then([
            command(&RefundPayment::of("o-1")),
            command(&ReleaseInventory::of("o-1")),
            event(&CancelOrder::of("o-1")),
        ])
        .then_undone();
    // The answer comes after all.
    let late = undone.when_reply_to("charge", 1, &PaymentProcessed::of("o-1"));
    let last = late.then_nothing().history().last().cloned();
    assert!(matches!(last, Some(Entry::Late { .. })), "{last:?}");
}

#[test]
#[should_panic(expected = "waits for no time")]
fn there_is_not_always_a_deadline() {
    let reserving = saga::given::<PlaceOrder>(&OrderCreated::of("o-1"));
    reserving.after_deadline().then_nothing();
}

#[test]
fn a_reply_that_comes_twice_counts_once() {
    charging()
        .when(&InventoryReserved::of("o-1"))
        .then_nothing()
        .then_status(Status::Running);
}

#[test]
fn operators_intervene_and_are_refused() {
    charging()
        .when_operator(Operator::Compensate)
        .then_types(["RefundPayment", "ReleaseInventory", "CancelOrder"])
        .then_undone();
    let done = charging().when(&PaymentProcessed::of("o-1"));
    let refusal = done.refusal_of(Operator::Compensate);
    assert!(matches!(refusal, DecideError::Ended(_)), "{refusal}");
}

#[test]
fn a_stored_instance_goes_on_with_its_own_plan() {
    let (stored, now) = (charging().stored(), charging().now());
    let read = given_stored::<PlaceOrder>(&stored, now);
    assert_eq!(read.data().order, "o-1");
    read.when(&PaymentProcessed::of("o-1")).then_done();
}

#[test]
#[should_panic(expected = "goes by version 1")]
fn a_stored_instance_does_not_go_on_with_another_plan() {
    let (stored, now) = (charging().stored(), charging().now());
    let read = given_stored::<PayFirst>(&stored, now);
    read.when(&PaymentProcessed::of("o-1")).then_done();
}
