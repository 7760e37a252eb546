//! Committing appends and settlements as one change: all of them, or none.
//!
//! ```text
//!  on one shard       Appended …, settled …                               one decision, one block
//!
//!  shard with the settlements                    each other shard
//!  Appended …, settled …, Sent CommitPart ─► disk ─► Taken, Appended …, settled … ─► disk
//! ```
//!
//! With the first decision on disk the commit is final: the link executes each part exactly once,
//! and a part isn't refused. It contains its bodies, since they are nowhere else. What is to go to
//! a log that has been deleted meanwhile is dropped, as it would have been deleted with the log. A
//! queue that refuses what is too much is asked before the commit ([`Admit`]), and takes more than
//! its bound if others were faster. Until a part is taken, its records don't exist yet, and those
//! it settles may be delivered once more after a crash.

use std::{fmt, sync::Arc};

use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stele_base_types::{LogId, PartitionId, Timestamp};

use super::{
    Append, AppendError, AppendTarget, Columns, LedgerId, LogError, Logs, Outcome, Schedule,
    Settle, SettleItem, append,
};
use crate::{Command, Decision, Durability, LinkCommand, State, stored::stored_fields};

/// Commits appends and settlements. Refused as a whole if an existing log refuses an append; the
/// appends are dropped whose logs don't exist, and the settlements of records that are no longer
/// leased in that way. The bodies of the appends travel with this command: one for each of those
/// that [`Commit::drop_gone`] leaves.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Appends to logs of this shard, in order, without producers and deduplication ids.
    pub appends: Vec<Append>,
    /// Settlements in logs of this shard.
    pub settles: Vec<Settle>,
    /// What other shards append and settle.
    pub elsewhere: Vec<CommitPart>,
}

/// The part of a commit that another shard executes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitPart {
    /// Appends to logs of that shard, in order.
    pub appends: Vec<PartAppend>,
    /// Settlements in logs of that shard.
    pub settles: Vec<PartSettle>,
}

stored_fields! {
    CommitPart {
        Appends appends: Vec<PartAppend>,
        Settles settles: Vec<PartSettle>,
    }
}

/// An append with its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartAppend {
    /// The logs.
    pub targets: Vec<LogId>,
    /// How many records the batch has.
    pub count: u32,
    /// The largest timestamp in it.
    pub timestamp: Timestamp,
    /// What the engine needs to know of the records to choose their partitions and times.
    pub schedules: Vec<Schedule>,
    /// The batch.
    pub body: PartBody,
}

stored_fields! {
    PartAppend {
        Targets targets: Vec<LogId>,
        Count count: u32,
        Timestamp timestamp: Timestamp,
        Schedules schedules: Vec<Schedule>,
        Body body: PartBody,
    }
}

/// Settlements with one outcome. A record is settled even if its lease has ended, unless it is to
/// return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSettle {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// The records.
    pub items: Vec<SettleItem>,
    /// The outcome.
    pub outcome: Outcome,
}

/// The bytes of a batch, shared.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PartBody(pub Arc<[u8]>);

/// Asks whether logs would take new records at the moment: [`AppendError::TooLong`] if one refuses
/// them.
#[derive(Clone, Debug)]
pub struct Admit {
    /// How many records each of them would get, and the bytes of their bodies.
    pub counts: Vec<(LogId, (u64, u64))>,
}

/// Does nothing; the answer is sent when everything decided before is on disk.
#[derive(Clone, Copy, Debug)]
pub struct Barrier;

/// What earlier appends of a commit add to partitions.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The records and the bytes of their bodies.
    added: HashMap<PartitionId, (u64, u64)>,
    /// Whether the commit is final, so that no append is refused.
    pub(super) is_final: bool,
}

impl Ahead {
    /// How many records a partition gets; then notes that it gets more.
    pub(super) fn add(&mut self, partition: PartitionId, (records, bytes): (u64, u64)) -> u64 {
        let added = self.added.entry(partition).or_default();
        let before = added.0;
        *added = (before + records, added.1 + bytes);
        before
    }

    /// How many records a log gets, and their bytes.
    pub(super) fn of(&self, log: LogId) -> (u64, u64) {
        let of_log = self.added.iter();
        let of_log = of_log.filter(|(partition, _)| partition.log == log);
        of_log.fold((0, 0), |(records, bytes), (_, added)| {
            (records + added.0, bytes + added.1)
        })
    }
}

impl Command for Commit {
    type Reply = ();
    type Error = AppendError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision, AppendError> {
        let mut decision = Decision::nothing();
        let mut ahead = Ahead::default();
        for append in self.appends {
            decision = decision.and(state.logs.append_of_commit(append, &mut ahead, now)?);
        }
        for settle in self.settles {
            // A log that is gone has nothing to settle.
            if let Ok(settled) = settle.decide(state, now) {
                decision = decision.and(settled.answered(()));
            }
        }
        for part in self.elsewhere {
            part.check(state)?;
            decision = decision.sending(LinkCommand::Commit(Box::new(part)));
        }
        Ok(state.send(decision, now))
    }
}

impl Command for Admit {
    type Reply = ();
    type Error = AppendError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision, AppendError> {
        for (log, count) in self.counts {
            let log = state.logs.log(log);
            if log.is_some_and(|log| log.refuses(count, Default::default)) {
                return Err(AppendError::TooLong);
            }
        }
        Ok(Decision::nothing())
    }
}

impl Command for Barrier {
    type Reply = ();
    type Error = LogError;

    fn decide(self, _state: &State, _now: Timestamp) -> Result<Decision, LogError> {
        Ok(Decision {
            durability: Durability::Synced,
            ..Decision::nothing()
        })
    }
}

impl Commit {
    /// Removes the appends of which no log exists, and returns their positions.
    pub fn drop_gone(&mut self, logs: &Logs) -> Vec<usize> {
        let mut gone = Vec::new();
        let mut position = 0;
        self.appends.retain(|append| {
            let is_known = |target: &AppendTarget| logs.log(target.log).is_some();
            let stays = append.targets.iter().any(is_known);
            gone.extend((!stays).then_some(position));
            position += 1;
            stays
        });
        gone
    }
}

impl CommitPart {
    /// Removes the appends of which no log exists.
    pub fn drop_gone(&mut self, logs: &Logs) {
        let is_known = |log: &LogId| logs.log(*log).is_some();
        self.appends
            .retain(|append| append.targets.iter().any(is_known));
    }

    /// Checks for errors that no front should make: it can't be refused later.
    fn check(&self, state: &State) -> Result<(), AppendError> {
        let log = self.log().ok_or(AppendError::Malformed("an empty part"))?;
        if state.topology.owner(log) == state.topology.own {
            return Err(AppendError::Malformed("a part of the shard itself"));
        }
        self.appends.iter().try_for_each(PartAppend::check)
    }

    /// Some log that it concerns.
    pub(crate) fn log(&self) -> Option<LogId> {
        let appended = self.appends.iter().flat_map(|append| &append.targets);
        let settled = self.settles.iter().map(|settle| settle.log);
        appended.copied().chain(settled).next()
    }

    /// The size of its bodies.
    pub(crate) fn body_bytes(&self) -> u64 {
        let sizes = self.appends.iter().map(|append| append.body.0.len() as u64);
        sizes.sum()
    }
}

impl State {
    /// Executes a part of another shard's commit, whose appends all have a log.
    pub(crate) fn commit_part(&self, part: CommitPart, now: Timestamp) -> Decision {
        let mut decision = Decision::nothing();
        let mut ahead = Ahead {
            is_final: true,
            ..Ahead::default()
        };
        for append in part.appends {
            let appended = self.logs.append_of_commit(append.into(), &mut ahead, now);
            // Nothing but a log that is gone refuses it.
            decision = decision.and(appended.unwrap_or_else(|_| Decision::nothing()));
        }
        for settle in part.settles {
            if let Ok(settled) = Settle::from(settle).decide(self, now) {
                decision = decision.and(settled.answered(()));
            }
        }
        decision
    }
}

impl PartAppend {
    /// A batch whose records would be in several partitions, or have ids, could be refused.
    fn check(&self) -> Result<(), AppendError> {
        let first = self.schedules.first().copied().unwrap_or_default();
        let is_alike = |it: &Schedule| {
            (it.key, it.priority, it.deduplication) == (first.key, first.priority, None)
        };
        if !self.schedules.iter().all(is_alike) {
            return Err(AppendError::Malformed(
                "a divided batch, or ids in a commit",
            ));
        }
        append::check(&self.clone().into())
    }
}

impl From<PartAppend> for Append {
    fn from(part: PartAppend) -> Self {
        let targets = part.targets.into_iter();
        Self {
            targets: targets.map(AppendTarget::any_partition).collect(),
            count: part.count,
            size_bytes: u32::try_from(part.body.0.len()).unwrap_or(u32::MAX),
            timestamp: part.timestamp,
            producer: None,
            columns: match part.schedules.is_empty() {
                true => Columns::default(),
                false => Columns::of(part.schedules),
            },
        }
    }
}

impl From<PartSettle> for Settle {
    fn from(part: PartSettle) -> Self {
        let is_kept = matches!(part.outcome, Outcome::Return(_));
        let items = part.items.into_iter().map(|item| SettleItem {
            lease: item.lease.filter(|_| is_kept),
            ..item
        });
        Self {
            log: part.log,
            ledger: part.ledger,
            items: items.collect(),
            outcome: part.outcome,
            durable: true,
        }
    }
}

impl fmt::Debug for PartBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for PartBody {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for PartBody {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        Ok(Self(bytes.into()))
    }
}
