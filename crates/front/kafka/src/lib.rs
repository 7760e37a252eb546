//! The Kafka front, for unmodified Kafka clients.
//!
//! ```text
//!  socket ⇄ connection ──frame──► session ──► operations/kNN_....rs ──► broker
//!             (driver)  ◄─chunks─           one file for each API
//! ```
//!
//! - [`serve`] accepts connections; each has a task with a [`Session`] and bounded buffers.
//! - A [`Session`] turns one request into one [`Answer`], without socket I/O.
//! - Each file in `operations` is one API; ApiVersions returns their table.
//! - `refusal` decides which responses count as errors.
//! - Only `errors` translates refusals of the engine to Kafka error codes.
//!
//! A topic is a log of the virtual host `/` whose name is a valid topic name. Logs that are
//! exclusive or auto-delete queues aren't listed. There is one broker, [`NODE_ID`], which leads
//! every partition in epoch 0 and coordinates every group.
//!
//! Invariants
//! - The requests of a connection are answered in order. Produce requests overlap: each is sent to
//!   its shard before the next is processed; any other request waits for the earlier ones.
//! - Invalid input closes the connection, with one log line, before it uses memory beyond one frame
//!   of the allowed size.

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
