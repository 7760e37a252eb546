//! The route of a message through exchanges.
//!
//! ```text
//!  exchange ─┬─ bindings that match ──► logs, and exchanges, which get all of the message's keys
//!            └─ none does ──► its alternate exchange, if it names one
//! ```
//!
//! Only the exchange's own bindings count as matches: an exchange has a match even if the binding
//! leads to an exchange without any. As in RabbitMQ, this applies to the first exchange and to
//! later ones.
//!
//! Everything behind an exchange that delays gets the message after its delay. What is also reached
//! without passing one gets it twice.

pub(super) mod chosen;
pub(super) mod consistent_hash;
pub(super) mod direct;
pub(super) mod headers;
pub(super) mod topic;

use hashbrown::HashSet;
use smallvec::SmallVec;
use stele_base_types::LogId;

use super::{Exchange, Headers, Route, virtual_host::VirtualHost};
use crate::{Argument, BindingTarget, ExchangeKind, limits::ROUTE_EXCHANGES_MAX};

/// The exchange argument that names where messages without a matching binding go.
pub const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// The exchanges reached, each once, or twice if the message is delayed on one way and not on the
/// other, so that cycles end.
type Reached<'a> = SmallVec<[(&'a str, bool); 8]>;

/// Follows the bindings from `exchange`, which exists, and sets the logs they lead to.
pub(super) fn follow(
    host: &VirtualHost,
    exchange: &str,
    keys: &[&str],
    headers: &dyn Headers,
    route: &mut Route,
) {
    let mut reached: Reached<'_> = SmallVec::from_iter([(exchange, false)]);
    // Those before `at` have been followed.
    let mut at = 0;
    while let Some(&(name, is_delayed)) = reached.get(at) {
        at += 1;
        let Some(bound) = host.exchange(name) else {
            continue;
        };
        let is_delayed = is_delayed || bound.exchange.kind == ExchangeKind::Delayed;
        route.passes_delay |= is_delayed;
        let logs = match is_delayed {
            true => &mut route.delayed,
            false => &mut route.now,
        };
        let mut has_matched = false;
        bound.bindings.route(keys, headers, |target| {
            has_matched = true;
            match target {
                BindingTarget::Log(log) => logs.push(*log),
                BindingTarget::Exchange(next) => reach(&mut reached, next, is_delayed),
            }
        });
        if !has_matched && let Some(alternate) = alternate_of(&bound.exchange) {
            reach(&mut reached, alternate, is_delayed);
        }
    }
    tidy(&mut route.now);
    tidy(&mut route.delayed);
}

/// Whether the bindings and alternate exchanges from `exchange` lead to a log, whatever keys and
/// headers they ask for.
pub(super) fn leads_to(host: &VirtualHost, exchange: &str, log: LogId) -> bool {
    let mut reached = vec![exchange];
    let mut seen: HashSet<&str> = reached.iter().copied().collect();
    while let Some(name) = reached.pop() {
        let Some(bound) = host.exchange(name) else {
            continue;
        };
        let targets = bound.bindings.iter().map(|binding| &binding.target);
        let next = targets.filter_map(|target| match target {
            BindingTarget::Log(bound) if *bound == log => Some(None),
            BindingTarget::Log(_) => None,
            BindingTarget::Exchange(next) => Some(Some(next.as_str())),
        });
        for next in next.chain(alternate_of(&bound.exchange).map(Some)) {
            let Some(next) = next else { return true };
            if seen.insert(next) {
                reached.push(next);
            }
        }
    }
    false
}

/// Sorts, and removes duplicates.
pub(super) fn tidy(logs: &mut SmallVec<[LogId; 4]>) {
    logs.sort_unstable();
    logs.dedup();
}

fn reach<'a>(reached: &mut Reached<'a>, next: &'a str, is_delayed: bool) {
    let next = (next, is_delayed);
    if !reached.contains(&next) && reached.len() < ROUTE_EXCHANGES_MAX {
        reached.push(next);
    }
}

/// The alternate exchange need not exist. The default exchange has no bindings, and so leads
/// nowhere as an alternate.
fn alternate_of(exchange: &Exchange) -> Option<&str> {
    match exchange.arguments.get(ALTERNATE_EXCHANGE)? {
        Argument::Text(octets) => std::str::from_utf8(octets).ok(),
        _ => None,
    }
}
