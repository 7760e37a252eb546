//! Accepts connections, for all fronts.
//!
//! ```text
//!  listener ──► serve ──► Accepted ──► the front's future, one task a connection
//!                 │        stream, principal, stop
//!  stop ──────────┴─► nothing new; returns once the connections have ended
//! ```
//!
//! A front configures how many connections it accepts and handles each of them; everything before a
//! connection's first byte is here. Features for the connections of every front (TLS, a limit for
//! each address) belong between `accept` and [`Accepted`].
//!
//! Also contains code that several fronts share: the checks of HTTP requests ([`Hosts`]), log
//! messages about rejected clients, the list of connections that one front shows and another fills
//! ([`Registry`]), and whose messages are traced ([`Traced`]).
//!
//! This crate isn't a front: it is the only crate of its layer that the others may use.

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
mod traced;

pub use foreign::{Effect, Foreign, Hosts};
pub use impatient::{FirstOctets, Impatient, WRITE_STALL};
pub use listening::Listening;
pub use reading::read;
pub use receiving::{Progress, Receiving, STILL_WHEN_SHORT};
pub use registry::{ConnectionInfo, ConsumerInfo, Consumers, Registered, Registry};
pub use sending::{COPIED_SLICE_BYTES_MAX, SLICES_COPIED_AFTER, Sending};
pub use serve::{Accepted, Limits, serve};
pub use sockets::Sockets;
pub use stop::Stop;
pub use told::{log_failed_login, log_http_end};
pub use traced::Traced;
