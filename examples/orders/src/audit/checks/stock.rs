//! Stock, to the piece.

use std::collections::BTreeMap;

use super::agree;
use crate::audit::{Checked, evidence::Evidence};

/// What is sold of an article is what confirmed orders have of it, everything else is free, and it
/// was never less than nothing.
pub(super) fn stock(evidence: &Evidence) -> Checked {
    let mut findings = Vec::new();
    let mut needed: BTreeMap<&str, i64> = BTreeMap::new();
    for order in evidence
        .orders
        .values()
        .filter(|order| order.is_confirmed())
    {
        for (sku, quantity) in &order.items {
            *needed.entry(sku).or_default() += quantity;
        }
    }
    let mut pieces = 0;
    for (sku, [start, free, reserved, sold]) in &evidence.stock {
        let needed = needed.remove(sku.as_str()).unwrap_or_default();
        agree(&mut findings, || format!("{sku} sold"), *sold, needed);
        agree(&mut findings, || format!("{sku} reserved"), *reserved, 0);
        agree(
            &mut findings,
            || format!("{sku} free"),
            *free,
            start - needed,
        );
        if *free < 0 {
            findings.push(format!("{sku} free: {free}"));
        }
        pieces += sold;
    }
    for (sku, quantity) in needed {
        findings.push(format!(
            "{quantity} of {sku} were sold, which isn't an article"
        ));
    }
    for (order, sku, quantity, state) in &evidence.reservations {
        let status = evidence
            .orders
            .get(order)
            .map_or("unknown", |order| order.status());
        let expected = match status {
            "confirmed" => "sold",
            "cancelled" => "released",
            _ => "reserved",
        };
        let what = || format!("{quantity} of {sku} for {order} ({status})");
        agree(&mut findings, what, state.as_str(), expected);
    }
    for (order, told) in &evidence.timelines {
        for item in told
            .iter()
            .filter_map(|told| told.data["items"].as_array())
            .flatten()
        {
            if item["free"].as_i64().is_some_and(|free| free < 0) {
                findings.push(format!("{order} was told of {item}"));
            }
        }
    }
    Checked {
        name: "stock",
        findings,
        counted: format!(
            "{pieces} pieces sold, {} reservations",
            evidence.reservations.len()
        ),
    }
}
