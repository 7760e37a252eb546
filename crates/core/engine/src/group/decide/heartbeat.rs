//! Heartbeat: a member shows that it is alive, and learns whether there is a rebalance.

use stele_base_types::{Name, Timestamp};

use super::GroupCommand;
use crate::{
    Command, Decision, GroupError, GroupRecord, State,
    group::{GroupState, step::Step},
};

/// Shows that a member is alive.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The group.
    pub group: Name,
    /// The member.
    pub member: Box<str>,
    /// Its static name, if any.
    pub instance: Option<Box<str>>,
    /// Its generation.
    pub generation: i32,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatReply {
    /// No change.
    Stay,
    /// A rebalance is in progress: join again.
    Rejoin,
}

impl GroupCommand for Heartbeat {
    fn group(&self) -> &Name {
        &self.group
    }
}

impl Command for Heartbeat {
    type Reply = HeartbeatReply;
    type Error = GroupError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<HeartbeatReply>, GroupError> {
        let group = state.groups.of_member(&self.group)?;
        let live = &group.ok_or(GroupError::UnknownMember)?.live;
        let found = live.validated(&self.member, self.instance.as_deref())?;
        if self.generation != live.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let reply = match live.state {
            GroupState::PreparingRebalance => HeartbeatReply::Rejoin,
            GroupState::CompletingRebalance | GroupState::Stable => HeartbeatReply::Stay,
            GroupState::Empty | GroupState::Dead => return Err(GroupError::UnknownMember),
        };
        let mut step = Step::new(&self.group);
        step.record(GroupRecord::Alive {
            until: found.profile.until(now),
            member: self.member,
        });
        Ok(step.answered(reply))
    }
}
