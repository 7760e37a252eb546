//! The steps of a rebalance that no command requests: it begins because a member came or left, and
//! ends when all have joined again or time is up.

use std::collections::BTreeMap;

use stele_base_types::{Name, Timestamp};

use super::{JoinedGroup, JoinedMember};
use crate::{
    Decision, GroupError, GroupRecord,
    group::{
        GroupState,
        live::Live,
        member::{Member, Profile, Waits},
        step::Step,
    },
};

/// Begins a rebalance among the members that aren't `gone`, and `newcomer`. Members that wait for
/// an assignment are told to join again.
pub(super) fn prepare(
    step: &mut Step<'_>,
    live: &Live,
    newcomer: Option<&Profile>,
    gone: impl Fn(&str) -> bool,
    now: Timestamp,
) {
    let staying = live
        .members()
        .filter(|member| !gone(&member.profile.member));
    for member in staying.clone() {
        if let Waits::Sync(token) = member.waits {
            step.tell_synced(token, Err(GroupError::RebalanceInProgress));
        }
    }
    let profiles = staying.map(|member| &*member.profile).chain(newcomer);
    step.record(GroupRecord::Preparing {
        at: now,
        deadline: now.plus_ms(Live::rebalance_timeout_ms(profiles)),
    });
}

/// Ends a rebalance with the members that have joined again. Static members may join later; others
/// that haven't joined are removed.
pub(super) fn complete(live: &Live, name: &Name, now: Timestamp) -> Decision {
    let mut step = Step::new(name);
    let stays = |member: &&Member| member.joins() || member.is_static();
    for member in live.members().filter(|member| !stays(member)) {
        let member = member.profile.member.clone();
        step.record(GroupRecord::Removed(member));
    }
    let staying = live.members().filter(stays);
    let profiles = staying.clone().map(|member| &*member.profile);
    let timeout_ms = Live::rebalance_timeout_ms(profiles.clone());
    let deadline = now.plus_ms(timeout_ms);
    let generation = live.generation.checked_add(1).unwrap_or(1);
    let protocol = choose_protocol(profiles.clone());
    match (protocol, choose_leader(live)) {
        (Some(protocol), Some(leader)) => {
            let members = listed(profiles, protocol);
            let joined = Formation {
                live,
                generation,
                protocol,
                leader,
            };
            joined.tell(&mut step, staying, members);
            step.record(GroupRecord::Formed {
                generation,
                protocol: protocol.into(),
                leader: leader.into(),
                at: now,
                deadline,
            });
        }
        // Only static members are left and none has joined yet: they have time until their sessions
        // end.
        (Some(_), None) => step.record(GroupRecord::Preparing { at: now, deadline }),
        (None, _) => step.record(GroupRecord::Emptied {
            generation,
            protocol_type: live.protocol_type.clone(),
            at: now,
        }),
    }
    step.done()
}

/// The assignor that every member supports and most of them prefer; of equals, the first by name.
/// `None` if there are no members.
pub(super) fn choose_protocol<'a>(
    members: impl Iterator<Item = &'a Profile> + Clone,
) -> Option<&'a str> {
    let count = members.clone().count();
    let mut support = BTreeMap::<&str, usize>::new();
    for (protocol, _) in members.clone().flat_map(|profile| &profile.protocols) {
        *support.entry(protocol).or_default() += 1;
    }
    let by_all = |protocol: &&str| support.get(protocol) == Some(&count);
    let mut votes = BTreeMap::<&str, usize>::new();
    for profile in members {
        let mut liked = profile.protocols.iter().map(|(protocol, _)| &**protocol);
        if let Some(best) = liked.find(by_all) {
            *votes.entry(best).or_default() += 1;
        }
    }
    let most = votes.values().copied().max()?;
    let elected = votes.into_iter().find(|(_, count)| *count == most);
    elected.map(|(protocol, _)| protocol)
}

/// The leader if it has joined again, otherwise the first member that has.
fn choose_leader(live: &Live) -> Option<&str> {
    let is_there = live.member(&live.leader).is_some_and(Member::joins);
    if is_there {
        return Some(&live.leader);
    }
    let mut joined = live.members().filter(|member| member.joins());
    joined.next().map(|member| &*member.profile.member)
}

/// The group's current generation, as a member is told while there is no rebalance.
pub(super) fn joined(live: &Live, member: &str) -> JoinedGroup {
    let is_leader = *live.leader == *member && live.state != GroupState::Empty;
    let profiles = live.members().map(|member| &*member.profile);
    JoinedGroup {
        generation: live.generation,
        protocol_type: live.protocol_type.clone(),
        protocol: live.protocol.clone(),
        leader: live.leader.clone(),
        member: member.into(),
        members: if is_leader {
            listed(profiles, &live.protocol)
        } else {
            Vec::new()
        },
        skip_assignment: false,
    }
}

/// The members as the leader sees them.
pub(super) fn listed<'a>(
    members: impl Iterator<Item = &'a Profile>,
    protocol: &str,
) -> Vec<JoinedMember> {
    let members = members.map(|profile| JoinedMember {
        member: profile.member.clone(),
        instance: profile.instance.clone(),
        metadata: profile.metadata(protocol).into(),
    });
    members.collect()
}

/// A new generation.
struct Formation<'a> {
    live: &'a Live,
    generation: i32,
    protocol: &'a str,
    leader: &'a str,
}

impl Formation<'_> {
    /// Answers the joins.
    fn tell<'a>(
        &self,
        step: &mut Step<'_>,
        members: impl Iterator<Item = &'a Member>,
        mut listed: Vec<JoinedMember>,
    ) {
        for member in members {
            let Waits::Join(token) = member.waits else {
                continue;
            };
            let id = &member.profile.member;
            let is_leader = **id == *self.leader;
            let joined = JoinedGroup {
                generation: self.generation,
                protocol_type: self.live.protocol_type.clone(),
                protocol: self.protocol.into(),
                leader: self.leader.into(),
                member: id.clone(),
                members: if is_leader {
                    std::mem::take(&mut listed)
                } else {
                    Vec::new()
                },
                skip_assignment: false,
            };
            step.tell_joined(token, Ok(joined));
        }
    }
}
