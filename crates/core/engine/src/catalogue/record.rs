//! What happens to the catalogue.

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Name};

use super::{Bind, Exchange, LogDefinition};

/// A change of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CatalogueRecord {
    /// A log is new, or defined anew.
    LogDefined(Box<LogDefinition>),
    /// A log and the bindings to it are gone, and with them each auto-delete exchange that had no
    /// others.
    LogDeleted(LogId),
    /// An exchange is new.
    ExchangeDeclared {
        /// Virtual host.
        vhost: Name,
        /// The exchange.
        name: Name,
        /// What it is.
        exchange: Box<Exchange>,
    },
    /// An exchange, its bindings and those to it are gone, and with them each auto-delete exchange
    /// that had no others.
    ExchangeDeleted {
        /// Virtual host.
        vhost: Name,
        /// The exchange.
        name: Name,
    },
    /// A binding is new.
    Bound(Box<Bind>),
    /// A binding is gone, and with it its exchange, if that is auto-delete and has no other.
    Unbound(Box<Bind>),
}
