//! What commands to a group change.

mod commit;
mod describe;
mod expire;
mod heartbeat;
mod join;
mod leave;
mod offsets;
mod rebalance;
mod sync;

use stele_base_types::{Name, Timestamp};

use super::{Group, Groups};
use crate::{Decision, Error, Reply, command::GroupCommand};

impl Groups {
    pub(crate) fn decide(&self, name: Name, command: GroupCommand, now: Timestamp) -> Decision {
        let group = self.groups.get(name.as_str());
        match command {
            GroupCommand::Join(..)
            | GroupCommand::Sync(..)
            | GroupCommand::Heartbeat { .. }
            | GroupCommand::Leave(_)
                if name.is_empty() =>
            {
                Decision::refuse(Error::InvalidGroup)
            }
            GroupCommand::Join(join, token) => join::decide(group, &name, join, token, now),
            GroupCommand::Sync(sync, token) => {
                sync::decide(group, &name, sync, token, now).unwrap_or_else(Decision::refuse)
            }
            GroupCommand::Heartbeat {
                member,
                instance,
                generation,
            } => heartbeat::decide(group, &name, (member, instance, generation), now),
            GroupCommand::Leave(members) => leave::decide(group, &name, &members, now),
            GroupCommand::Commit {
                member,
                instance,
                generation,
                offsets,
            } => {
                let committer = commit::Committer {
                    member,
                    instance,
                    generation,
                };
                commit::decide(group, &name, &committer, offsets, now)
                    .unwrap_or_else(Decision::refuse)
            }
            GroupCommand::Offsets(partitions) => offsets::read(group, partitions),
            GroupCommand::DeleteOffsets(partitions) => offsets::delete(group, &name, partitions),
            GroupCommand::Delete => decide_delete(group, &name),
            GroupCommand::Describe => describe::describe(group, name),
            GroupCommand::List => describe::list(&self.groups),
        }
    }
}

fn decide_delete(group: Option<&Group>, name: &Name) -> Decision {
    match group {
        None => Decision::refuse(Error::NoSuchGroup),
        Some(group) if group.live.state != super::GroupState::Empty => {
            Decision::refuse(Error::GroupNotEmpty)
        }
        Some(_) => {
            let mut step = super::step::Step::new(name);
            step.record(super::GroupRecord::Deleted);
            step.answered(Ok(Reply::Done))
        }
    }
}
