//! A service's database, with what the toolkit keeps in it beside the service's own tables.
//!
//! [`Db`] is SQLite or PostgreSQL, with one API: statements in portable SQL (parameters `$1`, ids
//! and JSON as text, times as microseconds in integers) through [`sqlx`]'s `Any` driver. A [`Tx`]
//! is one transaction. What handling a message changes is committed in one of them: the message's
//! id, the service's own rows, and the messages to send.

mod db;
mod dialect;
mod error;
mod failpoint;
mod migrate;
mod options;
mod schema;
mod tx;

pub use db::Db;
pub use dialect::Dialect;
pub use error::Error;
pub use failpoint::{Failpoint, Point};
pub use migrate::Migration;
pub use options::Options;
pub use sqlx;
pub use tx::Tx;
