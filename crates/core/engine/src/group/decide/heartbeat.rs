//! Heartbeat: a member is still there, and learns whether a rebalance goes on.

use stele_base_types::{Name, Timestamp};

use super::Group;
use crate::{
    Decision, Error, GroupRecord, Reply,
    group::{GroupState, step::Step},
};

pub(super) fn decide(
    group: Option<&Group>,
    name: &Name,
    (member, instance, generation): (Box<str>, Option<Box<str>>, i32),
    now: Timestamp,
) -> Decision {
    let Some(live) = group.map(|group| &group.live) else {
        return Decision::refuse(Error::UnknownMember);
    };
    let found = match live.validated(&member, instance.as_deref()) {
        Ok(found) => found,
        Err(error) => return Decision::refuse(error),
    };
    if generation != live.generation {
        return Decision::refuse(Error::IllegalGeneration);
    }
    let mut step = Step::new(name);
    step.record(GroupRecord::Alive {
        until: found.profile.until(now),
        member,
    });
    step.answered(match live.state {
        GroupState::PreparingRebalance => Err(Error::RebalanceInProgress),
        GroupState::CompletingRebalance | GroupState::Stable => Ok(Reply::Done),
        GroupState::Empty | GroupState::Dead => Err(Error::UnknownMember),
    })
}
