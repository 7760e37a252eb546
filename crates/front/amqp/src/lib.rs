//! The AMQP 0-9-1 front, for RabbitMQ's client libraries.
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
//! - A message is confirmed only when it is durable in every queue it was routed to.
//! - Nothing here must survive a restart: queues, exchanges, bindings and messages are in the
//!   broker; leases return when their connection ends.
//! - A client that doesn't read or sends invalid data harms only itself.
//!
//! `docs/protocols/amqp.md` has the support matrix, `docs/protocols/mapping.md` describes how other
//! protocols see messages.

mod arguments;
mod carbon_copies;
mod connection;
mod dead_letters;
mod delay;
mod driver;
mod errors;
mod exchange_arguments;
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
mod streams;
mod traced;

pub use dead_letters::{DeadLetterExchanges, dead_letters_lead_to, priority_of};
pub use server::serve;
pub use settings::{RandomNames, Settings};
