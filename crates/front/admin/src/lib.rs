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
//! - Nothing here changes what is stored: every operation is a GET, but for one that closes a
//!   connection; and no request body is read.
//! - No answer grows with the number of logs without bound: lists are paged, metrics are totals.

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
