//! One virtual host: its logs by name, its exchanges and their bindings.
//!
//! ```text
//!  exchange ── binding ──► log
//!      │
//!      └────── binding ──► exchange      removed with either end; an auto-delete exchange is
//!                                        removed with the last of its bindings
//! ```

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{LogId, Name};

use super::{Binding, Exchange, bindings::BindingTable, predeclared};
use crate::{Bind, BindingTarget};

/// Names and bindings of a virtual host.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct VirtualHost {
    logs: BTreeMap<Name, LogId>,
    exchanges: BTreeMap<Name, BoundExchange>,
    /// The exchanges with bindings to a target, needed when the target is removed.
    sources: BTreeMap<BindingTarget, BTreeSet<Name>>,
    /// What exchanges and bindings take in memory.
    bytes: usize,
}

/// An exchange with its bindings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BoundExchange {
    pub(super) exchange: Exchange,
    pub(super) bindings: BindingTable,
    /// How many bindings it has, including those that aren't loaded.
    pub(super) count: u64,
}

impl VirtualHost {
    /// A virtual host with the predeclared exchanges.
    pub(super) fn with_predeclared() -> Self {
        let mut host = Self::default();
        for (name, exchange) in predeclared::exchanges() {
            host.add_exchange(name, exchange);
        }
        host
    }

    pub(super) fn add_log(&mut self, name: Name, log: LogId) {
        self.logs.insert(name, log);
    }

    pub(super) fn remove_log(&mut self, name: &str, log: LogId) {
        self.logs.remove(name);
        self.target_gone(BindingTarget::Log(log));
    }

    pub(super) fn add_exchange(&mut self, name: Name, exchange: Exchange) {
        self.load_exchange(name, exchange, 0);
    }

    /// Adds an exchange with this many bindings, which are loaded separately. Predeclared exchanges
    /// already exist, possibly with some of them.
    pub(super) fn load_exchange(&mut self, name: Name, exchange: Exchange, count: u64) {
        let bound = self.exchanges.entry(name);
        let bound = bound.or_insert_with(|| {
            self.bytes += exchange.bytes();
            BoundExchange::new(exchange)
        });
        bound.count = count;
    }

    pub(super) fn remove_exchange(&mut self, name: &str) {
        if let Some(target) = self.take_exchange(name) {
            self.target_gone(target);
        }
    }

    pub(super) fn bind(&mut self, source: &Name, binding: Binding) {
        let is_new = self.load_binding(source, binding);
        if is_new && let Some(bound) = self.exchanges.get_mut(source.as_str()) {
            bound.count += 1;
        }
    }

    /// Adds a binding that is already included in its exchange's count; returns whether it is new.
    pub(super) fn load_binding(&mut self, source: &Name, binding: Binding) -> bool {
        let Some(bound) = self.exchanges.get_mut(source.as_str()) else {
            return false;
        };
        let sources = self.sources.entry(binding.target.clone()).or_default();
        sources.insert(source.clone());
        let bytes = binding.bytes();
        let is_new = bound.bindings.insert(binding);
        if is_new {
            self.bytes += bytes;
        }
        is_new
    }

    pub(super) fn unbind(&mut self, bind: &Bind) {
        let Some(bound) = self.exchanges.get_mut(bind.source.as_str()) else {
            return;
        };
        let before = bound.bindings.bytes();
        let removed = bound
            .bindings
            .remove(&bind.target, &bind.key, &bind.arguments);
        if !removed {
            return;
        }
        self.bytes -= before - bound.bindings.bytes();
        bound.count -= 1;
        let ended = bound.has_ended();
        if !bound.bindings.leads_to(&bind.target) {
            self.forget_source(&bind.target, &bind.source);
        }
        if ended {
            self.remove_exchange(&bind.source);
        }
    }

    /// The exchanges that don't survive the process.
    pub(super) fn fleeting(&self) -> impl Iterator<Item = &Name> {
        let exchanges = self.exchanges.iter();
        exchanges
            .filter(|(_, bound)| !bound.exchange.durable)
            .map(|(name, _)| name)
    }

    /// What exchanges and bindings take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn log(&self, name: &str) -> Option<LogId> {
        self.logs.get(name).copied()
    }

    pub(super) fn logs_after(&self, after: Option<&str>) -> impl Iterator<Item = LogId> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.logs
            .range::<str, _>((from, Unbounded))
            .map(|(_, log)| *log)
    }

    pub(super) fn exchange(&self, name: &str) -> Option<&BoundExchange> {
        self.exchanges.get(name)
    }

    pub(super) fn exchanges(&self) -> impl Iterator<Item = (&Name, &BoundExchange)> {
        self.exchanges.iter()
    }

    /// The bindings to logs from `first` to `last`, each with its exchange.
    pub(super) fn bindings_to(
        &self,
        first: LogId,
        last: LogId,
    ) -> impl Iterator<Item = (&Name, &Binding)> {
        let range = BindingTarget::Log(first)..=BindingTarget::Log(last);
        self.sources.range(range).flat_map(|(target, sources)| {
            let exchanges = sources
                .iter()
                .filter_map(|source| self.exchanges.get_key_value(source.as_str()));
            exchanges.flat_map(|(source, bound)| {
                let bindings = bound.bindings.to(target);
                bindings.map(move |binding| (source, binding))
            })
        })
    }

    /// The logs with bindings.
    pub(super) fn bound_logs(&self) -> impl Iterator<Item = LogId> {
        self.sources.keys().filter_map(|target| match target {
            BindingTarget::Log(log) => Some(*log),
            BindingTarget::Exchange(_) => None,
        })
    }

    /// Removes the bindings to a target that is gone. Uses a list instead of recursion, since
    /// clients can make arbitrarily long chains of auto-delete exchanges.
    fn target_gone(&mut self, target: BindingTarget) {
        let mut gone = vec![target];
        while let Some(target) = gone.pop() {
            for source in self.sources.remove(&target).unwrap_or_default() {
                let Some(bound) = self.exchanges.get_mut(source.as_str()) else {
                    continue;
                };
                let before = bound.bindings.bytes();
                bound.count -= bound.bindings.remove_target(&target);
                self.bytes -= before - bound.bindings.bytes();
                if bound.has_ended() {
                    gone.extend(self.take_exchange(&source));
                }
            }
        }
    }

    /// Removes an exchange and its own bindings; the bindings to it are left to the caller.
    fn take_exchange(&mut self, name: &str) -> Option<BindingTarget> {
        let (name, bound) = self.exchanges.remove_entry(name)?;
        self.bytes -= bound.exchange.bytes() + bound.bindings.bytes();
        for target in bound.bindings.targets() {
            self.forget_source(target, &name);
        }
        Some(BindingTarget::Exchange(name))
    }

    fn forget_source(&mut self, target: &BindingTarget, source: &Name) {
        if let Some(sources) = self.sources.get_mut(target) {
            sources.remove(source.as_str());
            if sources.is_empty() {
                self.sources.remove(target);
            }
        }
    }
}

impl BoundExchange {
    fn new(exchange: Exchange) -> Self {
        Self {
            bindings: BindingTable::new(&exchange),
            exchange,
            count: 0,
        }
    }

    /// Whether an auto-delete exchange has lost its last binding. Only called after a removal: an
    /// exchange that never had a binding stays.
    fn has_ended(&self) -> bool {
        self.exchange.auto_delete && self.count == 0
    }
}
