//! Accepting connections, as every front does it.
//!
//! ```text
//!  listener ──► serve ──► Accepted ──► the front's future, one task a connection
//!                 │        stream, principal, stop
//!  stop ──────────┴─► nothing new; returns once the connections have ended
//! ```
//!
//! A front says how many connections it takes and what it does with one; all that comes before a
//! connection's first byte is here. What is to hold for the connections of every front (TLS, a
//! limit for each address) belongs between `accept` and [`Accepted`].
//!
//! What two of them ask of HTTP requests, [`Hosts`], is here as well, what the log is told of
//! clients that aren't let in, and the list of connections that one of them shows and another
//! fills, [`Registry`].
//!
//! This isn't a front: it is the one crate of its layer that the others may use.

mod foreign;
mod impatient;
mod listening;
mod reading;
mod receiving;
mod registry;
mod sending;
mod serve;
mod sockets;
mod stop;
mod told;

pub use foreign::{Effect, Foreign, Hosts};
pub use impatient::{FirstOctets, Impatient, WRITE_STALL};
pub use listening::Listening;
pub use reading::read;
pub use receiving::{Progress, Receiving};
pub use registry::{ConnectionInfo, Registered, Registry};
pub use sending::{COPIED_SLICE_BYTES_MAX, SLICES_COPIED_AFTER, Sending};
pub use serve::{Accepted, Limits, serve};
pub use sockets::Sockets;
pub use stop::Stop;
pub use told::{log_failed_login, log_http_end};
