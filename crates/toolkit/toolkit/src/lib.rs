//! The toolkit for event-driven services, under one name.
//!
//! ```text
//!  Message ─── published through ──► Transport: Kafka, AMQP 0-9-1, Amazon SQS, memory
//!                                        │
//!  Service: handlers and their Policy ◄──┘        Db: inbox, outbox, retries, dead letters
//!     ├── saga: a transaction over several services, with compensation
//!     └── es: event sourcing, projections, command and query buses
//! ```
//!
//! A program depends on this crate alone, with the features that it needs; what it doesn't need
//! isn't built.
//!
//! | feature | brings |
//! |---|---|
//! | `kafka`, `amqp`, `sqs`, `memory` | a transport, for [`transport::connect`] |
//! | `sqlite`, `postgres` | a database, for `database::open` |
//! | `saga` | sagas: `saga` |
//! | `es` | event sourcing and CQRS: `es` |
//! | `otel` | traces and metrics for OpenTelemetry: `otel` |
//! | `cli` | the operator's command line, to be mounted in a program: `cli` |
//! | `schema` | JSON schemas of message types, and the check of new versions |
//! | `test`, `test-sqlite` | the test harness: `test`, in `[dev-dependencies]` |
//!
//! `docs/getting-started-toolkit.md` leads from nothing to a service.

#[cfg(feature = "sql")]
pub mod database;
pub mod prelude;
pub mod transport;

pub use async_trait::async_trait;
/// Names of the bus that services seldom need: what transports and stores are made of.
pub use stele_toolkit_bus as bus;
pub use stele_toolkit_bus::{
    Alert, AskError, Attempt, Backoff, Batch, Breaker, Caps, Client, ClientName, Clock,
    Concurrency, DeadLetter, DeadLetters, DeadNotice, Destination, Edit, Event, Failure,
    FailureClass, Filter, FromMessage, Headers, Incoming, Jitter, LogAlert, Meta, Metrics, NoStore,
    Outbox, Outgoing, Policy, QueueLetters, Raw, Running, Sequences, Service, Start, StartError,
    State, StopError, Store, Subscription, SystemClock, Topology, Transport, TransportError,
    WebhookAlert, dead_queue, retry_queue,
};
#[cfg(feature = "cli")]
pub use stele_toolkit_cli as cli;
// The derive finds these here, under these names.
/// Everything about envelopes: CloudEvents, trace context, schemas.
pub use stele_toolkit_envelope as envelope;
pub use stele_toolkit_envelope::{
    Context, DecodeError, EncodeError, Envelope, Ids, Key, Metadata, OpenError, RawJson, SeededIds,
    SystemIds, Timestamp, Upcast, UpcastError, Version, without_derive::Message,
};
#[cfg(feature = "es")]
pub use stele_toolkit_es as es;
/// Derives [`trait@Message`], whose documentation describes the attributes.
pub use stele_toolkit_macros::FacadeMessage as Message;
#[cfg(feature = "otel")]
pub use stele_toolkit_otel as otel;
#[cfg(feature = "saga")]
pub use stele_toolkit_saga as saga;
#[cfg(feature = "sql")]
pub use stele_toolkit_sql::{self as sql, Db, Migration, Tx, sqlx};
#[cfg(feature = "test")]
pub use stele_toolkit_test as test;

/// The pages whose code uses the facade.
#[cfg(all(doctest, feature = "test-sqlite", feature = "saga"))]
mod pages {
    #[doc = include_str!("../../../../docs/getting-started-toolkit.md")]
    struct GettingStarted;
}
