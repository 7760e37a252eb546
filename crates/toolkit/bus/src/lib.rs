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

mod caps;
mod clock;
mod delivery;
mod handout;
mod keyed_batch;
mod message;
mod store;
mod topology;
mod transport;

pub use caps::{Caps, FanOut, Ordering, Release};
pub use clock::{Clock, SystemClock};
pub use delivery::{Delivery, Origin, Settle};
pub use handout::{Handout, Hold};
pub use keyed_batch::KeyedBatch;
pub use message::{Destination, Headers, Incoming, Outgoing};
pub use store::{Begun, Claim, Extensions, KeyOrder, Store, StoreError, Work};
pub use topology::{Start, Subscription, Topology};
pub use transport::{Deliveries, Depth, Transport, TransportError};
