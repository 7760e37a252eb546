//! Reading and deleting committed offsets.

use stele_base_types::{Name, PartitionId, Timestamp};

use super::{CommitOffset, GroupCommand};
use crate::{
    Command, Decision, GroupError, GroupRecord, State,
    group::{Committed, GroupState, step::Step},
};

/// Reads the committed offsets of the given partitions, or all of them. A group that doesn't exist
/// has none.
#[derive(Clone, Debug)]
pub struct FetchOffsets {
    /// The group.
    pub group: Name,
    /// The partitions; `None` for all.
    pub partitions: Option<Vec<PartitionId>>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// The partition.
    pub partition: PartitionId,
    /// The committed offset, if any.
    pub committed: Option<CommitOffset>,
}

/// Deletes the committed offsets of these partitions; has one answer for each. Refused for all of
/// them while the group has members: only the assignor knows which partitions they read.
#[derive(Clone, Debug)]
pub struct DeleteOffsets {
    /// The group.
    pub group: Name,
    /// The partitions.
    pub partitions: Vec<PartitionId>,
}

impl GroupCommand for FetchOffsets {
    fn group(&self) -> &Name {
        &self.group
    }
}

impl GroupCommand for DeleteOffsets {
    fn group(&self) -> &Name {
        &self.group
    }
}

impl Command for FetchOffsets {
    type Reply = Vec<OffsetEntry>;
    type Error = GroupError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<Self::Reply>, GroupError> {
        let group = state.groups.group(&self.group);
        let find = |partition| group.and_then(|group| group.offsets.get(&partition));
        let entries = match self.partitions {
            Some(partitions) => partitions
                .into_iter()
                .map(|partition| entry(partition, find(partition)))
                .collect(),
            None => group
                .into_iter()
                .flat_map(|group| &group.offsets)
                .map(|(partition, committed)| entry(*partition, Some(committed)))
                .collect(),
        };
        Ok(Decision::reply(entries))
    }
}

impl Command for DeleteOffsets {
    type Reply = Vec<Result<(), GroupError>>;
    type Error = GroupError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Self::Reply>, GroupError> {
        let group = state.groups.group(&self.group);
        let group = group.ok_or(GroupError::NoSuchGroup)?;
        let partitions = self.partitions;
        if group.live.state != GroupState::Empty {
            let refused = vec![Err(GroupError::Subscribed); partitions.len()];
            return Ok(Decision::reply(refused));
        }
        let results = vec![Ok(()); partitions.len()];
        let mut step = Step::new(&self.group);
        if partitions.iter().any(|partition| group.holds(partition)) {
            step.move_cursors(partitions.iter().map(|partition| (*partition, None)));
            step.record(GroupRecord::Forgotten(partitions));
        }
        Ok(state.send(step.answered(results), now))
    }
}

fn entry(partition: PartitionId, committed: Option<&Committed>) -> OffsetEntry {
    OffsetEntry {
        partition,
        committed: committed.map(|committed| CommitOffset {
            partition,
            offset: committed.offset,
            leader_epoch: committed.leader_epoch,
            metadata: committed.metadata.clone(),
        }),
    }
}
