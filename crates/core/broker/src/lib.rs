//! The shards, which run the engine on top of the storage, and [`Broker`], the handle that the
//! fronts use.
//!
//! ```text
//!  front task ──Request──► shard thread ──Block──► journal thread ──► disk
//!      ▲                     │  ▲                       │
//!      └──reply, Event───────┘  └──────written, synced──┘
//! ```
//!
//! A [`Broker`] is cheap to clone. There are two ways to use it:
//! - calls ([`Broker::append`], [`Broker::lease`], ...) wait for the reply; they serve requests
//!   that the client waits for anyway (Kafka, SQS, AMQP's synchronous methods);
//! - a [`Session`] sends without waiting and receives [`Event`]s in batches; it serves AMQP's
//!   publishes, acknowledgements and deliveries.
//!
//! Invariants
//! - A reply or a confirm is sent only after the change is durable to the degree that its log
//!   requires.
//! - Routing uses a replica of shard 0's catalogue ([`Broker::catalogue`]). A definition is in the
//!   replica before its declaration is answered.
//! - Every queue is bounded: a shard's inbox by the number of requests and, for appends, by the
//!   [`Memory`] they take; a session's events by the credit it has granted and the publishes it has
//!   sent.

mod appending;
mod call;
mod contents;
mod dead_letters;
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
mod peek;
mod publish;
mod read;
mod reader;
mod reply_to;
mod request;
mod resolve;
mod runtime;
mod scheduled;
mod session;
mod set_aside;
mod shard;
mod transaction;
mod turns;

pub use appending::Appending;
pub use call::Call;
pub use dead_letters::{
    DEATHS_HEADER, DeadBatch, DeadLetter, DeadLetterRoutes, DeadLetters, DeadOf, Death, Deaths,
    Died, LeavingLetters, Letter, LetterFate, LetterRooms, LetterStep, name_of,
};
pub use error::{Error, Failure};
pub use handle::{Broker, CatalogueGuard};
pub use leased::{LeasedBatch, LeasedMessage, LeasedMessages};
pub use log_status::{LogStatus, PartitionStatus};
pub use mailbox::{Event, Events, Mailbox};
pub use memory::{Kind, Memory, Share, Use, charged};
pub use meter::{
    DURATION_BUCKETS_US, Durations, FrontCounts, FrontMeter, OpenConnection, ShardCounts,
};
pub use moved::{MoveMessages, MovedMessage, ORIGIN_HEADER, origin_of};
pub use peek::{PeekedMessage, PeekedMessages};
pub use publish::Publish;
pub use read::{Found, LEADER_EPOCH, Read, ReadError, ReadReply, TimeReply, Watch};
pub use reader::Reader;
pub use reply_to::{Pending, ReplyTo};
pub use request::{AnswerTo, Request};
pub use resolve::{Action, ResolveError, Resolved};
pub use runtime::{Running, Settings, StartError};
pub use scheduled::{
    HELD_MS_MAX, SCHEDULED_HEADER, SCHEDULED_MS_MAX, Scheduled, next_stay, scheduled_log,
};
pub use session::Session;
pub use shard::{
    Awaited, Awaits, DeadSignals, IntactShard, LinkInbox, LinkNews, News, Opened, Replayed, Shard,
    ShardStatus, WORDS,
};
pub use transaction::{CommitRequest, Sent, Transaction};
