//! Leave: members go at once instead of falling silent; each named by its id or its static name.

use hashbrown::HashSet;
use stele_base_types::{Name, Timestamp};

use super::{Group, rebalance};
use crate::{
    Decision, Error, GroupRecord, Reply,
    group::{GroupState, live::Live, member::Waits, step::Step},
};

pub(super) fn decide(
    group: Option<&Group>,
    name: &Name,
    named: &[(Box<str>, Option<Box<str>>)],
    now: Timestamp,
) -> Decision {
    let mut step = Step::new(name);
    let none = Live::default();
    let live = group.map_or(&none, |group| &group.live);
    let mut gone = HashSet::new();
    let mut results = Vec::with_capacity(named.len());
    for (member, instance) in named {
        let found = find(live, member, instance.as_deref());
        let result = found.and_then(|id| gone.insert(id).then_some(id).ok_or(Error::UnknownMember));
        if let Ok(id) = result {
            remove(&mut step, live, id);
        }
        results.push(result.map(drop));
    }
    let had_members = gone.iter().any(|id| live.member(id).is_some());
    let is_settled = matches!(
        live.state,
        GroupState::Stable | GroupState::CompletingRebalance
    );
    if had_members && is_settled {
        rebalance::prepare(&mut step, live, None, |id| gone.contains(id), now);
    }
    step.answered(Ok(Reply::Left(results)))
}

/// Removes a member or an id given out; what it waits for doesn't come.
pub(super) fn remove(step: &mut Step<'_>, live: &Live, id: &str) {
    let waits = live.member(id).map_or(Waits::No, |member| member.waits);
    if let Waits::Join(token) | Waits::Sync(token) = waits {
        step.respond(token, Err(Error::UnknownMember));
    }
    step.record(GroupRecord::Removed(id.into()));
}

fn find<'a>(live: &'a Live, member: &'a str, instance: Option<&str>) -> Result<&'a str, Error> {
    let Some(instance) = instance else {
        let is_known = live.member(member).is_some() || live.is_invited(member);
        return is_known.then_some(member).ok_or(Error::UnknownMember);
    };
    let named = live.static_member(instance).ok_or(Error::UnknownMember)?;
    let fits = member.is_empty() || member == named;
    fits.then_some(named).ok_or(Error::FencedInstance)
}
