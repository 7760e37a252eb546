//! Health, metrics and the admin API, over HTTP/1.1.
//!
//! ```text
//!  connection ──► driver ──► router ──► operations/… ──► State ──► Broker
//! ```
//!
//! It is the first port to open and the last to close: while the broker recovers, `/livez` says
//! that the process turns and `/readyz` how far it is; while it drains, `/readyz` says so first.
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
