//! Commit: offsets from a member of the current generation, or from anyone if there are no members.

use serde::{Deserialize, Serialize};
use stele_base_types::{Name, Offset, PartitionId, Timestamp};

use super::GroupCommand;
use crate::{
    Command, Decision, GroupError, GroupRecord, State,
    group::{Committed, GroupState, bytes::offset_bytes, live::Live, step::Step},
    limits::OFFSET_METADATA_BYTES_MAX,
};

/// Commits offsets, from a member of the current generation, or from anyone while the group has no
/// members (`generation` -1). Has one answer for each offset.
#[derive(Clone, Debug)]
pub struct CommitOffsets {
    /// The group.
    pub group: Name,
    /// The member; empty for a simple consumer.
    pub member: Box<str>,
    /// Its static name, if any.
    pub instance: Option<Box<str>>,
    /// Its generation.
    pub generation: i32,
    /// The offsets.
    pub offsets: Vec<CommitOffset>,
}

/// An offset to commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitOffset {
    /// The partition.
    pub partition: PartitionId,
    /// The next record to read.
    pub offset: Offset,
    /// The leader epoch of the last record read; -1 if unknown.
    pub leader_epoch: i32,
    /// The consumer's metadata.
    pub metadata: Box<str>,
}

impl GroupCommand for CommitOffsets {
    fn group(&self) -> &Name {
        &self.group
    }
}

impl Command for CommitOffsets {
    type Reply = Vec<Result<(), GroupError>>;
    type Error = GroupError;

    fn decide(
        mut self,
        state: &State,
        now: Timestamp,
    ) -> Result<Decision<Self::Reply>, GroupError> {
        let group = state.groups.group(&self.group);
        match group {
            None if self.generation >= 0 => return Err(GroupError::IllegalGeneration),
            None => {}
            Some(group) => validate(&group.live, &self)?,
        }
        let mut step = Step::new(&self.group);
        if let Some(member) = group.and_then(|group| group.live.member(&self.member)) {
            step.record(GroupRecord::Alive {
                until: member.profile.until(now),
                member: self.member,
            });
        }
        let mut room = state.groups.room_for_offsets();
        let known = |offset: &CommitOffset| group?.offsets.get(&offset.partition);
        let checked = |offset| check(offset, known(offset), &mut room);
        let results: Vec<_> = self.offsets.iter().map(checked).collect();
        let mut fits = results.iter().map(Result::is_ok);
        self.offsets.retain(|_| fits.next().unwrap_or(false));
        if !self.offsets.is_empty() {
            let offsets = self.offsets;
            step.move_cursors(offsets.iter().map(|it| (it.partition, Some(it.offset))));
            step.record(GroupRecord::Committed { offsets, at: now });
        }
        Ok(state.send(step.answered(results), now))
    }
}

fn validate(live: &Live, commit: &CommitOffsets) -> Result<(), GroupError> {
    let is_simple = commit.generation < 0;
    if is_simple && live.state == GroupState::Empty {
        return Ok(());
    }
    live.validated(&commit.member, commit.instance.as_deref())?;
    if commit.generation != live.generation {
        return Err(GroupError::IllegalGeneration);
    }
    // Partitions of the last generation may already be assigned to other members.
    if live.state == GroupState::CompletingRebalance {
        return Err(GroupError::RebalanceInProgress);
    }
    Ok(())
}

/// Whether an offset is accepted in place of `former`. Takes the additional memory from `room`.
fn check(
    offset: &CommitOffset,
    former: Option<&Committed>,
    room: &mut usize,
) -> Result<(), GroupError> {
    if offset.metadata.len() > OFFSET_METADATA_BYTES_MAX {
        return Err(GroupError::MetadataTooLong);
    }
    let former_bytes = former.map_or(0, |former| former.bytes());
    let more = offset_bytes(&offset.metadata).saturating_sub(former_bytes);
    *room = room.checked_sub(more).ok_or(GroupError::OffsetsFull)?;
    Ok(())
}
