//! A service's database, with what the toolkit keeps in it beside the service's own tables.
//!
//! [`Db`] is SQLite or PostgreSQL, with one API: statements in portable SQL (parameters `$1`, ids
//! and JSON as text, times as microseconds in integers) through [`sqlx`]'s `Any` driver. A [`Tx`]
//! is one transaction. What handling a message changes is committed in one of them: the message's
//! id, the service's own rows, and the messages to send.
//!
//! ```text
//! delivery ─► Store::begin ─► inbox row ─► handler, with the Tx ─► outbox rows ─► commit ─► ack
//!                                                                       │
//!                                 transport ◄── Relay, under a lease ◄──┘  deleted once confirmed
//! ```
//!
//! Invariants:
//! - A message's inbox row, or the end of its parked row, is committed with what its handler wrote.
//! - A row of the outbox is deleted only after the broker has confirmed it, by the relay that still
//!   has its lane.
//! - What a message held is kept byte for byte until it is handled or forgotten.

#[cfg(doctest)]
#[doc = include_str!("../../../../docs/toolkit/sql.md")]
mod page {}

#[cfg(doctest)]
#[doc = include_str!("../../../../docs/patterns/idempotency.md")]
mod idempotency {}

#[cfg(doctest)]
#[doc = include_str!("../../../../docs/patterns/outbox.md")]
mod outbox_pattern {}

mod activity;
mod db;
mod dead;
mod dialect;
mod error;
mod failpoint;
mod inbox;
mod lease;
mod metrics;
mod migrate;
mod options;
mod outbox;
mod parked;
mod refused;
mod relay;
mod schema;
mod store;
mod stored;
mod timers;
mod tx;

pub use activity::Activity;
pub use db::Db;
pub use dead::SqlLetters;
pub use dialect::Dialect;
pub use error::Error;
pub use failpoint::{Failpoint, Point};
pub use lease::Lease;
pub use metrics::{OutboxMetrics, TimerMetrics};
pub use migrate::Migration;
pub use options::Options;
pub use outbox::OutboxStatus;
pub use refused::RefusedMessage;
pub use relay::{Followers, Relay, RelayOptions};
pub use sqlx;
pub use timers::Timer;
pub use tx::Tx;
