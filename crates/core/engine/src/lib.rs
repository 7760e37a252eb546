//! The brain of a shard: decides what happens to logs, ledgers, groups, exchanges and bindings.
//!
//! It sits between the fronts, which speak protocols, and the storage, which keeps bytes, and
//! knows of neither. It does no I/O, reads no clock, draws no random number and holds no body:
//! it decides on offsets, sizes, instants and the few fields that scheduling needs.
//!
//! ```text
//!   command, now ──► decide(&State) ──► Decision { records, reply, effects, durability }
//!                                            │
//!                    apply(&mut State) ◄─────┘  the only mutation; recovery is apply, again
//! ```
//!
//! Invariants
//! - [`decide()`](State::decide) never changes the state; [`apply()`](State::apply) never decides.
//! - A record that [`Record::is_journalled`] survives a crash; the others speak of connections,
//!   which don't.
//! - A reply leaves when the records of its decision are durable to the degree that the decision
//!   asks; effects (deliveries) concern durable data alone and leave at once.

mod catalogue;
mod command;
mod config;
mod decision;
mod error;
mod group;
pub mod limits;
mod link;
mod log;
mod record;
mod reply;
mod state;
mod stored;

pub use catalogue::{Adopt, Binding, Catalogue, Exchange, Headers, LogDefinition, NoHeaders};
pub use command::{
    Append, AppendTarget, Bind, CatalogueCommand, Close, Command, CommitOffset, ConsumerRef,
    DeclareExchange, DeclareLog, Extend, GroupCommand, Join, LeaseRequest, LogCommand, Outcome,
    ProducerStamp, Schedule, Settle, SettleItem, Subscribe, SyncGroup, Token,
};
pub use config::{
    Argument, Arguments, BindingTarget, Durability, ExchangeKind, Facet, Lifetime, LogConfig,
    QueueConfig, Retention, Settings, Window,
};
pub use decision::{Decision, Effect};
pub use error::{Contradiction, Error};
pub use group::{GroupJoining, GroupMemberProfile, GroupSettlement, GroupState, Groups};
pub use link::{LinkCommand, LinkNumber, LinkRecord, Links};
pub use log::{LeaseId, Ledger, LedgerId, LedgerRecord, Log, Logs, Partition, Run};
pub use record::{CatalogueRecord, GroupRecord, LogRecord, Record};
pub use reply::{
    Appended, Declared, Delivery, GroupDescription, GroupListing, JoinedGroup, JoinedMember,
    LeasedRecord, LeasedRun, MemberDescription, OffsetEntry, Reply,
};
pub use state::State;
pub use stored::StoredError;
