//! Sync: the leader submits the assignments of a generation, the others wait for theirs.

use std::{collections::BTreeSet, sync::Arc};

use hashbrown::HashMap;
use stele_base_types::{Name, Offset, PartitionId, Timestamp};

use crate::{
    Decision, GroupError, GroupRecord, State, Token,
    group::{
        Group, GroupState,
        bytes::OFFSET_BYTES,
        live::Live,
        member::{Member, Waits},
        record::Assignments,
        step::Step,
    },
};

/// Submits the assignments of a generation (the leader), or waits for one (the others).
#[derive(Clone, Debug)]
pub struct SyncGroup {
    /// The group.
    pub group: Name,
    /// The member.
    pub member: Box<str>,
    /// Its static name, if any.
    pub instance: Option<Box<str>>,
    /// Its generation.
    pub generation: i32,
    /// Must match the group's, if given.
    pub protocol_type: Option<Box<str>>,
    /// Must match the group's, if given.
    pub protocol: Option<Box<str>>,
    /// The leader's assignment for each member.
    pub assignments: Vec<(Box<str>, Box<[u8]>)>,
    /// The assigned partitions. Given separately because the engine doesn't parse assignments,
    /// whose form is the assignor's. From now on, the group holds unread records of these
    /// partitions where their log is a queue, as if it had committed an offset there.
    pub reads: Vec<PartitionId>,
}

/// A member's assignment in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedGroup {
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// The assignor.
    pub protocol: Box<str>,
    /// The member's assignment.
    pub assignment: Box<[u8]>,
}

type SyncDecision = Decision<Option<SyncedGroup>>;

impl SyncGroup {
    /// The decision on it, without a reply if it has to wait. Then an [`crate::Effect::Synced`]
    /// with this token follows. A refused sync changes nothing.
    pub fn decide(
        self,
        token: Token,
        state: &State,
        now: Timestamp,
    ) -> Result<SyncDecision, GroupError> {
        let group = state.groups.of_member(&self.group)?;
        let group = group.ok_or(GroupError::UnknownMember)?;
        let live = &group.live;
        let member = live.validated(&self.member, self.instance.as_deref())?;
        if self.generation != live.generation {
            return Err(GroupError::IllegalGeneration);
        }
        if !self.fits(live) {
            return Err(GroupError::InconsistentProtocol);
        }
        match live.state {
            GroupState::Empty | GroupState::Dead => Err(GroupError::UnknownMember),
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::CompletingRebalance if live.leader == self.member => {
                let given = self
                    .assignments
                    .iter()
                    .map(|(_, assignment)| assignment.len());
                if !state.groups.has_room_for_members(live, given.sum()) {
                    return Err(GroupError::AssignmentsTooLarge);
                }
                let room = state.groups.room_for_offsets();
                Ok(state.send(assign(group, self, room, now), now))
            }
            GroupState::CompletingRebalance => Ok(wait(&self.group, member, token)),
            GroupState::Stable => {
                let mut step = Step::new(&self.group);
                step.record(GroupRecord::Synced {
                    until: member.profile.until(now),
                    member: self.member,
                });
                let assignment = (*member.assignment).into();
                Ok(step.answered(Some(assigned(live, assignment))))
            }
        }
    }

    /// Whether the protocols it names match the group's.
    fn fits(&self, live: &Live) -> bool {
        let fits =
            |given: &Option<Box<str>>, own: &str| given.as_deref().is_none_or(|it| it == own);
        fits(&self.protocol_type, &live.protocol_type) && fits(&self.protocol, &live.protocol)
    }
}

fn wait(name: &Name, member: &Member, token: Token) -> SyncDecision {
    let mut step = Step::new(name);
    if let Waits::Sync(former) = member.waits {
        step.tell_synced(former, Err(GroupError::RebalanceInProgress));
    }
    step.record(GroupRecord::Syncing {
        member: member.profile.member.clone(),
        token,
    });
    step.answered(None)
}

/// Stores the assignments of a generation. A member that the leader left out gets an empty one.
fn assign(group: &Group, mut sync: SyncGroup, room: usize, now: Timestamp) -> SyncDecision {
    let live = &group.live;
    let mut step = Step::new(&sync.group);
    read(&mut step, group, std::mem::take(&mut sync.reads), room);
    let mut given: HashMap<_, _> = sync.assignments.into_iter().collect();
    let mut leaders = Box::default();
    let mut members = Vec::with_capacity(live.members().len());
    for member in live.members() {
        let id = &member.profile.member;
        let assignment = given.remove(id).unwrap_or_default();
        members.push((Arc::clone(&member.profile), Arc::from(&*assignment)));
        if *id == sync.member {
            leaders = assignment;
        } else if let Waits::Sync(token) = member.waits {
            step.tell_synced(token, Ok(assigned(live, assignment)));
        }
    }
    let assignments = Assignments {
        generation: live.generation,
        protocol_type: live.protocol_type.clone(),
        protocol: live.protocol.clone(),
        leader: live.leader.clone(),
        members,
    };
    step.record(GroupRecord::Assigned(Box::new(assignments), now));
    step.answered(Some(assigned(live, leaders)))
}

/// Notes at the logs which partitions the group reads without an offset, as far as memory allows.
fn read(step: &mut Step<'_>, group: &Group, reads: Vec<PartitionId>, room: usize) {
    let places = group.reading.len() + room / OFFSET_BYTES;
    let unread = |partition: &PartitionId| !group.offsets.contains_key(partition);
    let reading: BTreeSet<_> = reads.into_iter().filter(unread).take(places).collect();
    if reading == group.reading {
        return;
    }
    let begun = reading.difference(&group.reading);
    let begun = begun.map(|partition| (*partition, Some(Offset::ZERO)));
    let ended = group.reading.difference(&reading);
    step.move_cursors(begun.chain(ended.map(|partition| (*partition, None))));
    step.record(GroupRecord::Reading(reading.into_iter().collect()));
}

fn assigned(live: &Live, assignment: Box<[u8]>) -> SyncedGroup {
    SyncedGroup {
        protocol_type: live.protocol_type.clone(),
        protocol: live.protocol.clone(),
        assignment,
    }
}
