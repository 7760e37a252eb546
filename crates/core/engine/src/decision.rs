//! What the engine answers a command with.

use smallvec::SmallVec;
use stele_base_types::{LogId, PartitionId};

use crate::{
    ConsumerRef, Delivery, Durability, GroupError, JoinedGroup, LeasedRun, LinkCommand, LogError,
    Record, SyncedGroup, Token,
};

/// What comes of a command: what changes, what to answer and when, what else to do. What the shard
/// decides on by itself has no answer.
#[derive(Debug)]
pub struct Decision<R = ()> {
    /// To be applied, in order, and journalled where they are of that kind.
    pub records: SmallVec<[Record; 1]>,
    /// The answer.
    pub reply: R,
    /// What else to do, once the records are applied.
    pub effects: SmallVec<[Effect; 1]>,
    /// What other parts of the broker are to do, each on its own shard, exactly once.
    /// [`crate::State`] turns these into records: the engine's callers see none.
    pub(crate) sends: Vec<LinkCommand>,
    /// How safe the records must be before the reply leaves. Where there are none, how safe all
    /// earlier records must be: a duplicate is answered no sooner than its original is safe.
    /// Effects don't wait.
    pub durability: Durability,
}

/// Something to do outside of the state.
#[derive(Debug)]
pub enum Effect {
    /// Answer a [`crate::Lease`] that waits.
    Leased(Token, Result<Vec<LeasedRun>, LogError>),
    /// Answer a [`crate::JoinGroup`] that waits. Leaves when this decision's records are as safe as
    /// its durability asks.
    Joined(Token, Result<Box<JoinedGroup>, GroupError>),
    /// Answer a [`crate::SyncGroup`] that waits, likewise.
    Synced(Token, Result<SyncedGroup, GroupError>),
    /// Answer a [`crate::DeleteLog`] that waits, with how many records were ready.
    Deleted(Token, u64),
    /// Hand records to a consumer.
    Deliver(Delivery),
    /// Tell a consumer that it is no longer one: its log is gone.
    ConsumerCancelled(ConsumerRef),
    /// The log is gone: its data may be removed.
    Forget {
        /// The log.
        log: LogId,
        /// How many partitions it had.
        partitions: u32,
    },
    /// The partition begins later now: data before may be removed.
    Trimmed(PartitionId),
    /// A ledger was purged, as far as it holds this partition: what nobody else needs may go now,
    /// so that no reader meets it.
    Purged(PartitionId),
}

impl<R> Decision<R> {
    /// An answer without a change.
    pub fn reply(reply: R) -> Self {
        Self {
            records: SmallVec::new(),
            reply,
            effects: SmallVec::new(),
            sends: Vec::new(),
            durability: Durability::Volatile,
        }
    }

    /// A change, and its answer when the change is as safe as `durability` asks.
    pub fn change(record: Record, reply: R, durability: Durability) -> Self {
        let mut decision = Self::reply(reply);
        decision.records.push(record);
        decision.durability = durability;
        decision
    }

    /// The same with one more effect.
    #[must_use]
    pub fn with(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// The same with another answer.
    pub fn answered<S>(self, reply: S) -> Decision<S> {
        Decision {
            records: self.records,
            reply,
            effects: self.effects,
            sends: self.sends,
            durability: self.durability,
        }
    }

    /// The same, and another part of the broker is to do something.
    #[must_use]
    pub(crate) fn sending(mut self, command: LinkCommand) -> Self {
        self.sends.push(command);
        self
    }

    /// The same with what another one changes and does.
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
    /// Nothing happens.
    pub fn nothing() -> Self {
        Self::reply(())
    }

    /// A change that nobody asked for.
    pub(crate) fn record(record: Record) -> Self {
        Self::change(record, (), Durability::Volatile)
    }

    /// How much it changes, roughly: the records of logs that it speaks of, and one for every other
    /// change. What bounds the work of a shard in one go is counted by it.
    pub fn weight(&self) -> u32 {
        self.records.iter().map(Record::weight).sum()
    }

    /// Whether nothing is to be done: how [`crate::State::dispatch`] and [`crate::State::tick`] say
    /// that they are through.
    pub fn is_nothing(&self) -> bool {
        self.records.is_empty() && self.effects.is_empty() && self.sends.is_empty()
    }
}
