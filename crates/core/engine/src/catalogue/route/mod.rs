//! The way of a message through exchanges.

pub(super) mod direct;
pub(super) mod headers;
pub(super) mod topic;

use smallvec::SmallVec;
use stele_base_types::LogId;

use super::{Headers, virtual_host::VirtualHost};
use crate::{BindingTarget, limits::ROUTE_EXCHANGES_MAX};

/// Follows the bindings from `exchange`, which exists, and adds the logs that they lead to.
/// Leaves `targets` sorted, each once.
pub(super) fn follow(
    host: &VirtualHost,
    exchange: &str,
    key: &str,
    headers: &dyn Headers,
    targets: &mut SmallVec<[LogId; 4]>,
) {
    // Exchanges reached, each once: those before `at` have been followed. Circles end here.
    let mut reached: SmallVec<[&str; 8]> = SmallVec::from_iter([exchange]);
    let mut at = 0;
    while let Some(name) = reached.get(at) {
        at += 1;
        let Some(bound) = host.exchange(name) else {
            continue;
        };
        bound.bindings.route(key, headers, |target| match target {
            BindingTarget::Log(log) => targets.push(*log),
            BindingTarget::Exchange(next) => {
                let is_new = !reached.contains(&next.as_str());
                if is_new && reached.len() < ROUTE_EXCHANGES_MAX {
                    reached.push(next);
                }
            }
        });
    }
    targets.sort_unstable();
    targets.dedup();
}
