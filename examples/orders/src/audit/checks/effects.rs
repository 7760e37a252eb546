//! Effects that can't be taken back: shipments and mails.

use std::collections::{BTreeMap, BTreeSet};

use super::agree;
use crate::audit::{Checked, evidence::Evidence};

/// One shipment for each confirmed order; one mail for each order and kind. A mail that is sent
/// when its sender is killed may be sent again, with the same `Message-ID`: those copies are
/// counted, and there are none if nothing was killed or paused.
pub(super) fn effects(evidence: &Evidence) -> Checked {
    let mut findings = Vec::new();
    let mut shipments: BTreeMap<&str, usize> = BTreeMap::new();
    for order in &evidence.shipments {
        *shipments.entry(order).or_default() += 1;
    }
    let mut expected = BTreeSet::new();
    for (id, order) in &evidence.orders {
        let count = shipments.remove(id.as_str()).unwrap_or_default();
        let due = usize::from(order.is_confirmed());
        agree(&mut findings, || format!("shipments of {id}"), count, due);
        let kinds: &[&str] = match order.status() {
            "confirmed" => &["received", "confirmed", "shipped"],
            "cancelled" => &["received", "cancelled"],
            _ => &["received"],
        };
        let mails = kinds
            .iter()
            .map(|kind| format!("<{id}.{kind}@shop.example>"));
        expected.extend(mails);
    }
    for order in shipments.keys() {
        findings.push(format!("{order} was shipped, and isn't there"));
    }
    for mail in &expected {
        if !evidence.mails.contains_key(mail) {
            findings.push(format!("{mail} wasn't sent"));
        }
    }
    for mail in evidence
        .mails
        .keys()
        .filter(|mail| !expected.contains(*mail))
    {
        findings.push(format!("{mail} was sent"));
    }
    let copies: usize = evidence.mails.values().map(|count| count - 1).sum();
    let hits = evidence
        .chaos
        .iter()
        .filter(|act| act["process"] == "notification");
    let hits = hits.count();
    if hits == 0 && copies > 0 {
        findings.push(format!(
            "{copies} mails were sent twice, and nothing was killed"
        ));
    }
    Checked {
        name: "effects",
        findings,
        counted: format!(
            "{} shipments, {} mails, {copies} of them copies ({hits} hits of their sender)",
            evidence.shipments.len(),
            evidence.mails.len()
        ),
    }
}
