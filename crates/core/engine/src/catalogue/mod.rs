//! Definitions: virtual hosts, logs by name, exchanges, bindings, and routing by them.
//!
//! Shard 0 decides on them. Routing uses a replica, made by applying the same records.
//!
//! ```text
//!  Catalogue ─┬─ LogTable: definitions by id
//!             └─ VirtualHost ─┬─ log names ──► ids
//!                             └─ exchanges ── BindingTable ── index by kind
//! ```
//!
//! Invariants
//! - A binding's exchange and target both exist: a binding is removed with either.
//! - The indexes are derived from the definitions, so equal definitions route equally.
//! - A log id is never reused, even after its log is deleted.

mod bindings;
mod decide;
mod error;
mod expiry;
mod logs;
mod parts;
mod predeclared;
mod record;
mod route;
mod virtual_host;
mod whole;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Name, Timestamp, VHOST_INTERNAL};

pub use self::{
    decide::{
        Adopt, AlterLog, Altered, Bind, DeclareExchange, DeclareLog, Declared, DeleteExchange,
        Unbind,
    },
    error::{CatalogueError, Contradiction},
    expiry::own_expiry_ms,
    record::CatalogueRecord,
    route::{
        ALTERNATE_EXCHANGE,
        consistent_hash::{HASH_HEADER, HASH_PROPERTY},
    },
};
use self::{
    logs::LogTable,
    virtual_host::{BoundExchange, VirtualHost},
};
pub(crate) use self::{parts::part_of, whole::WholeCatalogue};
use crate::{
    Argument, Arguments, BindingTarget, DELAYED_TYPE, ExchangeKind, Facet, LogConfig, Overflow,
    Settings, stored::config::ExchangeField,
};

/// All definitions. Two catalogues are equal if their definitions are, whatever led to them.
#[derive(Clone, Debug)]
pub struct Catalogue {
    logs: LogTable,
    vhosts: BTreeMap<Name, VirtualHost>,
    version: u64,
    /// Bindings that were loaded before their exchanges.
    unplaced: Vec<Bind>,
}

/// A log's definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogDefinition {
    /// Its id.
    pub id: LogId,
    /// Its virtual host.
    pub vhost: Name,
    /// Its name.
    pub name: Name,
    /// Its configuration for the engine.
    pub config: LogConfig,
    /// The protocols it was declared through, each with that protocol's settings.
    pub facets: BTreeMap<Facet, Settings>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// An exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<ExchangeField>", into = "Vec<ExchangeField>")]
pub struct Exchange {
    /// How it routes.
    pub kind: ExchangeKind,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it is deleted with its last binding.
    pub auto_delete: bool,
    /// Whether clients may not publish to it.
    pub internal: bool,
    /// Its arguments.
    pub arguments: Arguments,
}

/// A binding of an exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The target.
    pub target: BindingTarget,
    /// The binding key.
    pub key: Name,
    /// The arguments.
    pub arguments: Arguments,
}

impl Exchange {
    /// How it routes: by its kind, or, if that delays, by the kind that its arguments name.
    pub fn routes_as(&self) -> ExchangeKind {
        if self.kind != ExchangeKind::Delayed {
            return self.kind;
        }
        let named = match self.arguments.get(DELAYED_TYPE) {
            Some(Argument::Text(name)) => std::str::from_utf8(name).ok(),
            _ => None,
        };
        let kind = named.and_then(ExchangeKind::named);
        kind.unwrap_or(ExchangeKind::Direct)
    }
}

/// What exchanges route by besides keys. Only called if the message reaches an exchange that needs
/// it, so other messages' headers are never parsed.
pub trait Headers {
    /// The value of a header; `None` if the message doesn't have it.
    fn header(&self, name: &str) -> Option<Argument>;

    /// The text of a property that a consistent-hash exchange may hash; `None` if the message
    /// doesn't have it.
    fn property(&self, name: &str) -> Option<Box<[u8]>>;

    /// A random number, different with each call.
    fn random(&self) -> u64;
}

/// A message without headers, whose random numbers are all 0.
#[derive(Clone, Copy, Debug)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn header(&self, _name: &str) -> Option<Argument> {
        None
    }

    fn property(&self, _name: &str) -> Option<Box<[u8]>> {
        None
    }

    fn random(&self) -> u64 {
        0
    }
}

/// Where a message is routed to. Both lists are sorted, without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Those that get it at once.
    pub now: SmallVec<[LogId; 4]>,
    /// Those that get it after its delay, because it passes an exchange that delays.
    pub delayed: SmallVec<[LogId; 4]>,
    /// Whether it passes an exchange that delays, even if that leads nowhere.
    pub passes_delay: bool,
}

impl LogDefinition {
    fn refuses(&self) -> bool {
        let overflow = self.config.queue.map(|queue| queue.overflow);
        overflow.is_some_and(|overflow| overflow != Overflow::DropOldest)
    }
}

impl Catalogue {
    /// A log by name.
    pub fn log(&self, vhost: &str, name: &str) -> Option<&LogDefinition> {
        let log = self.vhosts.get(vhost)?.log(name)?;
        self.logs.by_id(log)
    }

    /// A log by id.
    pub fn log_by_id(&self, log: LogId) -> Option<&LogDefinition> {
        self.logs.by_id(log)
    }

    /// The logs of a virtual host by name, starting after `after`.
    pub fn logs<'a>(
        &'a self,
        vhost: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = &'a LogDefinition> {
        let host = self.vhosts.get(vhost).into_iter();
        host.flat_map(move |host| host.logs_after(after))
            .filter_map(|log| self.logs.by_id(log))
    }

    /// Whether one of these logs refuses messages when it is full. If so, each message is to be
    /// appended alone, since each has its own outcome.
    pub fn refuse(&self, logs: &[LogId]) -> bool {
        self.logs.refuse(logs)
    }

    /// All logs, by id.
    pub fn all_logs(&self) -> impl Iterator<Item = &LogDefinition> {
        self.logs.iter()
    }

    /// An exchange.
    pub fn exchange(&self, vhost: &str, name: &str) -> Option<&Exchange> {
        self.bound_exchange(vhost, name)
            .map(|bound| &bound.exchange)
    }

    /// The exchanges of a virtual host by name, including the predeclared ones.
    pub fn exchanges<'a>(
        &'a self,
        vhost: &'a str,
    ) -> impl Iterator<Item = (&'a Name, &'a Exchange)> {
        let host = self.vhosts.get(vhost).into_iter();
        host.flat_map(VirtualHost::exchanges)
            .map(|(name, bound)| (name, &bound.exchange))
    }

    /// The bindings of an exchange, by target and key. Those of the default exchange, one for each
    /// log, aren't listed.
    pub fn bindings<'a>(
        &'a self,
        vhost: &'a str,
        exchange: &'a str,
    ) -> impl Iterator<Item = &'a Binding> {
        let bound = self.bound_exchange(vhost, exchange).into_iter();
        bound.flat_map(|bound| bound.bindings.iter())
    }

    /// Whether there is this binding.
    pub fn is_bound(&self, bind: &Bind) -> bool {
        let source = self.bound_exchange(&bind.vhost, &bind.source);
        let bindings = source.map(|source| &source.bindings);
        bindings.is_some_and(|it| it.contains(&bind.target, &bind.key, &bind.arguments))
    }

    /// What definitions take in memory. There are few virtual hosts.
    pub(crate) fn bytes(&self) -> usize {
        let hosts = self.vhosts.values().map(VirtualHost::bytes);
        self.logs.bytes() + hosts.sum::<usize>()
    }

    /// Whether a virtual host exists for clients.
    pub fn has_vhost(&self, vhost: &str) -> bool {
        vhost != VHOST_INTERNAL && self.vhosts.contains_key(vhost)
    }

    /// Increases with every change. Results of lookups and routing are valid as long as the version
    /// is unchanged.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Appends the logs that a message with any of these keys is routed to to `targets`, which is
    /// left sorted and without duplicates. The default exchange (`""`) routes to the logs that the
    /// keys name.
    pub fn route(
        &self,
        vhost: &str,
        exchange: &str,
        keys: &[&str],
        headers: &dyn Headers,
        targets: &mut SmallVec<[LogId; 4]>,
    ) -> Result<(), CatalogueError> {
        let Route { now, delayed, .. } = self.route_delayed(vhost, exchange, keys, headers)?;
        if targets.is_empty() && delayed.is_empty() {
            *targets = now;
            return Ok(());
        }
        targets.extend(now.into_iter().chain(delayed));
        route::tidy(targets);
        Ok(())
    }

    /// Whether messages that are published to an exchange can reach a log: with the right key,
    /// through the default exchange any log; otherwise by bindings and alternate exchanges.
    pub fn leads_to(&self, exchange: &str, log: &LogDefinition) -> bool {
        let host = self.vhosts.get(&log.vhost);
        exchange == predeclared::DEFAULT
            || host.is_some_and(|host| route::leads_to(host, exchange, log.id))
    }

    /// The logs that a message with any of these keys is routed to, if it has a delay: separately
    /// those that it reaches only after it.
    pub fn route_delayed(
        &self,
        vhost: &str,
        exchange: &str,
        keys: &[&str],
        headers: &dyn Headers,
    ) -> Result<Route, CatalogueError> {
        let Some(host) = self.vhosts.get(vhost) else {
            return Err(CatalogueError::NoSuchVirtualHost(shortened(vhost)));
        };
        let mut route = Route::default();
        if exchange == predeclared::DEFAULT {
            route
                .now
                .extend(keys.iter().filter_map(|key| host.log(key)));
            route::tidy(&mut route.now);
            return Ok(route);
        }
        if host.exchange(exchange).is_none() {
            return Err(CatalogueError::NoSuchExchange(shortened(exchange)));
        }
        route::follow(host, exchange, keys, headers, &mut route);
        Ok(route)
    }

    /// Applies a change. Public because it is used to make replicas.
    pub fn apply(&mut self, record: &CatalogueRecord) {
        self.version += 1;
        match record {
            CatalogueRecord::LogDefined(definition) => self.define_log((**definition).clone()),
            CatalogueRecord::LogDeleted(log) => self.delete_log(*log),
            CatalogueRecord::ExchangeDeclared {
                vhost,
                name,
                exchange,
            } => self.on(vhost, |host| {
                host.add_exchange(name.clone(), (**exchange).clone());
            }),
            CatalogueRecord::ExchangeDeleted { vhost, name } => {
                self.on(vhost, |host| host.remove_exchange(name));
            }
            CatalogueRecord::Bound(bind) => {
                self.on(&bind.vhost, |host| {
                    host.bind(&bind.source, Binding::from(&**bind))
                });
            }
            CatalogueRecord::Unbound(bind) => self.on(&bind.vhost, |host| host.unbind(bind)),
        }
    }

    fn define_log(&mut self, definition: LogDefinition) {
        let (name, id) = (definition.name.clone(), definition.id);
        self.host_or_new(&definition.vhost).add_log(name, id);
        self.logs.insert(definition);
    }

    fn delete_log(&mut self, log: LogId) {
        if let Some(definition) = self.logs.remove(log) {
            self.on(&definition.vhost, |host| {
                host.remove_log(&definition.name, log)
            });
        }
    }

    /// The virtual host that a definition names. It exists even if it isn't loaded.
    fn host_or_new(&mut self, vhost: &Name) -> &mut VirtualHost {
        let host = self.vhosts.entry(vhost.clone());
        host.or_insert_with(VirtualHost::with_predeclared)
    }

    fn on(&mut self, vhost: &str, change: impl FnOnce(&mut VirtualHost)) {
        if let Some(host) = self.vhosts.get_mut(vhost) {
            change(host);
        }
    }

    fn bound_exchange(&self, vhost: &str, name: &str) -> Option<&BoundExchange> {
        self.vhosts.get(vhost)?.exchange(name)
    }
}

impl Default for Catalogue {
    /// The default virtual host with its predeclared exchanges. The broker's own comes with its
    /// first log.
    fn default() -> Self {
        Self {
            logs: LogTable::default(),
            vhosts: BTreeMap::from([(Name::vhost_default(), VirtualHost::with_predeclared())]),
            version: 0,
            unplaced: Vec::new(),
        }
    }
}

impl PartialEq for Catalogue {
    fn eq(&self, other: &Self) -> bool {
        self.logs == other.logs && self.vhosts == other.vhosts
    }
}

impl From<&Bind> for Binding {
    fn from(bind: &Bind) -> Self {
        Self {
            target: bind.target.clone(),
            key: bind.key.clone(),
            arguments: bind.arguments.clone(),
        }
    }
}

/// A text to show in an error, which may be too long for a name.
fn shortened(text: &str) -> Name {
    Name::new(text).unwrap_or_else(|_| Name::new("(too long)").expect("a short literal"))
}

#[cfg(test)]
mod tests;
