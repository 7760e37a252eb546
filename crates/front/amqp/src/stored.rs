//! Messages ⇄ records: how an AMQP message is stored in a log, and how a record of another protocol
//! looks to an AMQP consumer. The table is in `docs/protocols/mapping.md`.
//!
//! ```text
//!  header `stele.amqp`, the last one:
//!  version u8 = 1 │ exchange short-string │ routing key short-string │ flags u16 │ property list
//! ```
//!
//! That header makes the conversion lossless. The headers before it repeat its data in a form that
//! other protocols can read, except `stele.bcc`: what the client gave as `BCC`, a key in each.

mod arriving;
mod deaths;
mod publishing;

pub(crate) use arriving::{Arrival, arrival, blind_keys, expires_at};
pub(crate) use deaths::{show, told_by_client};
pub(crate) use publishing::Message;

/// The header with exchange, routing key and properties in encoded form.
const HEADER: &str = "stele.amqp";

/// A header for each routing key that consumers aren't told.
const BLIND_HEADER: &str = "stele.bcc";

/// The header with a record's key, in both directions.
pub(crate) const KEY_HEADER: &str = "stele.key";

/// The header of a dead letter that was delayed by an exchange on its way.
pub(crate) const DELAYED_HEADER: &str = "stele.delayed";

/// The prefix of Stele's own headers, which are neither shown to clients nor accepted from them,
/// except [`KEY_HEADER`].
const RESERVED_PREFIX: &str = "stele.";

/// The format version of [`HEADER`].
const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
