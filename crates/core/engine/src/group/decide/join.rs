//! Join: a client becomes a member, or a member joins again.
//!
//! Behaves as Kafka's JoinGroup: first joins take two steps (KIP-394), and a returning static
//! member replaces its former id without a rebalance if the group is stable and nothing that the
//! leader sees has changed (KIP-345, KIP-814).

use std::sync::Arc;

use stele_base_types::{Name, Timestamp};

use super::rebalance;
use crate::{
    Decision, GroupError, GroupRecord, State, Token,
    group::{
        GroupState, Groups,
        live::Live,
        member::{Member, Profile, Waits},
        record::{Assignments, Gathering, Joining},
        step::Step,
    },
    limits::{GROUP_JOIN_MS_MAX, GROUP_MEMBERS_MAX, GROUP_SESSION_TIMEOUT_MS},
};

/// Joins a group, or joins it again. The answer comes when the rebalance has gathered the members.
#[derive(Clone, Debug)]
pub struct JoinGroup {
    /// The group.
    pub group: Name,
    /// Its id; empty in a first join.
    pub member: Box<str>,
    /// The id it gets if `member` is empty. The caller generates it, since the engine draws no
    /// random numbers.
    pub member_new: Box<str>,
    /// Its static name, if any (KIP-345).
    pub instance: Option<Box<str>>,
    /// Shown when describing the group.
    pub client_id: Box<str>,
    /// Shown when describing the group.
    pub client_host: Box<str>,
    /// The session timeout in milliseconds: a member silent for longer is removed.
    pub session_timeout_ms: u32,
    /// How long a rebalance waits for it to join again, in milliseconds.
    pub rebalance_timeout_ms: u32,
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// The assignors it supports, best first, each with its metadata.
    pub protocols: Vec<(Box<str>, Box<[u8]>)>,
    /// Whether to answer a first join with [`JoinReply::Invited`] (KIP-394).
    pub member_id_required: bool,
    /// How long a group without members waits for more of them after the first, in milliseconds
    /// (Kafka's `group.initial.rebalance.delay.ms`).
    pub gathering_ms: u32,
}

/// The answer to a join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinReply {
    /// It has joined.
    Joined(Box<JoinedGroup>),
    /// It must join again with this id (KIP-394).
    Invited(Box<str>),
}

/// The result of a rebalance for one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedGroup {
    /// The new generation.
    pub generation: i32,
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// The assignor chosen.
    pub protocol: Box<str>,
    /// The leader's member id.
    pub leader: Box<str>,
    /// The member's own id.
    pub member: Box<str>,
    /// For the leader: all members. Empty for the others.
    pub members: Vec<JoinedMember>,
    /// The leader need not compute an assignment, because a static member came back (KIP-814).
    /// Clients that don't know this field must be told a leader other than themselves.
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

type JoinDecision = Decision<Option<JoinReply>>;

impl JoinGroup {
    /// The decision on it, without a reply if it has to wait. Then an [`crate::Effect::Joined`]
    /// with this token follows. A refused join changes nothing.
    pub fn decide(
        self,
        token: Token,
        state: &State,
        now: Timestamp,
    ) -> Result<JoinDecision, GroupError> {
        let name = self.group.clone();
        let group = state.groups.of_member(&name)?;
        if !GROUP_SESSION_TIMEOUT_MS.contains(&self.session_timeout_ms) {
            return Err(GroupError::SessionTimeout);
        }
        let none = Live::default();
        let joiner = Joiner {
            live: group.map_or(&none, |group| &group.live),
            name: &name,
            token,
            gathering_ms: self.gathering_ms,
            now,
        };
        let is_new = self.member.is_empty();
        let id_required = self.member_id_required && self.instance.is_none();
        let profile = Arc::new(Profile::new(self));
        if !joiner.live.accepts(&profile) {
            Err(GroupError::InconsistentProtocol)
        } else if !joiner.has_room(&profile, &state.groups) {
            Err(GroupError::Full)
        } else if is_new {
            joiner.new_member(profile, id_required)
        } else {
            joiner.known_member(profile)
        }
    }
}

/// A join and its group.
struct Joiner<'a> {
    live: &'a Live,
    name: &'a Name,
    token: Token,
    gathering_ms: u32,
    now: Timestamp,
}

impl Joiner<'_> {
    /// Whether there is memory for a client's profile, counting what it replaces.
    fn has_room(&self, profile: &Profile, groups: &Groups) -> bool {
        let named = profile.instance.as_deref();
        let named = named.and_then(|instance| self.live.static_member(instance));
        let former = self.live.member(named.unwrap_or(&profile.member));
        let former_bytes = former.map_or(0, |member| member.profile.bytes());
        groups.has_room_for_members(self.live, profile.bytes().saturating_sub(former_bytes))
    }

    fn new_member(
        &self,
        profile: Arc<Profile>,
        id_required: bool,
    ) -> Result<JoinDecision, GroupError> {
        let is_taken = |id: &str| self.live.member(id).is_some() || self.live.is_invited(id);
        if profile.member.is_empty() || is_taken(&profile.member) {
            return Err(GroupError::UnknownMember);
        }
        let former = profile
            .instance
            .as_deref()
            .and_then(|instance| self.live.static_member(instance))
            .and_then(|member| self.live.member(member));
        if let Some(former) = former {
            return Ok(self.replace(former, profile));
        }
        if self.live.population() >= GROUP_MEMBERS_MAX {
            return Err(GroupError::Full);
        }
        if !id_required {
            return Ok(self.admit(profile));
        }
        let mut step = Step::new(self.name);
        step.record(GroupRecord::Invited {
            member: profile.member.clone(),
            until: profile.until(self.now),
        });
        let invited = JoinReply::Invited(profile.member.clone());
        Ok(step.answered(Some(invited)))
    }

    fn known_member(&self, profile: Arc<Profile>) -> Result<JoinDecision, GroupError> {
        if self.live.is_invited(&profile.member) {
            // Static members join in one step, so the member with this name is another client.
            return match profile.instance {
                Some(_) => Err(GroupError::UnknownMember),
                None => Ok(self.admit(profile)),
            };
        }
        let member = self
            .live
            .validated(&profile.member, profile.instance.as_deref())?;
        let is_leader = self.live.leader == profile.member;
        let is_unchanged = member.profile.protocols == profile.protocols;
        match self.live.state {
            GroupState::Empty | GroupState::Dead => Err(GroupError::UnknownMember),
            // The member hasn't received the answer to its last join.
            GroupState::CompletingRebalance if is_unchanged => Ok(self.remind(member)),
            // When a leader joins again, it wants the partitions reassigned.
            GroupState::Stable if is_unchanged && !is_leader => Ok(self.remind(member)),
            GroupState::CompletingRebalance
            | GroupState::Stable
            | GroupState::PreparingRebalance => Ok(self.rejoin(member, profile)),
        }
    }

    /// Admits a new member, which starts a rebalance.
    fn admit(&self, profile: Arc<Profile>) -> JoinDecision {
        let mut step = Step::new(self.name);
        self.wait(&mut step, profile, None, true);
        step.answered(None)
    }

    /// Lets a member join again. It keeps its static name even if its client omits it.
    fn rejoin(&self, member: &Member, mut profile: Arc<Profile>) -> JoinDecision {
        let mut step = Step::new(self.name);
        Arc::make_mut(&mut profile).instance = member.profile.instance.clone();
        if let Waits::Join(former) = member.waits {
            step.tell_joined(former, Err(GroupError::RebalanceInProgress));
        }
        self.wait(&mut step, profile, None, false);
        step.answered(None)
    }

    fn wait(
        &self,
        step: &mut Step<'_>,
        profile: Arc<Profile>,
        replaces: Option<&str>,
        is_new: bool,
    ) {
        let joining = Joining {
            profile: Arc::clone(&profile),
            replaces: replaces.map(Box::from),
            token: self.token,
            until: is_new.then(|| self.now.plus_ms(GROUP_JOIN_MS_MAX)),
        };
        // Must come before the member is added, which removes it from those waiting for
        // assignments.
        if self.live.state != GroupState::PreparingRebalance {
            rebalance::prepare(
                step,
                self.live,
                Some(&profile),
                |id| Some(id) == replaces,
                self.now,
            );
        }
        step.record(GroupRecord::Joining(Box::new(joining)));
        if self.live.state == GroupState::Empty && self.gathering_ms > 0 {
            let timeout_ms = Live::rebalance_timeout_ms([&*profile].into_iter());
            let delay_ms = self.gathering_ms;
            step.record(GroupRecord::Gathering(Gathering {
                until: self.now.plus_ms(delay_ms.into()),
                last: self.now.plus_ms(timeout_ms.max(delay_ms.into())),
                delay_ms,
            }));
        }
    }

    /// Repeats the group's current generation to a member.
    fn remind(&self, member: &Member) -> JoinDecision {
        let mut step = Step::new(self.name);
        step.record(GroupRecord::Alive {
            member: member.profile.member.clone(),
            until: member.profile.until(self.now),
        });
        let joined = rebalance::joined(self.live, &member.profile.member);
        step.answered(Some(JoinReply::Joined(Box::new(joined))))
    }

    /// Replaces a static member that came back under a new id; the old id is fenced. Its metadata
    /// may differ, for example if it lists the partitions that the member had.
    fn replace(&self, former: &Member, profile: Arc<Profile>) -> JoinDecision {
        let mut step = Step::new(self.name);
        step.refuse(former.waits, GroupError::FencedInstance);
        let protocol = &*self.live.protocol;
        let is_unseen = self.live.state == GroupState::Stable
            && rebalance::choose_protocol(self.after(former, &profile)) == Some(protocol);
        if !is_unseen {
            let former = &former.profile.member;
            self.wait(&mut step, profile, Some(former), false);
            return step.answered(None);
        }
        let assignments = self.assignments_with(former, &profile);
        let is_leader = assignments.leader == profile.member;
        let mut joined = JoinedGroup {
            leader: assignments.leader.clone(),
            member: profile.member.clone(),
            skip_assignment: is_leader,
            ..rebalance::joined(self.live, "")
        };
        if is_leader {
            joined.members = rebalance::listed(self.after(former, &profile), protocol);
        }
        step.record(GroupRecord::Assigned(Box::new(assignments), self.now));
        step.answered(Some(JoinReply::Joined(Box::new(joined))))
    }

    /// The members' profiles, with `profile` in the place of `former`.
    fn after<'a>(
        &'a self,
        former: &'a Member,
        profile: &'a Profile,
    ) -> impl Iterator<Item = &'a Profile> + Clone {
        let former = &former.profile.member;
        self.live.members().map(move |member| {
            if member.profile.member == *former {
                profile
            } else {
                &*member.profile
            }
        })
    }

    fn assignments_with(&self, former: &Member, profile: &Arc<Profile>) -> Assignments {
        let replaced = &former.profile.member;
        let members = self.live.members().map(|member| {
            let stays = member.profile.member != *replaced;
            let profile = if stays { &member.profile } else { profile };
            (Arc::clone(profile), Arc::clone(&member.assignment))
        });
        let was_leader = self.live.leader == *replaced;
        Assignments {
            generation: self.live.generation,
            protocol_type: self.live.protocol_type.clone(),
            protocol: self.live.protocol.clone(),
            leader: if was_leader {
                profile.member.clone()
            } else {
                self.live.leader.clone()
            },
            members: members.collect(),
        }
    }
}
