//! Sync: the leader hands in the assignments of a generation, the others wait for theirs.

use std::sync::Arc;

use hashbrown::HashMap;
use stele_base_types::{Name, Timestamp};

use super::Group;
use crate::{
    Decision, Error, GroupRecord, Reply,
    command::{SyncGroup, Token},
    group::{
        GroupState,
        live::Live,
        member::{Member, Waits},
        record::Settlement,
        step::Step,
    },
};

pub(super) fn decide(
    group: Option<&Group>,
    name: &Name,
    sync: SyncGroup,
    token: Token,
    now: Timestamp,
) -> Result<Decision, Error> {
    let live = &group.ok_or(Error::UnknownMember)?.live;
    let member = live.validated(&sync.member, sync.instance.as_deref())?;
    if sync.generation != live.generation {
        return Err(Error::IllegalGeneration);
    }
    let differs =
        |given: &Option<Box<str>>, own: &str| given.as_deref().is_some_and(|it| it != own);
    if differs(&sync.protocol_type, &live.protocol_type) || differs(&sync.protocol, &live.protocol)
    {
        return Err(Error::InconsistentProtocol);
    }
    match live.state {
        GroupState::Empty | GroupState::Dead => Err(Error::UnknownMember),
        GroupState::PreparingRebalance => Err(Error::RebalanceInProgress),
        GroupState::CompletingRebalance if live.leader == sync.member => {
            Ok(settle(live, name, sync, now))
        }
        GroupState::CompletingRebalance => Ok(wait(name, member, token)),
        GroupState::Stable => {
            let mut step = Step::new(name);
            step.record(GroupRecord::Synced {
                until: member.profile.until(now),
                member: sync.member,
            });
            let assignment = (*member.assignment).into();
            Ok(step.answered(Ok(assigned(live, assignment))))
        }
    }
}

fn wait(name: &Name, member: &Member, token: Token) -> Decision {
    let mut step = Step::new(name);
    if let Waits::Sync(former) = member.waits {
        step.respond(former, Err(Error::RebalanceInProgress));
    }
    step.record(GroupRecord::Syncing {
        member: member.profile.member.clone(),
        token,
    });
    step.unanswered()
}

/// The generation gets its assignments. A member that the leader has left out gets an empty one.
fn settle(live: &Live, name: &Name, sync: SyncGroup, now: Timestamp) -> Decision {
    let mut step = Step::new(name);
    let mut assignments: HashMap<_, _> = sync.assignments.into_iter().collect();
    let mut leaders = Box::default();
    let mut members = Vec::with_capacity(live.members().len());
    for member in live.members() {
        let id = &member.profile.member;
        let assignment = assignments.remove(id).unwrap_or_default();
        members.push((Arc::clone(&member.profile), Arc::from(&*assignment)));
        if *id == sync.member {
            leaders = assignment;
        } else if let Waits::Sync(token) = member.waits {
            step.respond(token, Ok(assigned(live, assignment)));
        }
    }
    let settlement = Settlement {
        generation: live.generation,
        protocol_type: live.protocol_type.clone(),
        protocol: live.protocol.clone(),
        leader: live.leader.clone(),
        members,
    };
    step.record(GroupRecord::Settled(Box::new(settlement), now));
    step.answered(Ok(assigned(live, leaders)))
}

fn assigned(live: &Live, assignment: Box<[u8]>) -> Reply {
    Reply::Synced {
        protocol_type: live.protocol_type.clone(),
        protocol: live.protocol.clone(),
        assignment,
    }
}
