//! The engine's answer to a command.

use smallvec::SmallVec;
use stele_base_types::{LogId, PartitionId};

use crate::{
    ConsumerRef, Delivery, Durability, GroupError, JoinedGroup, LeasedRun, LinkCommand, LogError,
    Record, SyncedGroup, Token,
};

/// The outcome of a command: the changes, the reply, when to send it, and further effects.
/// Decisions that the shard makes by itself have no reply.
#[derive(Debug)]
pub struct Decision<R = ()> {
    /// The changes, to be applied in order, and journalled where their kind requires it.
    pub records: SmallVec<[Record; 1]>,
    /// The reply.
    pub reply: R,
    /// What else to do, after the records are applied.
    pub effects: SmallVec<[Effect; 1]>,
    /// Commands to other parts of the broker, each executed on its own shard exactly once.
    /// [`crate::State`] turns them into records, so the engine's callers see none.
    pub(crate) sends: Vec<LinkCommand>,
    /// How durable the records must be before the reply is sent. If there are none, this applies to
    /// all earlier records: a duplicate is answered only when its original is durable. Effects
    /// don't wait.
    pub durability: Durability,
}

/// Something to do outside the state.
#[derive(Debug)]
pub enum Effect {
    /// Answer a waiting [`crate::Lease`].
    Leased(Token, Result<Vec<LeasedRun>, LogError>),
    /// Answer a waiting [`crate::JoinGroup`], once this decision's records are as durable as it
    /// requires.
    Joined(Token, Result<Box<JoinedGroup>, GroupError>),
    /// Answer a waiting [`crate::SyncGroup`], likewise.
    Synced(Token, Result<SyncedGroup, GroupError>),
    /// Answer a waiting [`crate::DeleteLog`] with the number of records that were ready.
    Deleted(Token, u64),
    /// Deliver records to a consumer.
    Deliver(Delivery),
    /// Tell a consumer that its subscription has ended, because its log was deleted.
    ConsumerCancelled(ConsumerRef),
    /// The log was deleted: its data can be removed.
    Forget {
        /// The log.
        log: LogId,
        /// The number of partitions it had.
        partitions: u32,
    },
    /// The partition's start has moved: the data before it can be removed.
    Trimmed(PartitionId),
    /// A ledger's part of this partition was purged: records that nobody else needs can be removed
    /// now, so that no reader finds them.
    Purged(PartitionId),
    /// A log of another shard refused a record of this log: it isn't moved again at once.
    MoveRefused(LogId),
}

impl<R> Decision<R> {
    /// A reply without any change.
    pub fn reply(reply: R) -> Self {
        Self {
            records: SmallVec::new(),
            reply,
            effects: SmallVec::new(),
            sends: Vec::new(),
            durability: Durability::Volatile,
        }
    }

    /// A change, and a reply that is sent when the change is as durable as `durability` requires.
    pub fn change(record: Record, reply: R, durability: Durability) -> Self {
        let mut decision = Self::reply(reply);
        decision.records.push(record);
        decision.durability = durability;
        decision
    }

    /// Adds an effect.
    #[must_use]
    pub fn with(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// Replaces the reply.
    pub fn answered<S>(self, reply: S) -> Decision<S> {
        Decision {
            records: self.records,
            reply,
            effects: self.effects,
            sends: self.sends,
            durability: self.durability,
        }
    }

    /// Adds a command to another part of the broker.
    #[must_use]
    pub(crate) fn sending(mut self, command: LinkCommand) -> Self {
        self.sends.push(command);
        self
    }

    /// Adds the changes and effects of another decision.
    #[must_use]
    pub(crate) fn and(mut self, other: Decision) -> Self {
        self.records.extend(other.records);
        self.effects.extend(other.effects);
        self.sends.extend(other.sends);
        self.durability = self.durability.max(other.durability);
        self
    }
}

impl Decision {
    /// A decision that does nothing.
    pub fn nothing() -> Self {
        Self::reply(())
    }

    /// A change without a reply.
    pub(crate) fn record(record: Record) -> Self {
        Self::change(record, (), Durability::Volatile)
    }

    /// A rough measure of the work: the number of log records affected, plus one for every other
    /// change. Used to limit the work done in one go.
    pub fn weight(&self) -> u32 {
        self.records.iter().map(Record::weight).sum()
    }

    /// Whether there is nothing to do. [`crate::State::dispatch`] and [`crate::State::tick`] return
    /// such a decision when they have finished.
    pub fn is_nothing(&self) -> bool {
        self.records.is_empty() && self.effects.is_empty() && self.sends.is_empty()
    }
}
