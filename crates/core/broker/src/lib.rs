//! Shards: the engine with its storage, running; and [`Broker`], the handle that fronts hold.
//!
//! ```text
//!  front task ──Request──► shard thread ──Block──► journal thread ──► disk
//!      ▲                     │  ▲                       │
//!      └──reply, Event───────┘  └──────written, synced──┘
//! ```
//!
//! A [`Broker`] is cheap to clone. Two ways lead through it:
//! - calls ([`Broker::append`], [`Broker::lease`], ...) wait for their reply: for requests that a
//!   client waits for anyway (Kafka, SQS, AMQP's synchronous methods);
//! - a [`Session`] sends without waiting and gets [`Event`]s in batches: for AMQP's publishes,
//!   acknowledgements and deliveries.
//!
//! Invariants
//! - A reply or a confirm leaves only when the change is durable in its log's class.
//! - What routes ([`Broker::catalogue`]) is a replica of shard 0's catalogue: it holds a
//!   definition before the one who declared it hears of it.
//! - Every queue has a bound: the inbox of a shard by count and, for what is appended, by the
//!   [`Memory`] that it takes; a session's events by the credit and the publishes that the session
//!   has given out.

mod appending;
mod call;
mod error;
mod handle;
mod leased;
mod limits;
mod log_status;
mod mailbox;
mod memory;
mod meter;
mod moved;
mod opening;
mod publish;
mod read;
mod reply_to;
mod request;
mod resolve;
mod runtime;
mod session;
mod set_aside;
mod shard;

pub use appending::Appending;
pub use call::Call;
pub use error::{Error, Failure};
pub use handle::{Broker, CatalogueGuard};
pub use leased::{LeasedBatch, LeasedMessage, LeasedMessages};
pub use log_status::{LogStatus, PartitionStatus};
pub use mailbox::{Event, Events, Mailbox};
pub use memory::{Kind, Memory, Share, Use, charged};
pub use meter::{
    DURATION_BUCKETS_US, Durations, FrontCounts, FrontMeter, OpenConnection, ShardCounts,
};
pub use moved::MoveMessage;
pub use publish::Publish;
pub use read::{Found, LEADER_EPOCH, Read, ReadError, ReadReply, TimeReply, Watch};
pub use reply_to::{Pending, ReplyTo};
pub use request::{AnswerTo, Request};
pub use resolve::{Action, ResolveError, Resolved};
pub use runtime::{Running, Settings, StartError};
pub use session::Session;
pub use shard::{
    Awaited, IntactShard, LinkInbox, LinkNews, News, Opened, Replayed, Shard, ShardStatus, WORDS,
};
