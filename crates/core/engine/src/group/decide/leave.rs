//! Leave: members leave at once instead of timing out.

use hashbrown::HashSet;
use stele_base_types::{Name, Timestamp};

use super::{GroupCommand, rebalance};
use crate::{
    Command, Decision, GroupError, GroupRecord, State,
    group::{GroupState, live::Live, member::Waits, step::Step},
};

/// Removes members, each named by its id or its static name. Has one answer for each.
#[derive(Clone, Debug)]
pub struct LeaveGroup {
    /// The group.
    pub group: Name,
    /// The members: ids and static names.
    pub members: Vec<(Box<str>, Option<Box<str>>)>,
}

impl GroupCommand for LeaveGroup {
    fn group(&self) -> &Name {
        &self.group
    }
}

impl Command for LeaveGroup {
    type Reply = Vec<Result<(), GroupError>>;
    type Error = GroupError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Self::Reply>, GroupError> {
        let group = state.groups.of_member(&self.group)?;
        let none = Live::default();
        let live = group.map_or(&none, |group| &group.live);
        let mut step = Step::new(&self.group);
        let mut gone = HashSet::new();
        let mut results = Vec::with_capacity(self.members.len());
        for (member, instance) in &self.members {
            let found = find(live, member, instance.as_deref());
            let mut once = |id| gone.insert(id).then_some(id);
            let result = found.and_then(|id| once(id).ok_or(GroupError::UnknownMember));
            if let Ok(id) = result {
                remove(&mut step, live, id);
            }
            results.push(result.map(drop));
        }
        let had_members = gone.iter().any(|id| live.member(id).is_some());
        let is_formed = matches!(
            live.state,
            GroupState::Stable | GroupState::CompletingRebalance
        );
        if had_members && is_formed {
            rebalance::prepare(&mut step, live, None, |id| gone.contains(id), now);
        }
        Ok(step.answered(results))
    }
}

/// Removes a member or an invitation, and refuses what it waits for.
pub(super) fn remove(step: &mut Step<'_>, live: &Live, id: &str) {
    let waits = live.member(id).map_or(Waits::No, |member| member.waits);
    step.refuse(waits, GroupError::UnknownMember);
    step.record(GroupRecord::Removed(id.into()));
}

fn find<'a>(
    live: &'a Live,
    member: &'a str,
    instance: Option<&str>,
) -> Result<&'a str, GroupError> {
    let Some(instance) = instance else {
        let is_known = live.member(member).is_some() || live.is_invited(member);
        return is_known.then_some(member).ok_or(GroupError::UnknownMember);
    };
    let named = live
        .static_member(instance)
        .ok_or(GroupError::UnknownMember)?;
    let fits = member.is_empty() || member == named;
    fits.then_some(named).ok_or(GroupError::FencedInstance)
}
