//! Commit: offsets by a member of the current generation, or by anyone while there are no members.

use serde::{Deserialize, Serialize};
use stele_base_types::{Name, Offset, PartitionId, Timestamp};

use super::GroupCommand;
use crate::{
    Command, Decision, GroupError, GroupRecord, State,
    group::{Committed, GroupState, bytes::offset_bytes, live::Live, step::Step},
    limits::OFFSET_METADATA_BYTES_MAX,
};

/// Commits offsets, by a member of the current generation, or by anyone while the group has no
/// members (`generation` -1). Answered for each offset.
#[derive(Clone, Debug)]
pub struct CommitOffsets {
    /// The group.
    pub group: Name,
    /// Who; empty for a simple consumer.
    pub member: Box<str>,
    /// Static name, if any.
    pub instance: Option<Box<str>>,
    /// Which generation.
    pub generation: i32,
    /// What.
    pub offsets: Vec<CommitOffset>,
}

/// An offset to commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitOffset {
    /// Of which partition.
    pub partition: PartitionId,
    /// The next record to read.
    pub offset: Offset,
    /// The epoch of the leader that it was read from; -1 unknown.
    pub leader_epoch: i32,
    /// The consumer's own note.
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
    // The partitions of the last generation may have been given to others already.
    if live.state == GroupState::CompletingRebalance {
        return Err(GroupError::RebalanceInProgress);
    }
    Ok(())
}

/// Whether an offset is taken, in the place of a `former` one. What it takes more goes off `room`.
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
