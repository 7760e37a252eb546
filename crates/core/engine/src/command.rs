//! What a command is. Each is a struct, in the file of its operation.

use std::fmt;

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Timestamp};

use crate::{Decision, State};

/// What a command adds that only another command takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adds {
    /// Nothing, or what takes the place of something.
    Nothing,
    /// Logs, exchanges, bindings: little, and without it nobody can consume.
    Definitions,
    /// Messages.
    Messages,
}

/// A command to a shard: plain data, which a front fills in and the shard carries.
///
/// [`crate::Lease`], [`crate::JoinGroup`] and [`crate::SyncGroup`], which may be answered later,
/// are none: they decide with the [`Token`] of their answer.
pub trait Command: fmt::Debug + Send + 'static {
    /// The answer.
    type Reply: fmt::Debug + Send;
    /// Why it may be refused.
    type Error: std::error::Error + Send + Sync;

    /// What it adds for good, if anything. Such a command is refused while space is short for that;
    /// settling, leasing, deleting, offsets and groups go on.
    const ADDS: Adds = Adds::Nothing;

    /// What it changes and is answered with. A refusal changes nothing.
    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Self::Reply>, Self::Error>;

    /// The log whose records it looks at: who has appended some before expects it to see them.
    fn looks_at(&self) -> Option<LogId> {
        None
    }

    /// The log of which it may settle more than fits into one decision: its answer leaves when the
    /// log is owed nothing ([`crate::Logs::is_owed`]).
    fn clears(&self) -> Option<LogId> {
        None
    }
}

/// Names the asker of an answer that comes later. Chosen by the shard, opaque to the engine.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Token(pub u64);
