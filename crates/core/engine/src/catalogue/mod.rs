//! Definitions: virtual hosts, logs by name, exchanges, bindings, and routing by them.
//!
//! Shard 0 decides on them; whoever routes holds a replica, made by applying the same records.

mod record;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Name, Timestamp};

pub use self::record::CatalogueRecord;
use crate::{
    Argument, Arguments, BindingTarget, Decision, Error, ExchangeKind, Facet, LogConfig, Settings,
    command::CatalogueCommand,
};

/// All definitions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Catalogue {}

/// A log's definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogDefinition {
    /// Its id.
    pub id: LogId,
    /// Its virtual host.
    pub vhost: Name,
    /// Its name.
    pub name: Name,
    /// What the engine knows of it.
    pub config: LogConfig,
    /// Each protocol that it was declared through, with that protocol's settings.
    pub facets: BTreeMap<Facet, Settings>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// An exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// How it routes.
    pub kind: ExchangeKind,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Clients can't publish to it.
    pub internal: bool,
    /// Its arguments.
    pub arguments: Arguments,
}

/// A binding of an exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// What to.
    pub target: BindingTarget,
    /// Binding key.
    pub key: Name,
    /// Arguments.
    pub arguments: Arguments,
}

/// The headers of a message, for the headers exchange. Asked only where such an exchange is on the
/// way, so that others never parse them.
pub trait Headers {
    /// The value of a header; `None` where the message hasn't it.
    fn header(&self, name: &str) -> Option<Argument>;
}

/// A message without headers.
#[derive(Clone, Copy, Debug)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn header(&self, _name: &str) -> Option<Argument> {
        None
    }
}

impl Catalogue {
    /// A log by name.
    pub fn log(&self, _vhost: &str, _name: &str) -> Option<&LogDefinition> {
        None
    }

    /// A log by id.
    pub fn log_by_id(&self, _log: LogId) -> Option<&LogDefinition> {
        None
    }

    /// The logs of a virtual host, by name, from the first name after `after`.
    pub fn logs<'a>(
        &'a self,
        _vhost: &'a str,
        _after: Option<&'a str>,
    ) -> impl Iterator<Item = &'a LogDefinition> {
        std::iter::empty()
    }

    /// All logs, by id.
    pub fn all_logs(&self) -> impl Iterator<Item = &LogDefinition> {
        std::iter::empty()
    }

    /// An exchange.
    pub fn exchange(&self, _vhost: &str, _name: &str) -> Option<&Exchange> {
        None
    }

    /// The exchanges of a virtual host.
    pub fn exchanges<'a>(
        &'a self,
        _vhost: &'a str,
    ) -> impl Iterator<Item = (&'a Name, &'a Exchange)> {
        std::iter::empty()
    }

    /// The bindings of an exchange.
    pub fn bindings<'a>(
        &'a self,
        _vhost: &'a str,
        _exchange: &'a str,
    ) -> impl Iterator<Item = &'a Binding> {
        std::iter::empty()
    }

    /// Whether a virtual host exists.
    pub fn has_vhost(&self, vhost: &str) -> bool {
        vhost == stele_base_types::VHOST_DEFAULT
    }

    /// The logs that a message goes to, each once, appended to `targets`. The default exchange
    /// (`""`) routes to the log that the key names.
    pub fn route(
        &self,
        _vhost: &str,
        _exchange: &str,
        _key: &str,
        _headers: &dyn Headers,
        _targets: &mut SmallVec<[LogId; 4]>,
    ) -> Result<(), Error> {
        Ok(())
    }

    pub(crate) fn decide(&self, _command: CatalogueCommand, _now: Timestamp) -> Decision {
        Decision::nothing()
    }

    /// Makes a change; public because replicas are made by it.
    pub fn apply(&mut self, _record: &CatalogueRecord) {}

    pub(crate) fn recovered(&mut self) {}
}
