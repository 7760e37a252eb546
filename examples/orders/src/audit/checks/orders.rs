//! Orders, and what is read about them.

use std::collections::{BTreeMap, BTreeSet};

use super::agree;
use crate::audit::{
    Checked,
    evidence::{Evidence, Order, Summary},
};

/// Each accepted order is there once, and came to one end; no other order is there.
pub(super) fn orders(evidence: &Evidence) -> Checked {
    let mut findings = Vec::new();
    let mut known = BTreeSet::new();
    for placed in &evidence.placed {
        let asked = evidence.requests.get(&placed.key);
        if let Some(told) = &placed.order_id {
            agree(&mut findings, || placed.key.clone(), asked, Some(told));
            if !known.insert(told) {
                findings.push(format!("{told} was told to two customers"));
            }
        } else if let Some(asked) = asked {
            known.insert(asked);
        }
        let Some(order) = placed.order_id.as_ref().or(asked) else {
            continue;
        };
        let Some(found) = evidence.orders.get(order) else {
            findings.push(format!("{order} was accepted, and is lost"));
            continue;
        };
        let total = || format!("the total of {order}");
        agree(&mut findings, total, found.total, placed.total);
        let ends = found.confirmed + found.cancelled;
        agree(
            &mut findings,
            || format!("ends of {order} ({})", placed.kind),
            ends,
            1,
        );
        if matches!(placed.kind.as_str(), "declined" | "out-of-stock") {
            let what = || format!("{order} ({})", placed.kind);
            agree(&mut findings, what, found.status(), "cancelled");
        }
    }
    for order in evidence
        .orders
        .keys()
        .filter(|order| !known.contains(order))
    {
        findings.push(format!("nobody has placed {order}"));
    }
    let of_status = |status| {
        let orders = evidence.orders.values();
        orders.filter(|order| order.status() == status).count()
    };
    Checked {
        name: "orders",
        findings,
        counted: format!(
            "{} sent, {} there: {} confirmed, {} cancelled",
            evidence.placed.len(),
            evidence.orders.len(),
            of_status("confirmed"),
            of_status("cancelled")
        ),
    }
}

/// The read model is what it would be if it were filled anew from the events, and the order
/// service's events have all their numbers.
pub(super) fn read_model(evidence: &Evidence) -> Checked {
    let mut findings = Vec::new();
    let rows = &evidence.summaries;
    agree(
        &mut findings,
        || "rows of order_summaries".to_owned(),
        rows.len(),
        evidence.orders.len(),
    );
    let rows: BTreeMap<_, _> = rows.iter().map(|row| (&row.id, row)).collect();
    for (id, order) in &evidence.orders {
        let row = rows.get(id).copied();
        let anew = summary(id, order);
        agree(
            &mut findings,
            || format!("the row of {id}"),
            row,
            Some(&anew),
        );
        let told = evidence.timelines.get(id).map_or(&[][..], Vec::as_slice);
        let numbers: BTreeSet<_> = told.iter().map(|told| told.sequence).collect();
        let numbers: Vec<_> = numbers.into_iter().filter(|number| *number > 0).collect();
        let ends = order.confirmed + order.cancelled;
        let expected: Vec<_> = (1..).take(1 + ends).collect();
        agree(
            &mut findings,
            || format!("numbers of {id}"),
            numbers,
            expected,
        );
    }
    let counted = format!("{} rows", rows.len());
    Checked {
        name: "read model",
        findings,
        counted,
    }
}

/// An order's row, from its events alone.
fn summary(id: &str, order: &Order) -> Summary {
    Summary {
        id: id.to_owned(),
        customer_name: order.customer_name.clone(),
        customer_id: order.customer_id.clone(),
        total: order.total,
        status: order.status().to_owned(),
        day: order.day,
    }
}
