use serde_json::json;

use super::*;
use crate::audit::evidence::{Dead, Order, Placed, Summary, Told};

const GOOD: &str = "order-1";
const BAD: &str = "order-2";

/// A confirmed order and a cancelled one, and everything agrees.
fn evidence() -> Evidence {
    let mut evidence = Evidence {
        placed: vec![
            placed("key-1", "good", GOOD),
            placed("key-2", "declined", BAD),
        ],
        stock: vec![("teapot".to_owned(), [10, 8, 0, 2])],
        reservations: vec![reservation(GOOD, "sold"), reservation(BAD, "released")],
        charges: vec![(GOOD.to_owned(), 500), (BAD.to_owned(), 0)],
        sales: [2, 1, 500],
        shipments: vec![GOOD.to_owned()],
        ..Evidence::default()
    };
    for (id, key, confirmed) in [(GOOD, "key-1", 1), (BAD, "key-2", 0)] {
        let order = Order {
            total: 500,
            customer_name: "Ada".to_owned(),
            customer_id: "cust-1".to_owned(),
            day: 1,
            items: vec![("teapot".to_owned(), 2)],
            confirmed,
            cancelled: 1 - confirmed,
        };
        let status = order.status().to_owned();
        evidence.summaries.push(Summary {
            id: id.to_owned(),
            customer_name: "Ada".to_owned(),
            customer_id: "cust-1".to_owned(),
            total: 500,
            status,
            day: 1,
        });
        evidence.orders.insert(id.to_owned(), order);
        evidence.requests.insert(key.to_owned(), id.to_owned());
        let told = [
            told("OrderCreated", 1),
            told("OrderUpdated", 2),
            told("EmailSent", 0),
        ];
        evidence.timelines.insert(id.to_owned(), told.into());
    }
    evidence.books.insert(GOOD.to_owned(), 500);
    for mail in [
        "1.received",
        "1.confirmed",
        "1.shipped",
        "2.received",
        "2.cancelled",
    ] {
        evidence
            .mails
            .insert(format!("<order-{mail}@shop.example>"), 1);
    }
    evidence
}

fn placed(key: &str, kind: &str, order: &str) -> Placed {
    Placed {
        key: key.to_owned(),
        kind: kind.to_owned(),
        total: 500,
        order_id: Some(order.to_owned()),
    }
}

fn reservation(order: &str, state: &str) -> (String, String, i64, String) {
    (order.to_owned(), "teapot".to_owned(), 2, state.to_owned())
}

fn told(message_type: &str, sequence: i64) -> Told {
    Told {
        message_type: message_type.to_owned(),
        correlation_id: "request".to_owned(),
        trace_id: "trace".to_owned(),
        sequence,
        data: json!({}),
    }
}

fn poison(services: &[&str]) -> serde_json::Value {
    json!({"what": "poison", "id": "poison-1-1", "kind": "truncated", "services": services})
}

fn dead(service: &str) -> Dead {
    Dead {
        service: service.to_owned(),
        body: r#"{"messageId":"poison-1-1","#.to_owned(),
        attempts: 1,
        reason: "not_json".to_owned(),
    }
}

/// The checks that find something.
fn found(evidence: &Evidence) -> Vec<&'static str> {
    let checked = all(evidence).into_iter();
    let failed = checked.filter(|check| !check.findings.is_empty());
    failed.map(|check| check.name).collect()
}

/// The checks that find something once something is changed.
fn found_after(change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    let mut evidence = evidence();
    change(&mut evidence);
    found(&evidence)
}

#[test]
fn nothing_is_found_where_everything_agrees() {
    assert!(found(&evidence()).is_empty());
    let explained = found_after(|it| {
        it.chaos = vec![poison(&["shop.order", "shop.timeline"])];
        it.dead = vec![dead("shop.order"), dead("shop.timeline")];
    });
    assert!(explained.is_empty());
}

#[test]
fn lost_invented_and_open_orders_are_found() {
    let lost = found_after(|it| {
        it.orders.remove(BAD);
        it.requests.remove("key-2");
    });
    assert!(lost.contains(&"orders"), "{lost:?}");
    let invented = found_after(|it| it.placed.truncate(1));
    assert_eq!(invented, ["orders"]);
    let twice = found_after(|it| it.orders.get_mut(GOOD).unwrap().confirmed = 2);
    assert!(twice.contains(&"orders"), "{twice:?}");
    let paid = found_after(|it| it.placed[1].kind = "good".to_owned());
    assert!(paid.is_empty(), "a good order may be cancelled: {paid:?}");
}

#[test]
fn a_cent_too_much_is_found() {
    assert_eq!(found_after(|it| it.charges[0].1 = 501), ["money"]);
    assert_eq!(found_after(|it| it.charges[1].1 = 1), ["money"]);
    assert_eq!(found_after(|it| it.sales[2] = 501), ["money"]);
    assert_eq!(
        found_after(|it| it.charges.push((GOOD.to_owned(), 500))),
        ["money"]
    );
    assert_eq!(
        found_after(|it| it.charges.push(("order-3".to_owned(), 0))),
        ["money"]
    );
    let booked = found_after(|it| *it.books.get_mut(GOOD).unwrap() = 1000);
    assert_eq!(booked, ["money"]);
}

#[test]
fn a_piece_too_few_is_found() {
    assert_eq!(found_after(|it| it.stock[0].1 = [10, 7, 1, 2]), ["stock"]);
    assert_eq!(found_after(|it| it.stock[0].1 = [10, 9, 0, 1]), ["stock"]);
    let set_aside = found_after(|it| it.reservations[1] = reservation(BAD, "reserved"));
    assert_eq!(set_aside, ["stock"]);
    let negative = found_after(|it| {
        let told = it.timelines.get_mut(GOOD).unwrap();
        told[1].data = json!({"items": [{"sku": "teapot", "free": -1}]});
    });
    assert_eq!(negative, ["stock"]);
}

#[test]
fn shipments_and_mails_that_are_missing_or_too_many_are_found() {
    assert_eq!(found_after(|it| it.shipments.clear()), ["effects"]);
    assert_eq!(
        found_after(|it| it.shipments.push(BAD.to_owned())),
        ["effects"]
    );
    let mail = "<order-1.shipped@shop.example>";
    let unsent = found_after(|it| it.mails.retain(|sent, _| sent != mail));
    assert_eq!(unsent, ["effects"]);
    let copy = |it: &mut Evidence| *it.mails.get_mut(mail).unwrap() = 2;
    assert_eq!(found_after(copy), ["effects"]);
    let after_a_kill = found_after(|it| {
        copy(it);
        it.chaos = vec![json!({"what": "kill", "process": "notification"})];
    });
    assert!(after_a_kill.is_empty(), "{after_a_kill:?}");
}

#[test]
fn rows_and_numbers_that_are_missing_are_found() {
    let stale = found_after(|it| it.summaries[0].status = "created".to_owned());
    assert_eq!(stale, ["read model"]);
    let moved = found_after(|it| it.summaries[1].day = 2);
    assert_eq!(moved, ["read model"]);
    let gap = found_after(|it| it.timelines.get_mut(GOOD).unwrap()[1].sequence = 3);
    assert_eq!(gap, ["read model"]);
}

#[test]
fn messages_that_are_dead_or_wait_are_found() {
    let lost = found_after(|it| it.chaos = vec![poison(&["shop.order"])]);
    assert_eq!(lost, ["messages"]);
    let unexplained = found_after(|it| {
        it.dead = vec![dead("shop.order")];
        it.dead[0].body = "{}".to_owned();
    });
    assert_eq!(unexplained, ["messages"]);
    let waiting = found_after(|it| it.waiting.push(("order: stele_outbox".to_owned(), 1)));
    assert_eq!(waiting, ["messages"]);
    let many = found_after(|it| {
        it.chaos = vec![poison(&["shop.order"])];
        it.dead = vec![dead("shop.order")];
        it.dead[0].attempts = 3;
    });
    assert_eq!(many, ["messages"]);
}

#[test]
fn a_message_that_strikes_is_tried_as_often_as_it_may_be() {
    let after = |kind: &'static str, attempts| {
        found_after(move |it| {
            it.chaos = vec![poison(&["shop.order", "shop.timeline"])];
            it.chaos[0]["kind"] = json!(kind);
            it.dead = vec![dead("shop.order")];
            it.dead[0].attempts = attempts;
        })
    };
    assert!(after("panic", 5).is_empty());
    assert_eq!(after("panic", 1), ["messages"]);
    // It takes the process along, and so may others be counted more often.
    assert!(after("abort", 5).is_empty());
    assert_eq!(after("abort", 1), ["messages"]);
    let cut = found_after(|it| {
        it.chaos = vec![poison(&["shop.order"])];
        it.chaos[0]["kind"] = json!("300 KB");
        it.dead = vec![dead("shop.order")];
    });
    assert_eq!(cut, ["messages"]);
}

#[test]
fn traces_that_break_are_found() {
    let other = found_after(|it| {
        it.timelines.get_mut(GOOD).unwrap()[2].trace_id = "another".to_owned();
    });
    assert_eq!(other, ["traces"]);
    let none = found_after(|it| {
        it.log_lines
            .push("WARN message{message_id=1}: x".to_owned())
    });
    assert_eq!(none, ["traces"]);
}
