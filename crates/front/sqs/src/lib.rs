//! The SQS front: Amazon SQS over HTTP, in AWS JSON 1.0 and the query protocol.
//!
//! ```text
//!  socket ─ driver ─ session ──▶ signature ──▶ wire ──▶ operations ──▶ Broker
//!           bounds   one request   who asks    values    one file per action
//! ```
//!
//! A queue is a log with its default ledger; a message is a record; an in-flight message is a lease
//! whose deadline is its visibility timeout. [`stored`] converts between messages and records.
//!
//! Invariants
//! - A restart loses nothing important: a queue's attributes and tags are settings of its log, and
//!   a receipt handle contains everything that is needed to settle it.
//! - Whatever a client sends, it gets an SQS error or its connection is closed. The memory that an
//!   unauthenticated client can use is bounded by [`limits`].

mod attributes;
mod dead_letters;
mod driver;
mod errors;
mod front;
mod handled_batch;
mod limits;
mod message_id;
mod metered;
mod move_tasks;
mod operations;
mod outgoing;
mod purges;
mod queue;
mod receipt;
mod redrive;
mod session;
mod settings;
mod signature;
mod stored;

pub use dead_letters::{DeadLettersLeadTo, PriorityOf, RedrivePolicies};
pub use driver::serve;
pub use move_tasks::{MoveTasks, run_move_tasks};
pub use settings::{Credential, Settings};
