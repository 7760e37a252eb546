//! The Kafka front: Kafka's clients, unmodified.
//!
//! ```text
//!  socket ⇄ connection ──frame──► session ──► operations/kNN_....rs ──► broker
//!             (driver)  ◄─chunks─           one file for each API
//! ```
//!
//! - [`serve`] accepts connections; each is a task with a [`Session`] and bounded buffers.
//! - A [`Session`] turns one request into one [`Answer`]. It does no socket I/O.
//! - Each file in `operations` is one API; their table is what ApiVersions answers.
//! - `refusal` says which responses are counted as errors.
//! - `errors` is the only place where a refusal of the engine becomes a Kafka error code.
//!
//! A topic is a log of virtual host `/` whose name Kafka's grammar allows. Logs that are exclusive
//! or auto-delete queues aren't listed. There is one broker, [`NODE_ID`], which leads every
//! partition in epoch 0 and coordinates every group.
//!
//! Invariants
//! - Requests of a connection are answered in the order they came. Produce requests overlap, as
//!   each is sent to its shard before the next is looked at; any other request waits for those
//!   before it.
//! - What isn't a request closes the connection, with one line in the log, before it costs memory
//!   beyond one frame of the allowed size.

mod assignment;
mod authorized;
mod broker_configs;
mod connection;
mod driver;
mod errors;
mod fetch_session;
mod groups;
mod limits;
mod operations;
mod outbox;
mod refusal;
mod resources;
mod session;
mod settings;
mod topic_configs;
mod topics;
mod unserved_configs;

pub use driver::serve;
pub use session::{Answer, Session, SessionError};
pub use settings::{Endpoint, RandomIds, Settings};
pub use topics::NODE_ID;

#[cfg(test)]
mod tests;
