//! An estimate of the memory that groups use, counted as records are applied. It is bounded,
//! because any client may join and commit.

use super::{
    Committed, Group, Groups,
    live::Live,
    member::{Member, Profile},
};
use crate::limits::{GROUP_BYTES_MAX, GROUPS_MEMBERS_BYTES_MAX, GROUPS_OFFSETS_BYTES_MAX};

/// A group, with its name and its index entries.
const GROUP_BYTES: usize = 1_024;

/// A member, or an invitation, with its index entries.
const MEMBER_BYTES: usize = 512;

/// A committed offset without its metadata, or a partition that is read, with its entry at the log.
pub(super) const OFFSET_BYTES: usize = 200;

/// The memory that groups use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupBytes {
    /// Members and invitations, with their metadata and assignments.
    pub members: usize,
    /// Committed offsets with their metadata, and the groups themselves.
    pub offsets: usize,
}

impl Groups {
    /// The memory that all groups use. Constant time.
    pub fn bytes(&self) -> GroupBytes {
        self.bytes
    }

    /// Whether members may take this many bytes more.
    pub(super) fn has_room_for_members(&self, live: &Live, more: usize) -> bool {
        let in_group = live.bytes() + more <= GROUP_BYTES_MAX;
        more == 0 || (in_group && self.bytes.members + more <= GROUPS_MEMBERS_BYTES_MAX)
    }

    /// How much more memory committed offsets may take.
    pub(super) fn room_for_offsets(&self) -> usize {
        GROUPS_OFFSETS_BYTES_MAX.saturating_sub(self.bytes.offsets)
    }

    /// Notes that a group that took `before` now takes `after`.
    pub(super) fn count(&mut self, before: GroupBytes, after: GroupBytes) {
        let GroupBytes { members, offsets } = &mut self.bytes;
        *members = *members - before.members + after.members;
        *offsets = *offsets - before.offsets + after.offsets;
    }
}

impl Group {
    pub(super) fn bytes(&self) -> GroupBytes {
        if self.is_void() {
            return GroupBytes::default();
        }
        let has_members = self.live.population() > 0;
        GroupBytes {
            members: self.live.bytes() + if has_members { GROUP_BYTES } else { 0 },
            offsets: self.offsets_bytes + self.reading.len() * OFFSET_BYTES + GROUP_BYTES,
        }
    }
}

impl Profile {
    pub(super) fn bytes(&self) -> usize {
        let protocols = self.protocols.iter();
        let protocols = protocols.map(|(name, metadata)| 2 * name.len() + metadata.len() + 64);
        let names = [&self.client_id, &self.client_host, &self.protocol_type];
        let names = names.into_iter().map(|name| name.len());
        let instance = self.instance.as_ref().map_or(0, |name| 2 * name.len());
        // The id is also in indexes.
        let id = id_bytes(&self.member) + instance;
        id + protocols.sum::<usize>() + names.sum::<usize>()
    }
}

impl Member {
    pub(super) fn bytes(&self) -> usize {
        self.profile.bytes() + self.assignment.len()
    }
}

impl Committed {
    pub(super) fn bytes(&self) -> usize {
        offset_bytes(&self.metadata)
    }
}

/// The memory that a member's id takes, wherever it is stored.
pub(super) fn id_bytes(member: &str) -> usize {
    MEMBER_BYTES + 3 * member.len()
}

/// The memory that a committed offset with this metadata takes.
pub(super) fn offset_bytes(metadata: &str) -> usize {
    OFFSET_BYTES + metadata.len()
}
