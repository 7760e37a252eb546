//! Money, to the cent.

use std::collections::BTreeMap;

use super::{agree, signed};
use crate::audit::{Checked, evidence::Evidence};

/// What the provider has of an order is what it costs, if it is confirmed, and nothing else. The
/// books and the sales say the same.
pub(super) fn money(evidence: &Evidence) -> Checked {
    let mut findings = Vec::new();
    let mut live: BTreeMap<&str, i64> = BTreeMap::new();
    for (order, amount) in &evidence.charges {
        if !evidence.orders.contains_key(order) {
            findings.push(format!("charged for {order}, which isn't there"));
        }
        if *amount != 0 && live.insert(order, *amount).is_some() {
            findings.push(format!("{order} has two charges"));
        }
    }
    let mut sum = 0;
    let confirmed = evidence
        .orders
        .values()
        .filter(|order| order.is_confirmed());
    for (id, order) in &evidence.orders {
        let due = if order.is_confirmed() { order.total } else { 0 };
        let charged = live.get(id.as_str()).copied().unwrap_or_default();
        agree(
            &mut findings,
            || format!("charged for {id} ({})", order.status()),
            charged,
            due,
        );
        let booked = evidence.books.get(id).copied().unwrap_or_default();
        agree(
            &mut findings,
            || format!("booked for {id} ({})", order.status()),
            booked,
            due,
        );
        sum += due;
    }
    let expected = [
        signed(evidence.orders.len()),
        signed(confirmed.count()),
        sum,
    ];
    agree(
        &mut findings,
        || "sales".to_owned(),
        evidence.sales,
        expected,
    );
    Checked {
        name: "money",
        findings,
        counted: format!("{sum} cents, {} charges", evidence.charges.len()),
    }
}
