//! How a service takes and sends messages.
//!
//! A [`Transport`] carries messages over one messaging system: Kafka, AMQP 0-9-1, Amazon SQS or, in
//! tests, memory. A [`Store`] keeps what a service knows of the messages that it has handled, in
//! the same transaction as the service's own data.
//!
//! ```text
//!            Transport                       Store
//!   subscribe │    ▲ publish          begin │    ▲ commit
//!             ▼    │                        ▼    │
//!          Delivery ──► handler ──► Work: own data, messages to send, "handled"
//!             │                                  │
//!             └──────────── ack ◄────────────────┘
//! ```
//!
//! Invariant: a delivery is acknowledged strictly after the work of its handler is committed. A
//! crash in between has the message delivered again, and the store tells that it was handled.

mod alert;
mod breaker;
mod caps;
mod client;
mod clock;
mod clocked_ids;
mod companion;
mod dead;
mod delivery;
mod extensions;
mod extract;
mod failure;
mod handler;
mod handout;
mod keyed_batch;
#[cfg(feature = "memory")]
pub mod memory;
mod message;
mod metrics;
mod no_store;
mod observer;
mod outbox;
mod policy;
mod registry;
mod runner;
mod sequence;
mod service;
mod spans;
mod store;
mod topology;
mod transport;

pub use alert::{Alert, DeadNotice, LogAlert, Notice, WebhookAlert, WebhookError};
pub use breaker::{Breaker, BreakerState, Pass, Turn, TurnEnd};
pub use caps::{Caps, FanOut, Ordering, Release};
pub use client::{AskError, Client, ClientName};
pub use clock::{Clock, SystemClock};
pub use clocked_ids::ClockedIds;
pub use companion::{Companion, Place};
pub use dead::{
    DeadLetter, DeadLetters, Edit, Filter, LettersError, QueueLetters, dead_queue, retry_queue,
};
pub use delivery::{Delivery, Origin, Settle};
pub use extensions::{Extensions, Lent, Slot};
pub use extract::{
    Attempt, Batch, Call, Event, FromMessage, Meta, Raw, Reads, Received, Refusal, State, Trigger,
};
pub use failure::{Cause, Failure, FailureClass, Story};
pub use handler::{Handler, HandlerFuture, Outcome};
pub use handout::{Handout, Hold};
pub use keyed_batch::KeyedBatch;
pub use message::{Destination, Headers, Incoming, Outgoing};
pub use metrics::Metrics;
pub use no_store::NoStore;
pub use observer::{Fate, Observation, Observer};
pub use outbox::{Outbox, OutboxError};
pub use policy::{Backoff, Concurrency, Jitter, Policy, Verdict};
pub use sequence::{Arrival, Sequences};
pub use service::{Running, Service, StartError, StopError, asked_to_end};
pub use spans::Spans;
pub use store::{
    Backlog, Begun, Burial, Claim, Due, DueQuery, KeyOrder, Parked, Parking, Store, StoreError,
    Unclaimed, Work,
};
pub use topology::{Start, Subscription, Topology};
pub use transport::{Deliveries, Depth, Transport, TransportError};

/// The pages about handlers and patterns, whose code runs as tests.
#[cfg(all(doctest, feature = "memory"))]
mod pages {
    #[doc = include_str!("../../../../docs/toolkit/handlers.md")]
    struct Handlers;
    #[doc = include_str!("../../../../docs/patterns/retry-and-dead-letters.md")]
    struct RetryAndDeadLetters;
    #[doc = include_str!("../../../../docs/patterns/circuit-breaker.md")]
    struct CircuitBreaker;
    #[doc = include_str!("../../../../docs/patterns/request-reply.md")]
    struct RequestReply;
    #[doc = include_str!("../../../../docs/patterns/pub-sub.md")]
    struct PubSub;
    #[doc = include_str!("../../../../docs/patterns/point-to-point.md")]
    struct PointToPoint;
    #[doc = include_str!("../../../../docs/patterns/scheduled-messages.md")]
    struct ScheduledMessages;
    #[doc = include_str!("../../../../docs/patterns/sequence-numbers.md")]
    struct SequenceNumbers;
    #[doc = include_str!("../../../../docs/patterns/order-by-key.md")]
    struct OrderByKey;
}
