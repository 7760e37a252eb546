//! Join: a client becomes a member, or a member joins again.
//!
//! Behaves as Kafka's JoinGroup: first joins by two steps (KIP-394), static members that replace
//! their former selves without a rebalance where the group is stable and nothing that the leader
//! sees has changed (KIP-345, KIP-814).

use std::sync::Arc;

use stele_base_types::{Name, Timestamp};

use super::{Group, rebalance};
use crate::{
    Decision, Error, GroupRecord, Reply,
    command::{Join, Token},
    group::{
        GroupState,
        live::Live,
        member::{Member, Profile, Waits},
        record::{Joining, Settlement},
        step::Step,
    },
    limits::{GROUP_JOIN_MS_MAX, GROUP_MEMBERS_MAX, GROUP_SESSION_TIMEOUT_MS},
    reply::JoinedGroup,
};

pub(super) fn decide(
    group: Option<&Group>,
    name: &Name,
    join: Join,
    token: Token,
    now: Timestamp,
) -> Decision {
    if !GROUP_SESSION_TIMEOUT_MS.contains(&join.session_timeout_ms) {
        return Decision::refuse(Error::SessionTimeout);
    }
    let none = Live::default();
    let joiner = Joiner {
        live: group.map_or(&none, |group| &group.live),
        name,
        token,
        now,
    };
    let is_new = join.member.is_empty();
    let id_required = join.member_id_required && join.instance.is_none();
    let profile = Arc::new(Profile::new(join));
    let decision = if !joiner.live.accepts(&profile) {
        Err(Error::InconsistentProtocol)
    } else if is_new {
        joiner.new_member(profile, id_required)
    } else {
        joiner.known_member(profile)
    };
    decision.unwrap_or_else(Decision::refuse)
}

/// A join, and the group that it is to.
struct Joiner<'a> {
    live: &'a Live,
    name: &'a Name,
    token: Token,
    now: Timestamp,
}

impl Joiner<'_> {
    fn new_member(&self, profile: Arc<Profile>, id_required: bool) -> Result<Decision, Error> {
        let is_taken = |id: &str| self.live.member(id).is_some() || self.live.is_invited(id);
        if profile.member.is_empty() || is_taken(&profile.member) {
            return Err(Error::UnknownMember);
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
            return Err(Error::Limit("members of a group"));
        }
        if !id_required {
            return Ok(self.admit(profile));
        }
        let mut step = Step::new(self.name);
        step.record(GroupRecord::Invited {
            member: profile.member.clone(),
            until: profile.until(self.now),
        });
        let required = Error::MemberIdRequired(profile.member.clone());
        Ok(step.answered(Err(required)))
    }

    fn known_member(&self, profile: Arc<Profile>) -> Result<Decision, Error> {
        if self.live.is_invited(&profile.member) {
            // Static members aren't asked to join twice: whoever has this name is another.
            return match profile.instance {
                Some(_) => Err(Error::UnknownMember),
                None => Ok(self.admit(profile)),
            };
        }
        let member = self
            .live
            .validated(&profile.member, profile.instance.as_deref())?;
        let is_leader = self.live.leader == profile.member;
        let is_unchanged = member.profile.protocols == profile.protocols;
        match self.live.state {
            GroupState::Empty | GroupState::Dead => Err(Error::UnknownMember),
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
    fn admit(&self, profile: Arc<Profile>) -> Decision {
        let mut step = Step::new(self.name);
        self.wait(&mut step, profile, None, true);
        step.unanswered()
    }

    /// A member keeps its static name, also where its client leaves that out.
    fn rejoin(&self, member: &Member, mut profile: Arc<Profile>) -> Decision {
        let mut step = Step::new(self.name);
        Arc::make_mut(&mut profile).instance = member.profile.instance.clone();
        if let Waits::Join(former) = member.waits {
            step.respond(former, Err(Error::RebalanceInProgress));
        }
        self.wait(&mut step, profile, None, false);
        step.unanswered()
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
    }

    /// Tells a member again what the group is.
    fn remind(&self, member: &Member) -> Decision {
        let mut step = Step::new(self.name);
        step.record(GroupRecord::Alive {
            member: member.profile.member.clone(),
            until: member.profile.until(self.now),
        });
        let joined = rebalance::joined(self.live, &member.profile.member);
        step.answered(Ok(Reply::Joined(Box::new(joined))))
    }

    /// A static member came back under a new id; its former self is fenced. Its metadata may
    /// differ, as it does where that tells the partitions that it had.
    fn replace(&self, former: &Member, profile: Arc<Profile>) -> Decision {
        let mut step = Step::new(self.name);
        if let Waits::Join(token) | Waits::Sync(token) = former.waits {
            step.respond(token, Err(Error::FencedInstance));
        }
        let protocol = &*self.live.protocol;
        let is_unseen = self.live.state == GroupState::Stable
            && rebalance::choose_protocol(self.after(former, &profile)) == Some(protocol);
        if !is_unseen {
            let former = &former.profile.member;
            self.wait(&mut step, profile, Some(former), false);
            return step.unanswered();
        }
        let settlement = self.settled_with(former, &profile);
        let is_leader = settlement.leader == profile.member;
        let mut joined = JoinedGroup {
            leader: settlement.leader.clone(),
            member: profile.member.clone(),
            skip_assignment: is_leader,
            ..rebalance::joined(self.live, "")
        };
        if is_leader {
            joined.members = rebalance::listed(self.after(former, &profile), protocol);
        }
        step.record(GroupRecord::Settled(Box::new(settlement), self.now));
        step.answered(Ok(Reply::Joined(Box::new(joined))))
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

    fn settled_with(&self, former: &Member, profile: &Arc<Profile>) -> Settlement {
        let replaced = &former.profile.member;
        let members = self.live.members().map(|member| {
            let stays = member.profile.member != *replaced;
            let profile = if stays { &member.profile } else { profile };
            (Arc::clone(profile), Arc::clone(&member.assignment))
        });
        let was_leader = self.live.leader == *replaced;
        Settlement {
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
