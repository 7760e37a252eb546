//! What time does to groups: sessions time out, rebalances end, offsets of abandoned groups expire.

use hashbrown::HashSet;
use stele_base_types::{Name, Timestamp};

use super::{Group, Groups, leave, rebalance};
use crate::{
    Decision, GroupRecord,
    group::{GroupState, live::Live, step::Step},
};

impl Groups {
    /// Does one step for the group with the earliest deadline.
    pub(crate) fn tick(&self, now: Timestamp) -> Decision {
        let due = self.deadlines.first().filter(|(at, _)| *at <= now);
        let found = due.and_then(|(_, name)| Some((name, self.groups.get(name.as_str())?)));
        found.map_or_else(Decision::nothing, |(name, group)| step(group, name, now))
    }
}

fn step(group: &Group, name: &Name, now: Timestamp) -> Decision {
    let live = &group.live;
    if live.is_found() {
        return only(name, GroupRecord::Resumed(now));
    }
    if live.is_complete() {
        return rebalance::complete(live, name, now);
    }
    if let Some(gathered) = live.gathered(now) {
        return match gathered {
            Some(longer) => only(name, GroupRecord::Gathering(longer)),
            None => rebalance::complete(live, name, now),
        };
    }
    if let Some(silent) = live.silent(now) {
        return drop_members(live, name, &[silent], now);
    }
    if live.is_late(now) {
        return match live.state {
            GroupState::PreparingRebalance => rebalance::complete(live, name, now),
            _ => drop_unsynced(live, name, now),
        };
    }
    if group.expires().is_some_and(|expires| expires <= now) {
        let mut step = Step::new(name);
        group.end(&mut step);
        return step.done();
    }
    Decision::nothing()
}

fn only(name: &Name, record: GroupRecord) -> Decision {
    let mut step = Step::new(name);
    step.record(record);
    step.done()
}

/// Removes members that were told of their generation but never synced.
fn drop_unsynced(live: &Live, name: &Name, now: Timestamp) -> Decision {
    let unsynced = live.members().filter(|member| !member.synced);
    let unsynced: Vec<_> = unsynced.map(|member| &*member.profile.member).collect();
    drop_members(live, name, &unsynced, now)
}

fn drop_members(live: &Live, name: &Name, ids: &[&str], now: Timestamp) -> Decision {
    let mut step = Step::new(name);
    for id in ids {
        leave::remove(&mut step, live, id);
    }
    let had_members = ids.iter().any(|id| live.member(id).is_some());
    let is_formed = matches!(
        live.state,
        GroupState::Stable | GroupState::CompletingRebalance
    );
    if had_members && is_formed {
        let gone: HashSet<&str> = ids.iter().copied().collect();
        rebalance::prepare(&mut step, live, None, |id| gone.contains(id), now);
    }
    step.done()
}
