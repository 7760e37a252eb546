use stele_toolkit_test::aggregate::given;

use super::*;
use crate::{messages::Item, money::Cents};

fn created() -> OrderCreated {
    OrderCreated {
        order_id: "order-1".into(),
        customer_id: "cust-456".into(),
        customer_name: "Ada".into(),
        email: "ada@shop.example".into(),
        items: vec![Item {
            sku: "teapot".into(),
            quantity: 1,
            price: Cents(9_999),
        }],
        total: Cents(9_999),
        card: "4242424242424242".into(),
    }
}

fn reserved() -> OrderEvent {
    let (order_id, items) = ("order-1".into(), Vec::new());
    InventoryReserved { order_id, items }.into()
}

fn rejected() -> OrderEvent {
    let (order_id, reason) = ("order-1".into(), "teapot is out of stock".into());
    InventoryRejected { order_id, reason }.into()
}

fn paid() -> OrderEvent {
    let (order_id, amount) = ("order-1".into(), Cents(9_999));
    PaymentProcessed { order_id, amount }.into()
}

fn confirmed() -> OrderEvent {
    OrderConfirmed::of(&created()).into()
}

fn cancelled() -> OrderEvent {
    OrderCancelled::of(&created(), "teapot is out of stock").into()
}

#[test]
fn reserved_and_paid_in_any_order_is_confirmed() {
    for (first, second) in [(reserved(), paid()), (paid(), reserved())] {
        given::<Order>([created().into(), first])
            .when(&Action::React(second.clone()))
            .then([second, confirmed()]);
    }
}

#[test]
fn one_failure_cancels_and_what_comes_later_is_remembered_alone() {
    given::<Order>([created().into()])
        .when(&Action::React(rejected()))
        .then([rejected(), cancelled()]);
    given::<Order>([created().into(), rejected(), cancelled()])
        .when(&Action::React(paid()))
        .then([paid()]);
}

#[test]
fn what_is_told_twice_counts_once() {
    given::<Order>([created().into(), reserved()])
        .when(&Action::React(reserved()))
        .then_nothing();
}

#[test]
fn what_is_noted_decides_nothing() {
    given::<Order>([created().into(), reserved()])
        .when(&Action::Note(paid()))
        .then([paid()]);
}

#[test]
fn an_order_has_one_end() {
    let open = [created().into(), reserved(), paid()];
    given::<Order>(open.clone())
        .when(&Action::Confirm)
        .then([confirmed()]);
    let reason = "teapot is out of stock".to_owned();
    given::<Order>(open.clone())
        .when(&Action::Cancel(reason.clone()))
        .then([cancelled()]);
    for action in [Action::Confirm, Action::Cancel(reason)] {
        given::<Order>(open.clone().into_iter().chain([confirmed()]))
            .when(&action)
            .then_nothing();
    }
}

#[test]
fn an_order_that_nobody_placed_is_refused() {
    given::<Order>([])
        .when(&Action::Note(paid()))
        .then_error(Refusal::Unknown);
}
