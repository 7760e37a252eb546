//! What the engine answers.

use smallvec::SmallVec;
use stele_base_types::{
    LogId, Name, Offset, PartitionId, PartitionIndex, ProducerEpoch, ProducerId, Timestamp,
};

use crate::{
    LeaseId, LedgerId, LogDefinition,
    command::{CommitOffset, ConsumerRef},
};

/// The answer to a command.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Done, nothing to say.
    Done,
    /// To `Append`, one for each target.
    Appended(SmallVec<[Appended; 1]>),
    /// To `Lease`: the runs, empty where nothing was found in time.
    Leased(Vec<LeasedRun>),
    /// To `Settle` and `Extend`: the places in the request of items that weren't leased so. A
    /// record that was to be done by a lease and is settled already is none of them.
    Settled {
        /// Indexes into the request's items.
        missing: SmallVec<[usize; 2]>,
    },
    /// To `Purge`, `Close`: how many records went that were ready or, of a purge, delayed or
    /// leased.
    Removed(u64),
    /// To `Trim`: where the partition begins now.
    Trimmed(Offset),
    /// To `DeclareLog`, `AlterLog`.
    Declared(Box<Declared>),
    /// To `InitProducer`.
    Producer(ProducerId, ProducerEpoch),
    /// To `Join`.
    Joined(Box<JoinedGroup>),
    /// To `Sync`.
    Synced {
        /// `consumer`, `connect`.
        protocol_type: Box<str>,
        /// The assignor.
        protocol: Box<str>,
        /// The member's part.
        assignment: Box<[u8]>,
    },
    /// To `Leave`: one for each member named.
    Left(Vec<Result<(), crate::Error>>),
    /// To `Commit`, `DeleteOffsets`: one for each partition named.
    Committed(Vec<Result<(), crate::Error>>),
    /// To `Offsets`.
    Offsets(Vec<OffsetEntry>),
    /// To `Describe`.
    Group(Box<GroupDescription>),
    /// To `List`.
    Groups(Vec<GroupListing>),
}

/// Where a batch was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the batch's first record.
    pub base: Offset,
    /// The partition's start.
    pub start: Offset,
    /// It was there already (idempotent producer, FIFO deduplication): nothing was appended.
    pub duplicate: bool,
}

/// Records leased together: consecutive in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedRun {
    /// The partition.
    pub partition: PartitionIndex,
    /// In order, without holes.
    pub records: SmallVec<[LeasedRecord; 1]>,
}

/// A leased record. For records settled on delivery, `lease` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasedRecord {
    /// Where.
    pub offset: Offset,
    /// The lease.
    pub lease: LeaseId,
    /// How often it has been delivered, this time included.
    pub deliveries: u32,
    /// When it was first delivered.
    pub delivered_first: Timestamp,
}

/// Records on their way to a subscribed consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// Whose.
    pub consumer: ConsumerRef,
    /// What.
    pub run: LeasedRun,
    /// Bytes taken from the consumer's credit: the caller grants them back when the transport has
    /// taken the records.
    pub charged_bytes: u64,
}

/// The outcome of a declaration.
#[derive(Clone, Debug)]
pub enum Declared {
    /// The log is new.
    Created(LogDefinition),
    /// The log existed through another protocol and now serves this one too.
    Adopted(LogDefinition),
    /// The log existed through this protocol; nothing has changed.
    Exists(LogDefinition),
}

impl Declared {
    /// The log as it is now.
    pub fn definition(&self) -> &LogDefinition {
        match self {
            Self::Created(definition) | Self::Adopted(definition) | Self::Exists(definition) => {
                definition
            }
        }
    }
}

/// A rebalance's outcome for one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedGroup {
    /// The generation that begins.
    pub generation: i32,
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// The assignor chosen.
    pub protocol: Box<str>,
    /// The leader's member id.
    pub leader: Box<str>,
    /// The member's own id.
    pub member: Box<str>,
    /// For the leader: every member. Empty for the others.
    pub members: Vec<JoinedMember>,
    /// The leader need not compute an assignment: a static member came back (KIP-814). A client
    /// that doesn't know of this must be told another leader than itself.
    pub skip_assignment: bool,
}

/// A member, as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member: Box<str>,
    /// Static name.
    pub instance: Option<Box<str>>,
    /// Its metadata for the assignor chosen.
    pub metadata: Box<[u8]>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// Of which partition.
    pub partition: PartitionId,
    /// What was committed; `None` nothing.
    pub committed: Option<CommitOffset>,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its name.
    pub name: Name,
    /// `consumer`, `connect`; empty for a simple consumer's.
    pub protocol_type: Box<str>,
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`.
    pub state: &'static str,
}

/// A group in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// As in the list.
    pub listing: GroupListing,
    /// The assignor.
    pub protocol: Box<str>,
    /// Its members.
    pub members: Vec<MemberDescription>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member: Box<str>,
    /// Static name.
    pub instance: Option<Box<str>>,
    /// As the client says.
    pub client_id: Box<str>,
    /// Where from.
    pub client_host: Box<str>,
    /// Its metadata for the assignor.
    pub metadata: Box<[u8]>,
    /// Its assignment.
    pub assignment: Box<[u8]>,
}
