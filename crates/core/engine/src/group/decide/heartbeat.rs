//! Heartbeat: a member is still there, and learns whether a rebalance goes on.

use stele_base_types::{Name, Timestamp};

use super::GroupCommand;
use crate::{
    Command, Decision, GroupError, GroupRecord, State,
    group::{GroupState, step::Step},
};

/// Says that a member is still there.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The group.
    pub group: Name,
    /// Who.
    pub member: Box<str>,
    /// Static name, if any.
    pub instance: Option<Box<str>>,
    /// Which generation.
    pub generation: i32,
}

/// What a member learns by its heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatReply {
    /// It goes on.
    Stay,
    /// The group gathers its members: join again.
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
