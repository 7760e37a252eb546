//! The trait of commands. Each command is a struct, in the file of its operation.

use std::fmt;

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Timestamp};

use crate::{Decision, State};

/// What a command adds that only another command removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adds {
    /// Nothing, or it only replaces something.
    Nothing,
    /// Logs, exchanges, bindings. They are small, and nobody can consume without them.
    Definitions,
    /// Messages.
    Messages,
}

/// A command to a shard: plain data that a front fills in and the shard executes.
///
/// [`crate::Lease`], [`crate::JoinGroup`] and [`crate::SyncGroup`] don't implement this, because
/// they may be answered later: their `decide` takes the [`Token`] for the answer.
pub trait Command: fmt::Debug + Send + 'static {
    /// The reply.
    type Reply: fmt::Debug + Send;
    /// Why it may be refused.
    type Error: std::error::Error + Send + Sync;

    /// What it adds permanently, if anything. While space for that is short, the command is
    /// refused; settling, leasing, deleting, offsets and groups continue.
    const ADDS: Adds = Adds::Nothing;

    /// The decision on it. A refused command changes nothing.
    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Self::Reply>, Self::Error>;

    /// The log whose records it looks at. A client that appended records before expects it to see
    /// them.
    fn looks_at(&self) -> Option<LogId> {
        None
    }

    /// The log of which it may settle more records than fit one decision. It is answered when
    /// nothing is owed to the log any more ([`crate::Logs::is_owed`]).
    fn clears(&self) -> Option<LogId> {
        None
    }
}

/// Identifies an answer that is sent later. Chosen by the shard, opaque to the engine.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Token(pub u64);
