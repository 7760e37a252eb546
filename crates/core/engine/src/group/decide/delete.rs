//! Delete: removes an empty group with its offsets.

use stele_base_types::{Name, Timestamp};

use super::GroupCommand;
use crate::{
    Command, Decision, GroupError, State,
    group::{GroupState, step::Step},
};

/// Removes an empty group.
#[derive(Clone, Debug)]
pub struct DeleteGroup {
    /// The group.
    pub group: Name,
}

impl GroupCommand for DeleteGroup {
    fn group(&self) -> &Name {
        &self.group
    }
}

impl Command for DeleteGroup {
    type Reply = ();
    type Error = GroupError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision, GroupError> {
        let group = state.groups.group(&self.group);
        let group = group.ok_or(GroupError::NoSuchGroup)?;
        if group.live.state != GroupState::Empty {
            return Err(GroupError::NotEmpty);
        }
        let mut step = Step::new(&self.group);
        group.end(&mut step);
        Ok(state.send(step.done(), now))
    }
}
