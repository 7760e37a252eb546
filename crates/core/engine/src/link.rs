//! The link between shards: commands that one shard decides and another executes, exactly once.
//!
//! ```text
//!  shard A                                         shard B
//!  decide ─► Sent 7 ─► disk ───── 7 ─────────────► Taken 7, and the resulting records ─► disk
//!  Acknowledged 7 ◄───────────── up to 7 ────────────────────────────────────────────────┘
//! ```
//!
//! Commands from one shard to another are numbered consecutively from 1. A command is journalled
//! with the decision that it is a part of, and sent when that is on disk. It is kept until the
//! other shard acknowledges it, which it does when its `Taken` record is on disk. The transport may
//! lose, delay or duplicate commands: after a loss or a restart, all unacknowledged commands are
//! sent again, and the receiver accepts only the next number.
//!
//! Invariants, for each pair of shards
//! - acknowledged ≤ taken ≤ sent, even after crashes.
//! - A shard's commands to itself don't use a link: they are a part of the same decision.

mod carry;

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Name, ShardId};

use crate::{CommitPart, CursorMove, LogConfig, MoveEnd, MovingRun, Origin};

/// Which shard this is, and where other shards' data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// This shard.
    pub own: ShardId,
    /// The number of shards. Fixed when the data directory is created, since data doesn't move.
    pub shards: u16,
}

/// The shard of a log with all its partitions and ledgers, so that a ledger's consumers and their
/// credit are in one place (ADR 1). Stable across restarts: data doesn't move.
pub fn shard_of(log: LogId, shards: usize) -> ShardId {
    ShardId((log.0 % shards.max(1) as u64) as u16)
}

impl Topology {
    /// The shard that has the definitions.
    pub const CATALOGUE: ShardId = ShardId(0);

    pub(crate) fn owner(&self, log: LogId) -> ShardId {
        shard_of(log, usize::from(self.shards))
    }

    pub(crate) fn shard_of(&self, command: &LinkCommand) -> ShardId {
        match command {
            LinkCommand::Open { log, .. }
            | LinkCommand::Forget { log }
            | LinkCommand::MoveCursor { log, .. } => self.owner(*log),
            LinkCommand::Move(moving) => self.owner(moving.to),
            LinkCommand::Moved(from)
            | LinkCommand::MoveRefused(from)
            | LinkCommand::MoveEnded(MoveEnd { from, .. }) => self.owner(from.log),
            LinkCommand::Commit(part) => part.log().map_or(Self::CATALOGUE, |log| self.owner(log)),
            LinkCommand::Undefine { .. } => Self::CATALOGUE,
        }
    }
}

impl Default for Topology {
    /// A single shard.
    fn default() -> Self {
        Self {
            own: ShardId(0),
            shards: 1,
        }
    }
}

/// The number of a command from one shard to another, from 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct LinkNumber(pub u64);

/// A command from one shard to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkCommand {
    /// To the log's shard: open the log with this definition, or apply the changes to it.
    Open {
        /// The log.
        log: LogId,
        /// Its configuration.
        config: LogConfig,
    },
    /// To the catalogue: the log is closed. Remove its definition and the bindings to it.
    Undefine {
        /// The log.
        log: LogId,
    },
    /// To the log's shard: its definition has been removed everywhere.
    Forget {
        /// The log.
        log: LogId,
    },
    /// To the log's shard: a consumer group's offsets have moved.
    MoveCursor {
        /// The log.
        log: LogId,
        /// The group.
        group: Name,
        /// The new offsets.
        moves: Vec<CursorMove>,
    },
    /// To the shard of the target log: records, with their batch sent along.
    Move(Box<MovingRun>),
    /// To the shard of the source log: a record was accepted. No longer sent: replaced by
    /// [`LinkCommand::MoveEnded`].
    Moved(Origin),
    /// To the shard of the source log: a record was refused. No longer sent either.
    MoveRefused(Origin),
    /// To the shard of the source log: records were accepted or refused.
    MoveEnded(MoveEnd),
    /// To the shard of these logs: its part of a commit, with the bodies.
    Commit(Box<CommitPart>),
}

/// A change of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkRecord {
    /// A command is to be sent to a shard. Its number is the next one.
    Sent {
        /// The receiver.
        to: ShardId,
        /// The command.
        command: LinkCommand,
    },
    /// The next command of a shard was executed. Its results are the other records of the same
    /// decision.
    Taken {
        /// The sender.
        from: ShardId,
    },
    /// A shard has the commands up to this one on disk.
    Acknowledged {
        /// The receiver.
        by: ShardId,
        /// The last of them.
        through: LinkNumber,
    },
}

/// A shard's links to all others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    outgoing: BTreeMap<ShardId, Outgoing>,
    /// The last command taken from each shard.
    taken: BTreeMap<ShardId, LinkNumber>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
struct Outgoing {
    acknowledged: LinkNumber,
    /// The commands after it.
    unacknowledged: VecDeque<LinkCommand>,
    /// The size of the bodies sent with these. Derived from them.
    #[serde(skip)]
    body_bytes: u64,
}

/// [`Outgoing`] in a snapshot.
#[derive(Deserialize)]
struct Stored {
    acknowledged: LinkNumber,
    unacknowledged: VecDeque<LinkCommand>,
}

impl LinkNumber {
    /// The next number.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Links {
    /// The last command sent to a shard; 0 if there is none.
    pub fn sent(&self, to: ShardId) -> LinkNumber {
        self.outgoing.get(&to).map_or(LinkNumber(0), Outgoing::sent)
    }

    /// The last command that a shard has acknowledged.
    pub fn acknowledged(&self, by: ShardId) -> LinkNumber {
        let outgoing = self.outgoing.get(&by);
        outgoing.map_or(LinkNumber(0), |outgoing| outgoing.acknowledged)
    }

    /// The last command taken from a shard.
    pub fn taken(&self, from: ShardId) -> LinkNumber {
        self.taken.get(&from).copied().unwrap_or_default()
    }

    /// All commands that aren't acknowledged, in order for each receiver.
    pub fn unacknowledged(
        &self,
    ) -> impl Iterator<Item = (ShardId, LinkNumber, &LinkCommand)> + use<'_> {
        self.outgoing.iter().flat_map(|(to, outgoing)| {
            let numbers = outgoing.acknowledged.0 + 1..;
            let numbered = numbers.zip(&outgoing.unacknowledged);
            numbered.map(|(number, command)| (*to, LinkNumber(number), command))
        })
    }

    /// The most commands that any one shard has yet to acknowledge.
    pub fn backlog(&self) -> usize {
        let outgoing = self.outgoing.values();
        outgoing
            .map(|outgoing| outgoing.unacknowledged.len())
            .max()
            .unwrap_or(0)
    }

    /// The size of the bodies of all commands that aren't acknowledged.
    pub fn backlog_bytes(&self) -> u64 {
        let outgoing = self.outgoing.values();
        outgoing.map(|outgoing| outgoing.body_bytes).sum()
    }

    /// Whether a shard's command with this number is the next one to take. Earlier ones were taken
    /// before; later ones are sent again, after the missing ones.
    pub(crate) fn is_next(&self, from: ShardId, number: LinkNumber) -> bool {
        number == self.taken(from).next()
    }

    pub(crate) fn apply(&mut self, record: &LinkRecord) {
        match record {
            LinkRecord::Sent { to, command } => {
                let outgoing = self.outgoing.entry(*to).or_default();
                outgoing.body_bytes += command.body_bytes();
                outgoing.unacknowledged.push_back(command.clone());
            }
            LinkRecord::Taken { from } => {
                let taken = self.taken.entry(*from).or_default();
                *taken = taken.next();
            }
            LinkRecord::Acknowledged { by, through } => {
                if let Some(outgoing) = self.outgoing.get_mut(by) {
                    outgoing.acknowledge(*through);
                }
            }
        }
    }
}

impl Outgoing {
    fn sent(&self) -> LinkNumber {
        LinkNumber(self.acknowledged.0 + self.unacknowledged.len() as u64)
    }

    fn acknowledge(&mut self, through: LinkNumber) {
        while self.acknowledged < through
            && let Some(command) = self.unacknowledged.pop_front()
        {
            self.body_bytes -= command.body_bytes();
            self.acknowledged = self.acknowledged.next();
        }
    }
}

impl From<Stored> for Outgoing {
    fn from(stored: Stored) -> Self {
        let commands = stored.unacknowledged.iter();
        Self {
            body_bytes: commands.map(LinkCommand::body_bytes).sum(),
            acknowledged: stored.acknowledged,
            unacknowledged: stored.unacknowledged,
        }
    }
}

impl LinkCommand {
    /// The size of the body sent with it.
    fn body_bytes(&self) -> u64 {
        match self {
            Self::Move(moving) => moving.run.size_bytes.into(),
            Self::Commit(part) => part.body_bytes(),
            Self::Open { .. }
            | Self::Undefine { .. }
            | Self::Forget { .. }
            | Self::MoveCursor { .. }
            | Self::Moved(_)
            | Self::MoveRefused(_)
            | Self::MoveEnded(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
