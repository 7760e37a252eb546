//! Consumer groups: Kafka's classic protocol and the offsets that groups commit.
//!
//! ```text
//!  Groups ── Group ─┬─ offsets, assignments    journalled: what a restart finds
//!    │              └─ Live                    members, what they wait for, deadlines
//!    └─ deadlines: groups by their next deadline
//! ```
//!
//! A command takes one step. What follows from it (the last member has joined, so the rebalance
//! ends) is due at once, and taken by the next [`crate::State::tick`].
//!
//! Invariants
//! - Assignments change by journalled records alone, and `Live` after a restart follows from them.
//! - A token is answered once: when what it waits for comes, or its member is gone or asks anew.

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
    /// What all of them hold.
    bytes: GroupBytes,
}

/// A group.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Group {
    pub(crate) offsets: BTreeMap<PartitionId, Committed>,
    pub(crate) assignments: Assignments,
    /// Partitions of logs that keep what isn't acknowledged, which its members read and of which it
    /// has committed nothing yet. It holds all that is there.
    pub(crate) reading: BTreeSet<PartitionId>,
    /// When it last lost its last member, got its assignments, or had an offset committed.
    pub(crate) touched: Timestamp,
    /// Neither this nor what follows is stored.
    live: Live,
    /// What `offsets` take. Follows from them.
    offsets_bytes: usize,
    /// Where it lies in the index of deadlines.
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

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupState {
    /// No members.
    #[default]
    Empty,
    /// Gathering members.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// At work.
    Stable,
    /// Gone.
    Dead,
}

impl GroupState {
    /// Kafka's word for it.
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
    /// The buckets that have groups.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = u8> {
        self.groups.numbers()
    }

    /// The groups of a bucket, if it has any.
    pub(crate) fn bucket(&self, number: u8) -> Option<&BTreeMap<Name, Group>> {
        self.groups.bucket(number)
    }

    /// Takes in groups that aren't here yet, as they were stored. Their deadlines come with the
    /// process: [`Groups::started`].
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

    /// The process started anew: each group is what was journalled of it.
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
                // What it was before isn't the same for a restart, which may not have known the
                // group until now.
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

    /// The group goes with its offsets.
    fn end(&self, step: &mut Step<'_>) {
        step.record(GroupRecord::Deleted);
        let held = self.offsets.keys().chain(&self.reading);
        step.move_cursors(held.map(|partition| (*partition, None)));
    }

    /// Whether it holds what it hasn't read of a partition.
    fn holds(&self, partition: &PartitionId) -> bool {
        self.offsets.contains_key(partition) || self.reading.contains(partition)
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.live.next_deadline().or_else(|| self.expires())
    }

    /// When its offsets are forgotten.
    fn expires(&self) -> Option<Timestamp> {
        let is_empty = self.live.state == GroupState::Empty;
        is_empty.then(|| self.touched.plus_ms(GROUP_RETENTION_MS))
    }

    /// Whether nothing is known of it that isn't true of any name.
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
