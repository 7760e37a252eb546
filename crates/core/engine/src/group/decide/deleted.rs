//! Removal of the offsets of deleted logs (Kafka's `onPartitionsDeleted`). A group without members
//! is removed with its last offset. The caller, who knows the definitions, finds the offsets to
//! remove.

use std::ops::Bound;

use stele_base_types::{LogId, Name, PartitionId, PartitionIndex, Timestamp};

use super::GroupCommand;
use crate::{
    Command, Decision, GroupError, GroupRecord, Groups, State,
    group::{Group, GroupState, step::Step},
    limits::OFFSETS_FORGOTTEN_MAX,
};

/// Removes a group's offsets of a deleted log, as many as one decision may; returns how many.
/// Members don't matter, as nobody can read the log.
#[derive(Clone, Debug)]
pub struct ForgetLog {
    /// The group.
    pub group: Name,
    /// The log.
    pub log: LogId,
}

impl GroupCommand for ForgetLog {
    fn group(&self) -> &Name {
        &self.group
    }
}

impl Command for ForgetLog {
    type Reply = usize;
    type Error = GroupError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<usize>, GroupError> {
        let Some(group) = state.groups.group(&self.group) else {
            return Ok(Decision::reply(0));
        };
        let of_log = group.offsets_of(self.log).take(OFFSETS_FORGOTTEN_MAX);
        let gone: Vec<PartitionId> = of_log.collect();
        let count = gone.len();
        let mut step = Step::new(&self.group);
        if count > 0 && count == group.offsets.len() && group.live.state == GroupState::Empty {
            step.record(GroupRecord::Deleted);
        } else if count > 0 {
            step.record(GroupRecord::Forgotten(gone));
        }
        Ok(step.answered(count))
    }
}

impl Groups {
    /// All pairs of a group and a log that it has offsets of, in a fixed order, after `last`.
    pub fn read_logs<'a>(
        &'a self,
        last: Option<&'a (Name, LogId)>,
    ) -> impl Iterator<Item = (&'a Name, LogId)> {
        let begun = last.and_then(|(name, log)| {
            let (name, group) = self.groups.get_key_value(name.as_str())?;
            Some(group.logs_after(Some(*log)).map(move |log| (name, log)))
        });
        let later = self.groups.after(last.map(|(name, _)| name.as_str()));
        let later = later.flat_map(|(name, group)| {
            let logs = group.logs_after(None);
            logs.map(move |log| (name, log))
        });
        begun.into_iter().flatten().chain(later)
    }
}

impl Group {
    /// The logs that it has offsets of, after `last`.
    fn logs_after(&self, last: Option<LogId>) -> impl Iterator<Item = LogId> {
        let next_after = |last: Option<LogId>| {
            let after = last.map(|log| PartitionId::new(log, PartitionIndex(u32::MAX)));
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let mut offsets = self.offsets.range((from, Bound::Unbounded));
            offsets.next().map(|(partition, _)| partition.log)
        };
        std::iter::successors(next_after(last), move |log| next_after(Some(*log)))
    }

    fn offsets_of(&self, log: LogId) -> impl Iterator<Item = PartitionId> {
        let [first, last] = [0, u32::MAX].map(|index| PartitionId::new(log, PartitionIndex(index)));
        self.offsets
            .range(first..=last)
            .map(|(partition, _)| *partition)
    }
}
