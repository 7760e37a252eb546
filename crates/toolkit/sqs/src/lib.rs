//! The transport over Amazon SQS.
//!
//! | | in SQS |
//! |---|---|
//! | queue | a queue; `.` in its name becomes `-`, and FIFO queues end in `.fifo` |
//! | a service's copies | the queue of the service's name |
//! | topic | a copy for the queue of each subscriber, as far as this process knows them |
//!
//! SQS has no topics. The transport knows the subscribers of one from [`Settings::routes`], and
//! from what is declared by it. A topic that it knows nothing of doesn't exist.
//!
//! ```text
//!  Deliveries ◄── handout ◄── a poller for each queue ── ReceiveMessage
//!      │                └─── leases: extended at half time while a message is unsettled
//!      ├── ack ──► deletes ── DeleteMessageBatch
//!      ├── release ── ChangeMessageVisibility
//!      └── keep ──► kept, and then the handout again
//! ```
//!
//! FIFO queues, the default, keep the order of each key and drop what is sent again with the same
//! message id within five minutes.

mod attributes;
mod client;
mod deletes;
mod errors;
mod fields;
mod kept;
mod leases;
mod names;
mod poller;
mod publisher;
mod queues;
mod settings;
mod subscription;
mod transport;

pub use settings::{Order, Settings};
pub use transport::Sqs;
