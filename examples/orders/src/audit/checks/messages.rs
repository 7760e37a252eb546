//! Messages: dead ones, those that wait, and what holds those of an order together.

use std::{collections::BTreeSet, ops::RangeInclusive};

use serde_json::Value;

use super::{agree, signed};
use crate::audit::{Checked, evidence::Evidence};

/// How often the order service tries a message.
const ATTEMPTS: i64 = 5;

/// Each message that can't be read is dead once with everybody who got it, at its first attempt and
/// with the reason. One that makes its handler panic or ends the process is dead once, at the last
/// attempt. Nothing else is dead, and nothing waits.
pub(super) fn messages(evidence: &Evidence) -> Checked {
    let mut findings = Vec::new();
    let is_poison = |act: &&Value| act["what"] == "poison";
    let poison: Vec<_> = evidence.chaos.iter().filter(is_poison).collect();
    // An attempt counts although its process was killed, whoever killed it.
    let hits = evidence.chaos.iter().filter(|act| !is_poison(act));
    let aborts = poison.iter().filter(|act| act["kind"] == "abort");
    let hits = signed(hits.count()) + ATTEMPTS * signed(aborts.count());
    let mut explained = 0;
    for act in &poison {
        // With a quote behind it, so that no other id begins with it.
        let id = format!("{}\"", act["id"].as_str().unwrap_or_default());
        let of_it: Vec<_> = evidence
            .dead
            .iter()
            .filter(|dead| dead.body.contains(&id))
            .collect();
        explained += of_it.len();
        let mut got: Vec<_> = of_it.iter().map(|dead| dead.service.as_str()).collect();
        got.sort_unstable();
        let (due, attempts) = (receivers(act), attempts(act, hits));
        let bytes_min = match act["kind"] == "300 KB" {
            true => 300_000,
            false => 0,
        };
        agree(&mut findings, || format!("dead letters of {act}"), got, due);
        for dead in of_it {
            if dead.body.len() < bytes_min {
                findings.push(format!("{} has only {} bytes", act["id"], dead.body.len()));
            }
            if dead.reason.is_empty() || !attempts.contains(&dead.attempts) {
                findings.push(format!(
                    "{} at attempt {}: {:?}",
                    act["id"], dead.attempts, dead.reason
                ));
            }
        }
    }
    let dead = evidence.dead.len();
    if explained < dead {
        let others = evidence
            .dead
            .iter()
            .filter(|dead| !dead.body.contains("\"poison-"));
        findings.extend(others.map(|dead| format!("{}: dead: {}", dead.service, dead.body)));
    }
    for (what, count) in evidence.waiting.iter().filter(|(_, count)| *count > 0) {
        findings.push(format!("{what}: {count} wait"));
    }
    Checked {
        name: "messages",
        findings,
        counted: format!(
            "{} that can't be handled, {dead} dead letters",
            poison.len()
        ),
    }
}

/// The services that make a dead letter of a message, in the order of their names.
fn receivers(act: &Value) -> Vec<&str> {
    let services = act["services"].as_array().into_iter().flatten();
    let mut due: Vec<_> = services.filter_map(|service| service.as_str()).collect();
    // The timeline keeps what is no order's, if it can read it at all; the saga reads what
    // belongs to an order.
    if act["kind"] != "truncated" {
        due.retain(|service| *service != "shop.timeline");
    }
    if matches!(act["kind"].as_str(), Some("missing field" | "version 9.0")) {
        due.retain(|service| *service != "shop.saga");
    }
    let strikes = matches!(act["kind"].as_str(), Some("panic" | "abort"));
    if strikes {
        due.retain(|service| *service == "shop.order");
    }
    due.sort_unstable();
    due
}

/// How often it may have been tried, if processes that had it were ended so often.
fn attempts(act: &Value, hits: i64) -> RangeInclusive<i64> {
    match act["kind"].as_str() {
        Some("panic") => ATTEMPTS..=ATTEMPTS + hits,
        // The first may not have been counted when it ended the process.
        Some("abort") => ATTEMPTS - 1..=ATTEMPTS + hits,
        _ => 1..=1 + hits,
    }
}

/// All messages of an order belong to one request and to one trace, from its placing to its last
/// mail; lines of logs that belong to a message say to which.
pub(super) fn traces(evidence: &Evidence) -> Checked {
    let mut findings = Vec::new();
    for id in evidence.orders.keys() {
        let told = evidence.timelines.get(id).map_or(&[][..], Vec::as_slice);
        let requests: BTreeSet<_> = told.iter().map(|told| &told.correlation_id).collect();
        agree(
            &mut findings,
            || format!("requests of {id}"),
            requests.len(),
            1,
        );
        let traces: BTreeSet<_> = told.iter().map(|told| &told.trace_id).collect();
        let is_one = traces.len() == 1 && traces.iter().all(|trace| !trace.is_empty());
        let ends = ["OrderCreated", "EmailSent"];
        let has = |end: &&str| told.iter().any(|told| told.message_type == **end);
        if !is_one || !ends.iter().all(has) {
            findings.push(format!("{id} has the traces {traces:?}"));
        }
    }
    let fields = [
        "message_id=",
        "correlation_id=",
        "trace_id=",
        "message_type=",
    ];
    for line in &evidence.log_lines {
        let is_poison = line.contains("poison-");
        if !is_poison && !fields.iter().all(|field| line.contains(field)) {
            findings.push(line.clone());
        }
    }
    Checked {
        name: "traces",
        findings,
        counted: format!("{} lines of logs", evidence.log_lines.len()),
    }
}
