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

pub(super) mod direct;
pub(super) mod headers;
pub(super) mod topic;

use smallvec::SmallVec;
use stele_base_types::LogId;

use super::{Exchange, Headers, virtual_host::VirtualHost};
use crate::{Argument, BindingTarget, limits::ROUTE_EXCHANGES_MAX};

/// The exchange argument that names where messages without a matching binding go.
pub const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// Follows the bindings from `exchange`, which exists, and adds the logs they lead to. Leaves
/// `targets` sorted and without duplicates.
pub(super) fn follow(
    host: &VirtualHost,
    exchange: &str,
    keys: &[&str],
    headers: &dyn Headers,
    targets: &mut SmallVec<[LogId; 4]>,
) {
    // The exchanges reached, each once, so that cycles end. Those before `at` have been followed.
    let mut reached: SmallVec<[&str; 8]> = SmallVec::from_iter([exchange]);
    let mut at = 0;
    while let Some(name) = reached.get(at) {
        at += 1;
        let Some(bound) = host.exchange(name) else {
            continue;
        };
        let mut has_matched = false;
        bound.bindings.route(keys, headers, |target| {
            has_matched = true;
            match target {
                BindingTarget::Log(log) => targets.push(*log),
                BindingTarget::Exchange(next) => reach(&mut reached, next),
            }
        });
        if !has_matched && let Some(alternate) = alternate_of(&bound.exchange) {
            reach(&mut reached, alternate);
        }
    }
    targets.sort_unstable();
    targets.dedup();
}

fn reach<'a>(reached: &mut SmallVec<[&'a str; 8]>, next: &'a str) {
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
