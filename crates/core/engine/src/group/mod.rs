//! Consumer groups: Kafka's classic protocol and the offsets that groups commit.
//!
//! ```text
//!  Groups ── Group ─┬─ offsets, assignments    journalled: survive a restart
//!    │              └─ Live                    members, what they wait for, deadlines
//!    └─ deadlines: groups by their next deadline
//! ```
//!
//! A command takes one step. If another step follows from it (the last member has joined, so the
//! rebalance ends), that is due at once, and the next [`crate::State::tick`] takes it.
//!
//! Invariants
//! - Assignments change only by journalled records, and `Live` is derived from them after a
//!   restart.
//! - A token is answered once: when its result is there, or when its member has gone or asks again.

mod buckets;
mod bytes;
mod decide;
mod error;
mod live;
mod member;
mod record;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stele_base_types::{Name, Offset, PartitionId, Timestamp};

pub(crate) use self::buckets::bucket_of;
pub use self::bytes::GroupBytes;
use self::{buckets::Buckets, live::Live, member::Waits, record::Assignments, step::Step};
pub use self::{
    decide::{
        CommitOffset, CommitOffsets, DeleteGroup, DeleteOffsets, DescribeGroup, FetchOffsets,
        ForgetLog, GroupCommand, GroupDescription, GroupListing, Heartbeat, HeartbeatReply,
        JoinGroup, JoinReply, JoinedGroup, JoinedMember, LeaveGroup, ListGroups, MemberDescription,
        OffsetEntry, SyncGroup, SyncedGroup,
    },
    error::GroupError,
    member::Profile as GroupMemberProfile,
    record::{
        Assignments as GroupAssignments, Gathering as GroupGathering, GroupRecord,
        Joining as GroupJoining,
    },
};
use crate::{limits::GROUP_RETENTION_MS, stored::stored_fields};

/// The groups of a shard.
#[derive(Debug, Default, PartialEq)]
pub struct Groups {
    groups: Buckets,
    deadlines: BTreeSet<(Timestamp, Name)>,
    /// The memory that all of them use.
    bytes: GroupBytes,
}

/// A group.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Group {
    pub(crate) offsets: BTreeMap<PartitionId, Committed>,
    pub(crate) assignments: Assignments,
    /// Partitions that its members read and of which it hasn't committed an offset yet. It holds
    /// all their records, where the log is a queue.
    pub(crate) reading: BTreeSet<PartitionId>,
    /// When it last lost its last member, got its assignments, or had an offset committed.
    pub(crate) touched: Timestamp,
    /// This and the following fields aren't stored.
    live: Live,
    /// The memory that `offsets` takes. Derived from them.
    offsets_bytes: usize,
    /// Its entry in the index of deadlines.
    deadline: Option<Timestamp>,
}

stored_fields! {
    Group {
        Offsets offsets: BTreeMap<PartitionId, Committed>,
        Assignments assignments: Assignments,
        Touched touched: Timestamp,
        Reading reading: BTreeSet<PartitionId>,
    }
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Committed {
    offset: Offset,
    leader_epoch: i32,
    metadata: Box<str>,
}

/// The state of a group, as in Kafka.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupState {
    /// No members.
    #[default]
    Empty,
    /// A rebalance gathers the members.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// All members have their assignments.
    Stable,
    /// Deleted.
    Dead,
}

impl GroupState {
    /// Kafka's name of it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

impl Groups {
    /// The numbers of the non-empty buckets.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = u8> {
        self.groups.numbers()
    }

    /// The groups of a bucket, if there are any.
    pub(crate) fn bucket(&self, number: u8) -> Option<&BTreeMap<Name, Group>> {
        self.groups.bucket(number)
    }

    /// Adds stored groups that aren't here yet. They get deadlines when the process starts:
    /// [`Groups::started`].
    pub(crate) fn load(&mut self, groups: BTreeMap<Name, Group>) {
        for (name, mut group) in groups {
            group.offsets_bytes = group.offsets.values().map(Committed::bytes).sum();
            self.count(GroupBytes::default(), group.bytes());
            self.groups.insert(name, group);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(crate) fn apply(&mut self, name: &Name, record: &GroupRecord) {
        if *record == GroupRecord::Deleted {
            if let Some(group) = self.groups.remove(name.as_str()) {
                self.count(group.bytes(), GroupBytes::default());
                self.unindex(name, group.deadline);
            }
            return;
        }
        let group = self.groups.get_or_make(name);
        let before = group.bytes();
        group.apply(record);
        let after = group.bytes();
        self.count(before, after);
        self.reindex(name);
    }

    /// Resets each group to what was journalled of it, because the process was restarted.
    pub(crate) fn started(&mut self) {
        self.deadlines.clear();
        self.bytes = GroupBytes::default();
        let mut all = Vec::new();
        for group in self.groups.values_mut() {
            group.live = Live::found(&group.assignments);
            group.deadline = None;
            all.push(group.bytes());
        }
        for bytes in all {
            self.count(GroupBytes::default(), bytes);
        }
        let names: Vec<_> = self.groups.iter().map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| self.reindex(name));
    }

    fn reindex(&mut self, name: &Name) {
        let Some(group) = self.groups.get_mut(name.as_str()) else {
            return;
        };
        let (before, deadline) = (group.deadline, group.next_deadline());
        group.deadline = deadline;
        if group.is_void() {
            self.groups.remove(name.as_str());
            self.unindex(name, before);
        } else if before != deadline {
            self.unindex(name, before);
            self.deadlines.extend(deadline.map(|at| (at, name.clone())));
        }
    }

    fn unindex(&mut self, name: &Name, deadline: Option<Timestamp>) {
        if let Some(at) = deadline {
            self.deadlines.remove(&(at, name.clone()));
        }
    }
}

impl Group {
    fn apply(&mut self, record: &GroupRecord) {
        let live = &mut self.live;
        match record {
            GroupRecord::Committed { offsets, at } => {
                self.touched = *at;
                for (partition, committed) in offsets.iter().map(Committed::of) {
                    self.reading.remove(&partition);
                    self.offsets_bytes += committed.bytes();
                    let former = self.offsets.insert(partition, committed);
                    self.offsets_bytes -= former.map_or(0, |former| former.bytes());
                }
            }
            GroupRecord::Forgotten(partitions) => {
                for partition in partitions {
                    self.reading.remove(partition);
                    let former = self.offsets.remove(partition);
                    self.offsets_bytes -= former.map_or(0, |former| former.bytes());
                }
            }
            GroupRecord::Assigned(assignments, at) => {
                // Not kept from before: after a restart, the group may not have existed until now.
                self.touched = *at;
                self.assignments = (**assignments).clone();
                live.assign(assignments, Some(*at));
            }
            GroupRecord::Emptied {
                generation,
                protocol_type,
                at,
            } => {
                self.touched = *at;
                self.assignments = Assignments {
                    generation: *generation,
                    protocol_type: protocol_type.clone(),
                    ..Assignments::default()
                };
                live.assign(&self.assignments, Some(*at));
            }
            GroupRecord::Deleted => {}
            GroupRecord::Reading(partitions) => {
                self.reading = partitions.iter().copied().collect();
            }
            GroupRecord::Invited { member, until } => live.invite(member.clone(), *until),
            GroupRecord::Joining(joining) => live.join(joining),
            GroupRecord::Preparing { at, deadline } => live.prepare(*at, *deadline),
            GroupRecord::Formed {
                generation,
                protocol,
                leader,
                at,
                deadline,
            } => live.form((*generation, protocol, leader), *at, *deadline),
            GroupRecord::Syncing { member, token } => live.change(member, |member| {
                member.waits = Waits::Sync(*token);
                member.until = None;
                member.synced = true;
            }),
            GroupRecord::Synced { member, until } => live.change(member, |member| {
                member.synced = true;
                member.until = Some(*until);
            }),
            GroupRecord::Alive { member, until } => live.change(member, |member| {
                member.until = member.until.and(Some(*until));
            }),
            GroupRecord::Removed(member) => live.remove(member),
            GroupRecord::Resumed(at) => live.resume(*at),
            GroupRecord::Gathering(gathering) => live.gather(*gathering),
        }
    }

    /// Removes the group with its offsets.
    fn end(&self, step: &mut Step<'_>) {
        step.record(GroupRecord::Deleted);
        let held = self.offsets.keys().chain(&self.reading);
        step.move_cursors(held.map(|partition| (*partition, None)));
    }

    /// Whether it holds the unread records of a partition.
    fn holds(&self, partition: &PartitionId) -> bool {
        self.offsets.contains_key(partition) || self.reading.contains(partition)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.live.next_deadline().or_else(|| self.expires())
    }

    /// When its offsets expire.
    fn expires(&self) -> Option<Timestamp> {
        let is_empty = self.live.state == GroupState::Empty;
        is_empty.then(|| self.touched.plus_ms(GROUP_RETENTION_MS))
    }

    /// Whether it has no content, like a group that doesn't exist.
    fn is_void(&self) -> bool {
        self.offsets.is_empty()
            && self.reading.is_empty()
            && self.assignments == Assignments::default()
            && self.live.state == GroupState::Empty
            && self.live.population() == 0
    }
}

impl Committed {
    fn of(offset: &CommitOffset) -> (PartitionId, Self) {
        let committed = Self {
            offset: offset.offset,
            leader_epoch: offset.leader_epoch,
            metadata: offset.metadata.clone(),
        };
        (offset.partition, committed)
    }
}

#[cfg(test)]
mod tests;
