//! The logic of a shard: decides what happens to logs, ledgers, groups, exchanges and bindings.
//!
//! It sits between the fronts, which speak protocols, and the storage, which keeps bytes, and
//! depends on neither. It does no I/O, reads no clock, draws no random numbers and holds no message
//! bodies: it decides based on offsets, sizes, times and the few fields that scheduling needs.
//!
//! ```text
//!   Command, now ──► decide(&State) ──► Decision { records, reply, effects, durability }
//!                                            │
//!                    apply(&mut State) ◄─────┘  the only mutation; recovery is apply, again
//! ```
//!
//! Invariants
//! - [`decide()`](Command::decide) never changes the state; [`apply()`](State::apply) never
//!   decides.
//! - Each command has its own reply type, and the error type of its domain, so that impossible
//!   answers can't be expressed.
//! - Records that are journalled ([`Record::is_journalled`]) survive a crash; the others are about
//!   connections, which don't.
//! - A reply is sent when the records of its decision are as durable as the decision requires.
//!   Effects (deliveries) only concern data that is already durable, and are carried out at once.

mod bounds;
mod catalogue;
mod command;
mod config;
mod decision;
mod group;
pub mod limits;
mod link;
mod log;
mod producer_ids;
mod record;
mod state;
mod stored;

pub use bounds::StateBytes;
pub use catalogue::{
    ALTERNATE_EXCHANGE, Adopt, AlterLog, Altered, Bind, Binding, Catalogue, CatalogueError,
    Contradiction, DeclareExchange, DeclareLog, Declared, DeleteExchange, Exchange, HASH_HEADER,
    HASH_PROPERTY, Headers, LogDefinition, NoHeaders, Route, Unbind, own_expiry_ms,
};
pub use command::{Adds, Command, Token};
pub use config::{
    Argument, Arguments, BindingTarget, DELAYED_TYPE, Durability, ExchangeKind, Facet,
    LedgerConfig, Lifetime, LogConfig, Overflow, Retention, Role, Settings, SettingsChange, Window,
    alter_settings,
};
pub use decision::{Decision, Effect};
pub use group::{
    CommitOffset, CommitOffsets, DeleteGroup, DeleteOffsets, DescribeGroup, FetchOffsets,
    ForgetLog, GroupAssignments, GroupBytes, GroupCommand, GroupDescription, GroupError,
    GroupGathering, GroupJoining, GroupListing, GroupMemberProfile, GroupState, Groups, Heartbeat,
    HeartbeatReply, JoinGroup, JoinReply, JoinedGroup, JoinedMember, LeaveGroup, ListGroups,
    MemberDescription, OffsetEntry, SyncGroup, SyncedGroup,
};
pub use link::{LinkCommand, LinkNumber, LinkRecord, Links, Topology, shard_of};
pub use log::{
    Admit, Append, AppendError, AppendResult, AppendTarget, Appended, Barrier, CancelWait,
    Clearing, CloseLedger, Columns, Commit, CommitPart, ConsumerRef, Credit, CursorMove, DeadRun,
    DeathReason, DeathReasons, DeleteLog, Delivery, DescribeProducers, Extend, Extension,
    HeaderChange, Holder, KnownProducer, Lease, LeaseId, LeaseRequest, LeasedRecord, LeasedRun,
    Ledger, LedgerId, LedgerRecord, LedgerStart, Log, LogError, Logs, Missing, Move, MoveEnd,
    MoveError, MovedRun, MovingRun, OpenError, OpenLedger, OpenLedgerError, OpenLog, OpenedLedger,
    Origin, Outcome, PartAppend, PartBody, PartSettle, Partition, Peek, PeekState, Peeked,
    PeekedRecord, PerRecord, Prefetch, ProducerStamp, Purge, Remembered, Renewal, RoomLeft, Run,
    Schedule, Settle, SettleItem, Skip, Subscribe, Subscription, TakenBy, Trim, TrimReason,
    Unsubscribe, UseLog, partition_of_key,
};
pub use producer_ids::InitProducer;
pub use record::{CatalogueRecord, GroupRecord, LogRecord, Record};
pub use state::State;
pub use stored::{PartKind, StatePart, StoredError, StoredRecord, Touched};
