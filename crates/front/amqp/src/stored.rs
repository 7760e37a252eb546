//! Messages ⇄ records: how an AMQP message lies in a log, and how a record that came by another
//! protocol looks to an AMQP consumer. The table is in `docs/protocols/mapping.md`.
//!
//! ```text
//!  header `stele.amqp`, the last one:
//!  version u8 = 1 │ exchange short-string │ routing key short-string │ flags u16 │ property list
//! ```
//!
//! That header makes the way back lossless. Those before it repeat what other protocols can read.

mod arriving;
mod publishing;

pub(crate) use arriving::{Arrival, arrival, expires_at};
pub(crate) use publishing::Message;

/// The header that holds exchange, routing key and properties as they came.
const HEADER: &str = "stele.amqp";

/// The header that holds a record's key, both ways.
pub(crate) const KEY_HEADER: &str = "stele.key";

/// Headers that start so are Stele's own: not shown to clients, not taken from them,
/// but for [`KEY_HEADER`].
const RESERVED_PREFIX: &str = "stele.";

/// The form of [`HEADER`].
const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
