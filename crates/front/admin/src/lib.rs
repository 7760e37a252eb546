//! Health, metrics and the admin API, over HTTP/1.1.
//!
//! ```text
//!  connection ──► driver ──► router ──► operations/… ──► State ──► Broker
//! ```
//!
//! This port opens first and closes last. During recovery, `/livez` reports that the process is
//! alive, and `/readyz` that it is recovering. While the broker drains, `/readyz` reports it.
//!
//! Invariants
//! - Only two operations change anything: they close a connection, and end a role of a log. All
//!   others are GETs. No request body is read.
//! - No response grows with the number of logs without limit: lists are paged, metrics are totals.

mod body;
mod consumers;
mod driver;
mod errors;
mod limits;
mod login;
mod operations;
mod process;
mod router;
mod settings;
mod state;

pub use driver::serve;
pub use settings::Settings;
pub use state::{Listener, Phase, State};
