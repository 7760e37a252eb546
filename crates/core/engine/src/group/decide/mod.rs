//! The decisions on commands to a group.

mod commit;
mod delete;
mod deleted;
mod describe;
mod expire;
mod heartbeat;
mod join;
mod leave;
mod offsets;
mod rebalance;
mod sync;

use stele_base_types::Name;

pub use self::{
    commit::{CommitOffset, CommitOffsets},
    delete::DeleteGroup,
    deleted::ForgetLog,
    describe::{DescribeGroup, GroupDescription, GroupListing, ListGroups, MemberDescription},
    heartbeat::{Heartbeat, HeartbeatReply},
    join::{JoinGroup, JoinReply, JoinedGroup, JoinedMember},
    leave::LeaveGroup,
    offsets::{DeleteOffsets, FetchOffsets, OffsetEntry},
    sync::{SyncGroup, SyncedGroup},
};
use super::{Group, GroupError, Groups};
use crate::Command;

/// A command to one consumer group (Kafka's classic protocol).
pub trait GroupCommand: Command<Error = GroupError> {
    /// The group, which determines the shard.
    fn group(&self) -> &Name;
}

impl Groups {
    fn group(&self, name: &Name) -> Option<&Group> {
        self.groups.get(name.as_str())
    }

    /// The group that a member names, which must not be empty.
    fn of_member(&self, name: &Name) -> Result<Option<&Group>, GroupError> {
        if name.is_empty() {
            return Err(GroupError::InvalidGroup);
        }
        Ok(self.group(name))
    }
}
