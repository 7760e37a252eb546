//! Join: a client becomes a member, or a member joins again.
//!
//! Behaves as Kafka's JoinGroup: first joins by two steps (KIP-394), static members that replace
//! their former selves without a rebalance where the group is stable and nothing that the leader
//! sees has changed (KIP-345, KIP-814).

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

/// Joins, or joins again; answered when the rebalance has gathered its members.
#[derive(Clone, Debug)]
pub struct JoinGroup {
    /// The group.
    pub group: Name,
    /// Its id; empty at first.
    pub member: Box<str>,
    /// The id that it gets where `member` is empty: made by the caller, since randomness enters
    /// as an argument.
    pub member_new: Box<str>,
    /// Static name (KIP-345).
    pub instance: Option<Box<str>>,
    /// For describing.
    pub client_id: Box<str>,
    /// For describing.
    pub client_host: Box<str>,
    /// Gone when silent for this long, in milliseconds.
    pub session_timeout_ms: u32,
    /// How long a rebalance waits for it to join again, in milliseconds.
    pub rebalance_timeout_ms: u32,
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// Assignors it can do, best first, each with its metadata.
    pub protocols: Vec<(Box<str>, Box<[u8]>)>,
    /// Answer a first join with [`JoinReply::Invited`] (KIP-394).
    pub member_id_required: bool,
    /// How long a group without members waits for others than the first one, in milliseconds
    /// (Kafka's `group.initial.rebalance.delay.ms`).
    pub gathering_ms: u32,
}

/// The answer to a join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinReply {
    /// It is a member.
    Joined(Box<JoinedGroup>),
    /// It must join again with this id (KIP-394).
    Invited(Box<str>),
}

/// What a rebalance comes to for one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedGroup {
    /// The generation that begins.
    pub generation: i32,
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// The assignor chosen.
    pub protocol: Box<str>,
    /// The leader's member id.
    pub leader: Box<str>,
    /// The member's own id.
    pub member: Box<str>,
    /// For the leader: every member. Empty for the others.
    pub members: Vec<JoinedMember>,
    /// The leader need not compute an assignment: a static member came back (KIP-814). A client
    /// that doesn't know of this must be told another leader than itself.
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
    /// What it changes and is answered with; `None` where it waits, which ends in
    /// [`crate::Effect::Joined`] with this token. A refusal changes nothing.
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

/// A join, and the group that it is to.
struct Joiner<'a> {
    live: &'a Live,
    name: &'a Name,
    token: Token,
    gathering_ms: u32,
    now: Timestamp,
}

impl Joiner<'_> {
    /// Whether there is room for what a client says of itself, in the place of what it has said.
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
            // Static members aren't asked to join twice: whoever has this name is another.
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
            // It hasn't seen the answer to its last join.
            GroupState::CompletingRebalance if is_unchanged => Ok(self.remind(member)),
            // A leader joins again to have the partitions assigned anew.
            GroupState::Stable if is_unchanged && !is_leader => Ok(self.remind(member)),
            GroupState::CompletingRebalance
            | GroupState::Stable
            | GroupState::PreparingRebalance => Ok(self.rejoin(member, profile)),
        }
    }

    /// A first join: the group gathers again.
    fn admit(&self, profile: Arc<Profile>) -> JoinDecision {
        let mut step = Step::new(self.name);
        self.wait(&mut step, profile, None, true);
        step.answered(None)
    }

    /// A member keeps its static name, also where its client leaves that out.
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
        // Before the member is put in, which would take it from those that wait for assignments.
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

    /// Tells a member again what the group is.
    fn remind(&self, member: &Member) -> JoinDecision {
        let mut step = Step::new(self.name);
        step.record(GroupRecord::Alive {
            member: member.profile.member.clone(),
            until: member.profile.until(self.now),
        });
        let joined = rebalance::joined(self.live, &member.profile.member);
        step.answered(Some(JoinReply::Joined(Box::new(joined))))
    }

    /// A static member came back under a new id; its former self is fenced. Its metadata may
    /// differ, as it does where that tells the partitions that it had.
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

    /// The profiles of the members, with `profile` in the place of `former`.
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
