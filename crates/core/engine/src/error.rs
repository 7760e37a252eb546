//! Why a command is refused. Each front translates these with an exhaustive match.

use stele_base_types::{Name, Offset, PartitionId, ProducerEpoch, Sequence};

/// A refusal: nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The log doesn't exist (any more). The caller looks the name up again.
    #[error("no such log")]
    NoSuchLog,
    /// The log hasn't so many partitions.
    #[error("no such partition")]
    NoSuchPartition,
    /// The log has no such ledger: no queue protocol has opened it yet.
    #[error("no such ledger")]
    NoSuchLedger,
    /// The exchange doesn't exist.
    #[error("no exchange '{0}'")]
    NoSuchExchange(Name),
    /// The virtual host doesn't exist.
    #[error("no virtual host '{0}'")]
    NoSuchVirtualHost(Name),
    /// What is declared contradicts what exists.
    #[error("{0}")]
    Contradiction(Contradiction),
    /// Fewer partitions than there are, or none.
    #[error("a log of {existing} partitions can't become one of {requested}")]
    Partitions {
        /// What it has.
        existing: u32,
        /// What was asked.
        requested: u32,
    },
    /// A binding would make exchanges route in a circle longer than allowed, or the target of a
    /// binding doesn't exist.
    #[error("the target of the binding doesn't exist")]
    NoSuchTarget,
    /// It has consumers, or bindings, and was to be deleted only without; or it is a predeclared
    /// exchange, which is never deleted.
    #[error("in use")]
    InUse,
    /// It has ready records and was to be deleted only without.
    #[error("not empty")]
    NotEmpty,
    /// It has an exclusive consumer, or was to get one while it has others.
    #[error("exclusive access refused")]
    Exclusive,
    /// A limit of `limits.rs` is reached.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// A session's consumer of that id exists already.
    #[error("consumer exists")]
    ConsumerExists,
    /// The offset is before the partition's start or after its end.
    #[error("offset {offset} is outside {start}..={end}")]
    OffsetOutOfRange {
        /// Asked.
        offset: Offset,
        /// First one there.
        start: Offset,
        /// One after the last.
        end: Offset,
    },

    /// An append is malformed: no targets, no records, a schedule with many records.
    #[error("malformed append: {0}")]
    MalformedAppend(&'static str),
    /// The producer's next sequence number was expected (KIP-98).
    #[error("partition {partition}: sequence {got} where {expected} was expected")]
    OutOfOrderSequence {
        /// Where.
        partition: PartitionId,
        /// Sent.
        got: Sequence,
        /// Due.
        expected: Sequence,
    },
    /// The batch was appended long ago; its offset is no longer known (KIP-98).
    #[error("duplicate of a batch that is no longer known")]
    DuplicateSequence,
    /// A newer producer of this id has taken over (KIP-98).
    #[error("producer epoch {got} is fenced by {current}")]
    ProducerFenced {
        /// Sent.
        got: ProducerEpoch,
        /// In force.
        current: ProducerEpoch,
    },
    /// The producer isn't known here and its batch isn't a first one (KIP-360).
    #[error("unknown producer id")]
    UnknownProducer,

    /// The group doesn't exist.
    #[error("no such group")]
    NoSuchGroup,
    /// The group has members.
    #[error("the group isn't empty")]
    GroupNotEmpty,
    /// A group, or a committed offset, is used by members that subscribe to it.
    #[error("the group is subscribed to the topic")]
    GroupSubscribed,
    /// A member id that the group doesn't know.
    #[error("unknown member id")]
    UnknownMember,
    /// Another member has the static name.
    #[error("static member fenced")]
    FencedInstance,
    /// Not the group's generation.
    #[error("illegal generation")]
    IllegalGeneration,
    /// The group gathers its members: join again.
    #[error("rebalance in progress")]
    RebalanceInProgress,
    /// The member must join again with this id (KIP-394).
    #[error("member id required")]
    MemberIdRequired(Box<str>),
    /// Protocol type or protocols don't fit the group's.
    #[error("inconsistent group protocol")]
    InconsistentProtocol,
    /// A session timeout outside of the limits.
    #[error("session timeout outside of the limits")]
    SessionTimeout,
    /// The group name is empty.
    #[error("invalid group id")]
    InvalidGroup,
}

/// What a declaration says otherwise than what exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("inequivalent '{field}': received '{received}' but current is '{current}'")]
pub struct Contradiction {
    /// Which attribute: `durable`, `exclusive`, `auto_delete`, `expires`, `fifo`, `type`,
    /// `internal`, `arguments`.
    pub field: &'static str,
    /// Declared now.
    pub received: Box<str>,
    /// In force.
    pub current: Box<str>,
}
