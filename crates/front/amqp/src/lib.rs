//! The AMQP 0-9-1 front: what RabbitMQ's clients connect to.
//!
//! ```text
//!  server ─ accepts ─▶ driver ─▶ handshake, negotiation
//!                        │ frames, octets
//!                        ▼
//!                    connection ─▶ session (state) ─▶ operations (one file a method)
//!                        │                               │
//!                        └────────── broker ◀────────────┘
//! ```
//!
//! Invariants:
//! - A message is confirmed when it is durable in every queue that it went to, and not before.
//! - Nothing is kept here that a restart would miss: queues, exchanges, bindings and messages are
//!   the broker's; leases return when their connection ends.
//! - A client that doesn't read, or sends nonsense, costs itself.
//!
//! The support matrix is `docs/protocols/amqp.md`; how messages look to other protocols,
//! `docs/protocols/mapping.md`.

mod arguments;
mod carbon_copies;
mod connection;
mod driver;
mod errors;
mod handshake;
mod heartbeat;
mod limits;
mod lookup;
mod negotiation;
mod octets;
mod operations;
mod outbox;
mod periods;
mod queue_arguments;
mod reply_to;
mod routing;
mod server;
mod session;
mod settings;
mod stored;

pub use server::serve;
pub use settings::{RandomNames, Settings};
