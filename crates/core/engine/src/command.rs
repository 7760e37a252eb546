//! What the engine can be asked. Plain data; a front fills it in, the shard carries it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{
    ConsumerId, LogId, Name, Offset, PartitionId, PartitionIndex, ProcessEpoch, ProducerEpoch,
    ProducerId, Sequence, SessionId, Timestamp,
};

use crate::{
    Adopt, Argument, Arguments, BindingTarget, ExchangeKind, Facet, LeaseId, LedgerId, LogConfig,
    QueueConfig, Retention, Settings,
};

/// Names the asker of a reply that comes later. Chosen by the caller, opaque to the engine.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Token(pub u64);

/// A command to a shard. `token` is where a reply that isn't in the decision will be sent.
#[derive(Clone, Debug)]
pub enum Command {
    /// To the catalogue (shard 0).
    Catalogue(CatalogueCommand),
    /// Append a batch to one or more partitions of this shard.
    Append(Append),
    /// To a log of this shard.
    Log(LogId, LogCommand),
    /// To a consumer group of this shard.
    Group(Name, GroupCommand),
    /// A new producer id (shard 0), or the next epoch of the one given.
    InitProducer {
        /// The producer's current id and epoch; `None` for a new producer.
        current: Option<(ProducerId, ProducerEpoch)>,
    },
    /// The durable end of partitions has moved: records before it may be shown.
    Committed(SmallVec<[(PartitionId, Offset); 4]>),
    /// A session has ended: its waits and consumers go, and what it leases returns, by the
    /// [`Command::CleanUp`]s that follow.
    SessionClosed(SessionId),
    /// One step, or one run, of what sessions that have gone have left. The shard repeats it for as
    /// long as [`crate::Logs::has_leavings`].
    CleanUp,
    /// A log may have deliveries to make: lease one run to one consumer. The shard repeats it
    /// until a decision holds nothing; [`crate::Logs::dispatchable`] names the logs that have some
    /// to make.
    Dispatch(LogId),
    /// Time has passed: one deadline's worth of work. The shard repeats it until a decision holds
    /// nothing, and calls again at [`crate::State::next_deadline`].
    Tick,
    /// A process of this epoch begins: what went with the former one is dropped. The first command
    /// after a replay; the shard repeats it until a decision holds nothing.
    Recover(ProcessEpoch),
}

/// Appends a batch, whose bytes travel beside this command.
#[derive(Clone, Debug)]
pub struct Append {
    /// Where to; the body is stored once for all.
    pub targets: SmallVec<[AppendTarget; 1]>,
    /// How many records (offsets) the batch holds, from 1.
    pub count: u32,
    /// The batch's size.
    pub size_bytes: u32,
    /// The largest timestamp in it.
    pub timestamp: Timestamp,
    /// An idempotent producer's stamp. With one target only.
    pub producer: Option<ProducerStamp>,
    /// What scheduling needs to know. With `count` 1 only.
    pub schedule: Option<Schedule>,
}

/// One partition to append to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendTarget {
    /// The log.
    pub log: LogId,
    /// The partition; `None` spreads evenly over the log's.
    pub partition: Option<PartitionIndex>,
}

/// What an idempotent producer writes into a batch (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerStamp {
    /// Who.
    pub id: ProducerId,
    /// Its fence.
    pub epoch: ProducerEpoch,
    /// The number of the batch's first record.
    pub sequence: Sequence,
}

/// Per-record fields that scheduling needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Hidden for this long from now, in milliseconds; `None` takes the queue's own delay.
    pub delay_ms: Option<u64>,
    /// A stable hash of the message group (FIFO queues).
    pub group: Option<u64>,
    /// A stable hash of the deduplication id (FIFO queues).
    pub deduplication: Option<u128>,
}

/// A consumer of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConsumerRef {
    /// The session.
    pub session: SessionId,
    /// Its consumer.
    pub consumer: ConsumerId,
}

/// To a log.
#[derive(Clone, Debug)]
pub enum LogCommand {
    /// Take the log up, or take over its changed configuration. Idempotent.
    Open(LogConfig),
    /// Drop the log with all that it holds; its consumers are told. It can't be opened again: a
    /// definition that still exists is one that is about to go.
    Close(Close),
    /// Say that the log is in use, whoever asks: one that goes for want of use counts from now.
    Use,
    /// Lease records now, or wait for some.
    Lease(LeaseRequest, Token),
    /// End a wait; answered like one that found nothing.
    CancelWait(Token),
    /// Have records leased and delivered as they come.
    Subscribe(Subscribe),
    /// End a subscription. What it leases stays leased (AMQP `basic.cancel`).
    Unsubscribe(ConsumerRef),
    /// The transport has taken this many bytes of deliveries off the shard's hands.
    Credit {
        /// Whose.
        consumer: ConsumerRef,
        /// As the delivery charged.
        bytes: u64,
    },
    /// Change how many unsettled records a consumer, or all consumers of its pool, may hold.
    Prefetch {
        /// The session whose limits change.
        session: SessionId,
        /// The pool (AMQP channel).
        pool: u64,
        /// Unsettled records that the pool may hold; `None` is no limit.
        limit: Option<u32>,
    },
    /// Settle leases.
    Settle(Settle),
    /// Move the deadlines of leases.
    Extend(Extend),
    /// Settle everything that is ready or delayed.
    Purge {
        /// The ledger.
        ledger: LedgerId,
        /// And what is leased.
        leased: bool,
    },
    /// Remove what is before `to`, as far as retention until acknowledgement allows, or anyway.
    Trim {
        /// The partition.
        partition: PartitionIndex,
        /// The first offset to keep.
        to: Offset,
        /// Settle what is before `to` first (Kafka DeleteRecords); without, stop at the oldest
        /// record that a ledger still needs.
        force: bool,
    },
    /// The log's definition is gone for good: drop the log, and what is remembered of its having
    /// been closed.
    Undefine,
}

/// Drops a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Close {
    /// Fail with [`crate::Error::InUse`] while it has consumers.
    pub if_unused: bool,
    /// Fail with [`crate::Error::NotEmpty`] while it has ready records.
    pub if_empty: bool,
}

/// Asks for leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// The ledger.
    pub ledger: LedgerId,
    /// Who will hold them.
    pub holder: ConsumerRef,
    /// At most this many records, from 1.
    pub records_max: u32,
    /// They return after this long, in milliseconds; `None` when their session ends.
    pub lease_ms: Option<u64>,
    /// Settle at once instead of leasing (AMQP `no-ack`).
    pub settle: bool,
    /// Wait for a first record for this long, in milliseconds; `None` answers at once.
    pub wait_ms: Option<u64>,
    /// Repeats within the deduplication window give the same leases (SQS
    /// `ReceiveRequestAttemptId`), a stable hash.
    pub attempt: Option<u128>,
}

/// A standing demand for leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe {
    /// The ledger.
    pub ledger: LedgerId,
    /// Who.
    pub consumer: ConsumerRef,
    /// Unsettled records that it may hold; `None` is no limit.
    pub prefetch: Option<u32>,
    /// A limit that it shares with other consumers of the session (AMQP channel).
    pub pool: u64,
    /// The pool's limit; `None` is no limit.
    pub pool_prefetch: Option<u32>,
    /// Settle on delivery (AMQP `no-ack`).
    pub settle: bool,
    /// Be the only consumer, or fail with [`crate::Error::Exclusive`].
    pub exclusive: bool,
    /// Bytes of deliveries that the transport takes before it has granted more.
    pub credit_bytes: u64,
}

/// What becomes of a leased record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Processed: never delivered again.
    Done,
    /// Back to its place, after a delay in milliseconds (0: at once).
    Return(u64),
    /// Can't be processed: never delivered again here, dead-lettered where that is set up.
    Reject,
}

/// A lease, as its holder knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettleItem {
    /// The partition.
    pub partition: PartitionIndex,
    /// The record.
    pub offset: Offset,
    /// The lease, to be the current one; `None` settles whatever its state, if it isn't done yet
    /// (SQS standard queues honour an old receipt handle).
    pub lease: Option<LeaseId>,
}

/// Settles leases.
#[derive(Clone, Debug)]
pub struct Settle {
    /// The ledger.
    pub ledger: LedgerId,
    /// Which.
    pub items: SmallVec<[SettleItem; 2]>,
    /// To what.
    pub outcome: Outcome,
    /// Whether the reply waits until this is durable in the log's class.
    pub durable: bool,
}

/// Moves the deadlines of leases.
#[derive(Clone, Debug)]
pub struct Extend {
    /// The ledger.
    pub ledger: LedgerId,
    /// Which, each with its own new term from now, in milliseconds; 0 returns it at once.
    pub items: SmallVec<[(SettleItem, u64); 2]>,
}

/// To the catalogue.
#[derive(Clone, Debug)]
pub enum CatalogueCommand {
    /// See [`DeclareLog`].
    DeclareLog(DeclareLog),
    /// Change a log. `None` leaves a part as it is.
    AlterLog {
        /// The log.
        log: LogId,
        /// More partitions (never fewer).
        partitions: Option<u32>,
        /// Retention, replaced.
        retention: Option<Retention>,
        /// Queue configuration, replaced.
        queue: Option<QueueConfig>,
        /// A facet's settings, replaced.
        settings: Option<(Facet, Settings)>,
    },
    /// Remove a log's definition and the bindings to it.
    DeleteLog(LogId),
    /// See [`DeclareExchange`].
    DeclareExchange(DeclareExchange),
    /// Remove an exchange and its bindings.
    DeleteExchange {
        /// Virtual host.
        vhost: Name,
        /// The exchange. One that doesn't exist is [`crate::Error::NoSuchExchange`].
        name: Name,
        /// Fail with [`crate::Error::InUse`] while it has bindings.
        if_unused: bool,
    },
    /// Bind. A binding that exists is left as it is.
    Bind(Bind),
    /// Unbind. A binding that doesn't exist is no error. The last one of an auto-delete exchange
    /// takes the exchange with it.
    Unbind(Bind),
}

/// Declares a log through one protocol.
///
/// - No log of that name: it is created ([`crate::Declared::Created`]).
/// - One without this facet: nothing may contradict ([`crate::Error::Contradiction`] for FIFO, and
///   for durability and lifetime where [`Adopt`] names them); retention becomes the union,
///   partitions the larger number, the facet is added, and the queue configuration where there was
///   none ([`crate::Declared::Adopted`]). Of two durable classes the safer one holds; only volatile
///   contradicts durable. Another session's exclusive log is [`crate::Error::Exclusive`].
/// - One with this facet: nothing changes ([`crate::Declared::Exists`]); the front compares and
///   answers as its protocol does.
#[derive(Clone, Debug)]
pub struct DeclareLog {
    /// Virtual host.
    pub vhost: Name,
    /// Name.
    pub name: Name,
    /// What it shall be.
    pub config: LogConfig,
    /// What else it asks of a log that is there.
    pub adopt: Adopt,
    /// The protocol that declares.
    pub facet: Facet,
    /// Its settings.
    pub settings: Settings,
}

/// Declares an exchange. One that exists with the same attributes is no error; with others it is
/// [`crate::Error::Contradiction`].
#[derive(Clone, Debug, PartialEq)]
pub struct DeclareExchange {
    /// Virtual host.
    pub vhost: Name,
    /// Name.
    pub name: Name,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Clients can't publish to it.
    pub internal: bool,
    /// Its arguments.
    pub arguments: Arguments,
}

/// A binding, named by all of its parts (AMQP 0-9-1 `queue.bind`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bind {
    /// Virtual host.
    pub vhost: Name,
    /// The exchange that routes.
    pub source: Name,
    /// What to.
    pub target: BindingTarget,
    /// Binding key.
    pub key: Name,
    /// Arguments; the headers exchange matches by them.
    pub arguments: BTreeMap<Box<str>, Argument>,
}

/// To a consumer group (Kafka's classic protocol; the reply of Join and Sync may come later).
#[derive(Clone, Debug)]
pub enum GroupCommand {
    /// Join, or join again; answered when the rebalance has gathered its members.
    Join(Join, Token),
    /// Hand in (leader) or wait for (others) the assignment of a generation.
    Sync(SyncGroup, Token),
    /// Still there.
    Heartbeat {
        /// Who.
        member: Box<str>,
        /// Static name, if any.
        instance: Option<Box<str>>,
        /// Which generation.
        generation: i32,
    },
    /// Leave; each by member id or static name. The reply has a result for each.
    Leave(Vec<(Box<str>, Option<Box<str>>)>),
    /// Commit offsets, by a member of the current generation, or by anyone while the group has no
    /// members (`generation` -1).
    Commit {
        /// Who; empty for a simple consumer.
        member: Box<str>,
        /// Static name, if any.
        instance: Option<Box<str>>,
        /// Which generation.
        generation: i32,
        /// What.
        offsets: Vec<CommitOffset>,
    },
    /// The committed offsets of these partitions, or of all.
    Offsets(Option<Vec<PartitionId>>),
    /// Forget committed offsets of these partitions. Refused for all of them while the group has
    /// members, since what these subscribe to is written in their assignor's own form.
    DeleteOffsets(Vec<PartitionId>),
    /// Remove an empty group.
    Delete,
    /// Describe it.
    Describe,
    /// List all groups of the shard (the name is ignored).
    List,
}

/// A member that joins.
#[derive(Clone, Debug)]
pub struct Join {
    /// Its id; empty at first.
    pub member: Box<str>,
    /// The id that it gets where `member` is empty: made by the caller, since randomness enters
    /// as an argument.
    pub member_new: Box<str>,
    /// Static name (KIP-345).
    pub instance: Option<Box<str>>,
    /// For describing.
    pub client_id: Box<str>,
    /// For describing.
    pub client_host: Box<str>,
    /// Gone when silent for this long, in milliseconds.
    pub session_timeout_ms: u32,
    /// How long a rebalance waits for it to join again, in milliseconds.
    pub rebalance_timeout_ms: u32,
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// Assignors it can do, best first, each with its metadata.
    pub protocols: Vec<(Box<str>, Box<[u8]>)>,
    /// Answer a first join with the new id and [`crate::Error::MemberIdRequired`] (KIP-394).
    pub member_id_required: bool,
}

/// What a member hands in (the leader) or waits for (the others) in a generation.
#[derive(Clone, Debug)]
pub struct SyncGroup {
    /// Who.
    pub member: Box<str>,
    /// Static name, if any.
    pub instance: Option<Box<str>>,
    /// Which generation.
    pub generation: i32,
    /// Must match the group's, where given.
    pub protocol_type: Option<Box<str>>,
    /// Must match the group's, where given.
    pub protocol: Option<Box<str>>,
    /// The leader's assignment for each member.
    pub assignments: Vec<(Box<str>, Box<[u8]>)>,
}

/// An offset to commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitOffset {
    /// Of which partition.
    pub partition: PartitionId,
    /// The next record to read.
    pub offset: Offset,
    /// The epoch of the leader that it was read from; -1 unknown.
    pub leader_epoch: i32,
    /// The consumer's own note.
    pub metadata: Box<str>,
}
