//! Committed offsets, read and forgotten.

use stele_base_types::{Name, PartitionId};

use super::Group;
use crate::{
    Decision, Error, GroupRecord, Reply,
    command::CommitOffset,
    group::{Committed, GroupState, step::Step},
    reply::OffsetEntry,
};

/// Those of the partitions named, or all there are. A group that doesn't exist has none.
pub(super) fn read(group: Option<&Group>, partitions: Option<Vec<PartitionId>>) -> Decision {
    let find = |partition| group.and_then(|group| group.offsets.get(&partition));
    let entries = match partitions {
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
    Decision::reply(Reply::Offsets(entries))
}

/// Forgets some. While the group has members all are refused: which partitions they read is
/// written in their assignor's own form, which isn't the engine's to read.
pub(super) fn delete(group: Option<&Group>, name: &Name, partitions: Vec<PartitionId>) -> Decision {
    let Some(group) = group else {
        return Decision::refuse(Error::NoSuchGroup);
    };
    if group.live.state != GroupState::Empty {
        let refused = partitions.iter().map(|_| Err(Error::GroupSubscribed));
        return Decision::reply(Reply::Committed(refused.collect()));
    }
    let results = partitions.iter().map(|_| Ok(())).collect();
    let mut step = Step::new(name);
    if partitions
        .iter()
        .any(|partition| group.offsets.contains_key(partition))
    {
        step.record(GroupRecord::Forgotten(partitions));
    }
    step.answered(Ok(Reply::Committed(results)))
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
