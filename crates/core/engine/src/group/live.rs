//! The volatile state of a group: its members, what they wait for, its deadlines.
//!
//! ```text
//!          first join                 all joined, or deadline
//!  Empty ────────────► Preparing ───────────────────────────► Completing ──► Stable
//!    ▲                  │     ▲                                  │ leader's     │
//!    └──────────────────┘     └──────────────────────────────────┴─────────────┘
//!       nobody joined            a member joins, changes, leaves or times out
//! ```
//!
//! Invariants
//! - `joined` and the fields after it are derived from `members` and `invited`.
//! - All members support at least one common assignor.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use stele_base_types::Timestamp;

use super::{
    GroupError, GroupState,
    bytes::id_bytes,
    member::{Member, Profile, Waits},
    record::{Assignments, Gathering, Joining},
};
use crate::limits::GROUP_REBALANCE_TIMEOUT_MS_MIN;

/// A deadline that has always passed.
const AT_ONCE: Timestamp = Timestamp(i64::MIN);

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Live {
    pub(super) state: GroupState,
    pub(super) generation: i32,
    pub(super) protocol_type: Box<str>,
    pub(super) protocol: Box<str>,
    pub(super) leader: Box<str>,
    members: BTreeMap<Box<str>, Member>,
    /// Ids given to clients that are to join with them (KIP-394), and how long each is valid.
    invited: BTreeMap<Box<str>, Timestamp>,
    /// The deadline of a rebalance, then of the syncs after it.
    deadline: Option<Timestamp>,
    /// Delays the end of a first rebalance, even if all members are there.
    gathering: Option<Gathering>,
    /// Whether a new member has come since the last delay.
    has_newcomer: bool,
    /// Whether the group was found after a restart and its members have no deadlines yet.
    is_found: bool,
    /// The number of members that wait for the rebalance to end.
    joined: usize,
    /// The number of members that haven't requested their assignment.
    unsynced: usize,
    /// How many members support each assignor.
    support: BTreeMap<Box<str>, usize>,
    /// Member ids by static name.
    statics: BTreeMap<Box<str>, Box<str>>,
    /// Members and invitations, by when they expire.
    sessions: BTreeSet<(Timestamp, Box<str>)>,
    /// The memory that members and invitations take.
    bytes: usize,
}

impl Live {
    /// The state after a restart.
    pub(super) fn found(assignments: &Assignments) -> Self {
        let mut live = Self::default();
        live.assign(assignments, None);
        live
    }

    pub(super) fn invite(&mut self, member: Box<str>, until: Timestamp) {
        self.sessions.insert((until, member.clone()));
        let bytes = id_bytes(&member);
        if self.invited.insert(member, until).is_none() {
            self.bytes += bytes;
        }
    }

    pub(super) fn join(&mut self, joining: &Joining) {
        let profile = &joining.profile;
        self.has_newcomer |= joining.until.is_some();
        self.remove(&profile.member);
        if let Some(replaced) = &joining.replaces {
            self.remove(replaced);
            if self.leader == *replaced {
                self.leader = profile.member.clone();
            }
        }
        if self.members.is_empty() {
            self.protocol_type = profile.protocol_type.clone();
        }
        self.insert(Member {
            waits: Waits::Join(joining.token),
            until: joining.until,
            ..Member::new(Arc::clone(profile))
        });
    }

    pub(super) fn gather(&mut self, gathering: Gathering) {
        self.gathering = Some(gathering);
        self.has_newcomer = false;
    }

    pub(super) fn prepare(&mut self, at: Timestamp, deadline: Timestamp) {
        self.gathering = None;
        self.state = GroupState::PreparingRebalance;
        self.deadline = Some(deadline);
        self.change_all(|member| {
            if matches!(member.waits, Waits::Sync(_)) {
                member.answered(at);
            }
            member.synced = true;
        });
    }

    pub(super) fn form(
        &mut self,
        (generation, protocol, leader): (i32, &str, &str),
        at: Timestamp,
        deadline: Timestamp,
    ) {
        self.state = GroupState::CompletingRebalance;
        self.gathering = None;
        self.generation = generation;
        self.protocol = protocol.into();
        self.leader = leader.into();
        self.deadline = Some(deadline);
        self.change_all(|member| {
            if member.joins() {
                member.answered(at);
            }
            member.assignment = Arc::default();
            member.synced = false;
        });
    }

    /// Installs a generation with its assignments. The members' sessions last until one timeout
    /// after `now`; after a restart, until one after they are found.
    pub(super) fn assign(&mut self, assignments: &Assignments, now: Option<Timestamp>) {
        self.generation = assignments.generation;
        self.protocol_type = assignments.protocol_type.clone();
        self.protocol = assignments.protocol.clone();
        self.leader = assignments.leader.clone();
        self.state = GroupState::Stable;
        self.gathering = None;
        if assignments.members.is_empty() {
            self.state = GroupState::Empty;
            self.deadline = None;
        }
        self.is_found = now.is_none() && !assignments.members.is_empty();
        let mut former = std::mem::take(&mut self.members);
        self.forget_derived();
        for (profile, assignment) in &assignments.members {
            let mut member = former
                .remove(&profile.member)
                .unwrap_or_else(|| Member::new(Arc::clone(profile)));
            member.synced |= member.waits != Waits::No || profile.member == assignments.leader;
            if let Some(now) = now
                && (member.waits != Waits::No || member.until.is_none())
            {
                member.answered(now);
            }
            member.profile = Arc::clone(profile);
            member.assignment = Arc::clone(assignment);
            self.insert(member);
        }
    }

    pub(super) fn resume(&mut self, now: Timestamp) {
        self.is_found = false;
        self.change_all(|member| member.until = Some(member.profile.until(now)));
    }

    /// Changes a member, if it exists.
    pub(super) fn change(&mut self, member: &str, change: impl FnOnce(&mut Member)) {
        if let Some(mut found) = self.take(member) {
            change(&mut found);
            self.insert(found);
        }
    }

    /// Removes a member or an invitation.
    pub(super) fn remove(&mut self, member: &str) {
        self.take(member);
        if let Some(until) = self.invited.remove(member) {
            self.sessions.remove(&(until, member.into()));
            self.bytes -= id_bytes(member);
        }
    }

    pub(super) fn member(&self, member: &str) -> Option<&Member> {
        self.members.get(member)
    }

    pub(super) fn members(&self) -> impl ExactSizeIterator<Item = &Member> + Clone {
        self.members.values()
    }

    pub(super) fn is_invited(&self, member: &str) -> bool {
        self.invited.contains_key(member)
    }

    /// The memory that members and invitations take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of members and invitations.
    pub(super) fn population(&self) -> usize {
        self.members.len() + self.invited.len()
    }

    /// The id of the member with a static name.
    pub(super) fn static_member(&self, instance: &str) -> Option<&str> {
        self.statics.get(instance).map(|member| &**member)
    }

    /// The member with an id, which must have the static name if one is given.
    pub(super) fn validated(
        &self,
        member: &str,
        instance: Option<&str>,
    ) -> Result<&Member, GroupError> {
        if let Some(instance) = instance {
            let named = self
                .static_member(instance)
                .ok_or(GroupError::UnknownMember)?;
            if named != member {
                return Err(GroupError::FencedInstance);
            }
        }
        self.member(member).ok_or(GroupError::UnknownMember)
    }

    /// Whether a member with these assignors is compatible with the others.
    pub(super) fn accepts(&self, profile: &Profile) -> bool {
        if self.members.is_empty() {
            return !profile.protocol_type.is_empty() && !profile.protocols.is_empty();
        }
        let by_all = |name: &str| self.support.get(name) == Some(&self.members.len());
        profile.protocol_type == self.protocol_type
            && profile.protocols.iter().any(|(name, _)| by_all(name))
    }

    /// The next deadline.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        if self.is_found || self.is_complete() {
            return Some(AT_ONCE);
        }
        let silent = self.sessions.first().map(|(until, _)| *until);
        let late = match self.gathering {
            Some(gathering) => Some(gathering.until),
            None => self.deadline.filter(|_| self.awaits_members()),
        };
        [silent, late].into_iter().flatten().min()
    }

    /// Whether members found after a restart have no deadlines yet.
    pub(super) fn is_found(&self) -> bool {
        self.is_found
    }

    /// Whether a rebalance can end, as all members are there.
    pub(super) fn is_complete(&self) -> bool {
        self.state == GroupState::PreparingRebalance
            && self.gathering.is_none()
            && self.joined == self.members.len()
            && self.invited.is_empty()
    }

    /// Whether a first rebalance has been delayed for long enough, and if so, the next delay, if
    /// any. As in Kafka, for members that are new to a group that had none.
    pub(super) fn gathered(&self, now: Timestamp) -> Option<Option<Gathering>> {
        let due = self.gathering.filter(|gathering| gathering.until <= now)?;
        let is_longer = self.has_newcomer && self.generation == 0 && due.until < due.last;
        Some(is_longer.then(|| Gathering {
            until: now.plus_ms(due.delay_ms.into()).min(due.last),
            ..due
        }))
    }

    /// Whether the deadline has passed.
    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        let is_over = self.deadline.is_some_and(|deadline| deadline <= now);
        is_over && self.gathering.is_none() && self.awaits_members()
    }

    /// A member or an invitation that has expired, the earliest first.
    pub(super) fn silent(&self, now: Timestamp) -> Option<&str> {
        let (until, member) = self.sessions.first()?;
        (*until <= now).then_some(member)
    }

    /// How long a rebalance waits for these members.
    pub(super) fn rebalance_timeout_ms<'a>(members: impl Iterator<Item = &'a Profile>) -> u64 {
        let longest = members.map(|profile| profile.rebalance_timeout_ms).max();
        let longest = longest.unwrap_or(0).max(GROUP_REBALANCE_TIMEOUT_MS_MIN);
        longest.into()
    }

    /// Recomputes what is derived from the members.
    #[cfg(test)]
    pub(super) fn recount(&mut self) {
        self.change_all(|_| {});
    }

    fn awaits_members(&self) -> bool {
        match self.state {
            GroupState::PreparingRebalance => true,
            GroupState::CompletingRebalance | GroupState::Stable => self.unsynced > 0,
            GroupState::Empty | GroupState::Dead => false,
        }
    }

    fn change_all(&mut self, mut change: impl FnMut(&mut Member)) {
        let members = std::mem::take(&mut self.members);
        self.forget_derived();
        for (_, mut member) in members {
            change(&mut member);
            self.insert(member);
        }
    }

    fn insert(&mut self, member: Member) {
        let profile = Arc::clone(&member.profile);
        self.bytes += member.bytes();
        self.joined += usize::from(member.joins());
        self.unsynced += usize::from(!member.synced);
        for (protocol, _) in &profile.protocols {
            *self.support.entry(protocol.clone()).or_default() += 1;
        }
        if let Some(instance) = &profile.instance {
            self.statics
                .insert(instance.clone(), profile.member.clone());
        }
        if let Some(until) = member.until {
            self.sessions.insert((until, profile.member.clone()));
        }
        self.members.insert(profile.member.clone(), member);
    }

    fn take(&mut self, member: &str) -> Option<Member> {
        let member = self.members.remove(member)?;
        let profile = &member.profile;
        self.bytes -= member.bytes();
        self.joined -= usize::from(member.joins());
        self.unsynced -= usize::from(!member.synced);
        for (protocol, _) in &profile.protocols {
            if let Some(count) = self.support.get_mut(protocol) {
                *count -= 1;
                if *count == 0 {
                    self.support.remove(protocol);
                }
            }
        }
        if let Some(instance) = &profile.instance {
            self.statics.remove(instance);
        }
        if let Some(until) = member.until {
            self.sessions.remove(&(until, profile.member.clone()));
        }
        Some(member)
    }

    /// Resets what is derived from the members, before they are added again.
    fn forget_derived(&mut self) {
        self.joined = 0;
        self.unsynced = 0;
        self.support.clear();
        self.statics.clear();
        self.bytes = self.invited.keys().map(|member| id_bytes(member)).sum();
        self.sessions = self
            .invited
            .iter()
            .map(|(member, until)| (*until, member.clone()))
            .collect();
    }
}
