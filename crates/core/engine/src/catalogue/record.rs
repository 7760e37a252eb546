//! The changes of the catalogue.

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Name};

use super::{Bind, Exchange, LogDefinition};

/// A change of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CatalogueRecord {
    /// A log was created, or its definition changed.
    LogDefined(Box<LogDefinition>),
    /// A log and the bindings to it were removed, together with each auto-delete exchange that had
    /// no other bindings.
    LogDeleted(LogId),
    /// An exchange was created.
    ExchangeDeclared {
        /// The virtual host.
        vhost: Name,
        /// The exchange.
        name: Name,
        /// Its attributes.
        exchange: Box<Exchange>,
    },
    /// An exchange, its bindings and those to it were removed, together with each auto-delete
    /// exchange that had no other bindings.
    ExchangeDeleted {
        /// The virtual host.
        vhost: Name,
        /// The exchange.
        name: Name,
    },
    /// A binding was added.
    Bound(Box<Bind>),
    /// A binding was removed, and its exchange too if that is auto-delete and has no other binding.
    Unbound(Box<Bind>),
}
