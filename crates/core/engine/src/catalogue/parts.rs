//! The catalogue's parts in a snapshot. Indexes (names, reverse, routing) are rebuilt from them.
//!
//! ```text
//!  header        version, next id                                 one
//!  exchanges     all of them, with bindings between exchanges     one
//!  definitions   of 64 logs with consecutive ids                  by number: id / 64
//!  bindings      to these logs                                    by number, likewise
//! ```
//!
//! A binding is stored with its target: logs are created and bound together, and removed with their
//! bindings. An exchange stores its number of bindings, so that the last one of an auto-delete
//! exchange is recognised even if the others aren't loaded.

use std::{collections::BTreeSet, mem};

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Name};

use super::{
    Binding, Catalogue, Exchange, LogDefinition,
    virtual_host::{BoundExchange, VirtualHost},
};
use crate::{Bind, limits::LOGS_IN_CATALOGUE_PART};

/// The catalogue's data besides definitions.
#[derive(Serialize, Deserialize)]
pub(crate) struct CatalogueHeader {
    version: u64,
    log_next: LogId,
}

/// All exchanges, by virtual host.
pub(crate) type StoredExchanges = Vec<(Name, Vec<StoredExchange>)>;

/// An exchange: its name, its attributes, how many bindings it has, and those that lead to other
/// exchanges.
type StoredExchange = (Name, Exchange, u64, Vec<Binding>);

/// [`StoredExchange`], borrowed.
type WrittenExchange<'a> = (&'a Name, &'a Exchange, u64, Vec<&'a Binding>);

/// The number of the parts with a log's definition and with the bindings to it. Stored snapshots
/// depend on it.
pub(crate) fn part_of(log: LogId) -> u64 {
    log.0 / LOGS_IN_CATALOGUE_PART
}

impl Catalogue {
    pub(crate) fn header(&self) -> CatalogueHeader {
        CatalogueHeader {
            version: self.version,
            log_next: self.logs.next(),
        }
    }

    pub(crate) fn load_header(&mut self, header: &CatalogueHeader) {
        self.version = header.version;
        self.logs.raise_next(header.log_next);
    }

    /// All exchanges.
    pub(crate) fn written_exchanges(&self) -> Vec<(&Name, Vec<WrittenExchange<'_>>)> {
        let vhosts = self.vhosts.iter();
        let exchanges = |host| VirtualHost::exchanges(host).map(written).collect();
        vhosts.map(|(name, host)| (name, exchanges(host))).collect()
    }

    pub(crate) fn load_exchanges(&mut self, stored: StoredExchanges) {
        for (vhost, exchanges) in stored {
            let host = self.host_or_new(&vhost);
            let mut all = Vec::new();
            for (name, exchange, count, bindings) in exchanges {
                host.load_exchange(name.clone(), exchange, count);
                all.extend(bindings.into_iter().map(|binding| (name.clone(), binding)));
            }
            for (source, binding) in all {
                host.load_binding(&source, binding);
            }
        }
        let unplaced = mem::take(&mut self.unplaced);
        self.load_bindings(unplaced);
    }

    /// The definitions of a part, if there are any.
    pub(crate) fn definitions(&self, part: u64) -> Option<Vec<&LogDefinition>> {
        let logs: Vec<_> = self.logs.between(first_of(part), last_of(part)).collect();
        (!logs.is_empty()).then_some(logs)
    }

    pub(crate) fn load_definitions(&mut self, definitions: Vec<LogDefinition>) {
        for definition in definitions {
            self.define_log(definition);
        }
    }

    /// The bindings to the logs of a part, if there are any.
    pub(crate) fn bindings_to(&self, part: u64) -> Option<Vec<Bind>> {
        let hosts = self.vhosts.iter();
        let bindings = hosts.flat_map(|(vhost, host)| {
            let bindings = host.bindings_to(first_of(part), last_of(part));
            bindings.map(|(source, binding)| Bind {
                vhost: vhost.clone(),
                source: source.clone(),
                target: binding.target.clone(),
                key: binding.key.clone(),
                arguments: binding.arguments.clone(),
            })
        });
        let bindings: Vec<_> = bindings.collect();
        (!bindings.is_empty()).then_some(bindings)
    }

    /// Adds bindings. Those whose exchange isn't loaded yet are added when it is.
    pub(crate) fn load_bindings(&mut self, bindings: Vec<Bind>) {
        for bind in bindings {
            let host = self.host_or_new(&bind.vhost);
            if host.exchange(&bind.source).is_some() {
                host.load_binding(&bind.source, Binding::from(&bind));
            } else {
                self.unplaced.push(bind);
            }
        }
    }

    /// The existing parts of definitions.
    pub(crate) fn definition_parts(&self) -> BTreeSet<u64> {
        self.logs.iter().map(|log| part_of(log.id)).collect()
    }

    /// The existing parts of bindings.
    pub(crate) fn binding_parts(&self) -> BTreeSet<u64> {
        let hosts = self.vhosts.values();
        hosts
            .flat_map(VirtualHost::bound_logs)
            .map(part_of)
            .collect()
    }
}

fn written<'a>((name, bound): (&'a Name, &'a BoundExchange)) -> WrittenExchange<'a> {
    let to_exchanges = bound.bindings.to_exchanges().collect();
    (name, &bound.exchange, bound.count, to_exchanges)
}

fn first_of(part: u64) -> LogId {
    LogId(part.saturating_mul(LOGS_IN_CATALOGUE_PART))
}

fn last_of(part: u64) -> LogId {
    LogId(first_of(part).0.saturating_add(LOGS_IN_CATALOGUE_PART - 1))
}
