//! What groups hold in memory: counted as records are applied, about as the process pays for it,
//! and bounded, since whoever connects may join and commit as they like.

use super::{
    Committed, Group, Groups,
    live::Live,
    member::{Member, Profile},
};
use crate::limits::{GROUP_BYTES_MAX, GROUPS_MEMBERS_BYTES_MAX, GROUPS_OFFSETS_BYTES_MAX};

/// A group with its name and its places in indexes.
const GROUP_BYTES: usize = 1_024;

/// A member, or an id given out, with its places in indexes.
const MEMBER_BYTES: usize = 512;

/// A committed offset without its note, or a partition that is read, and how its log knows of it.
pub(super) const OFFSET_BYTES: usize = 200;

/// What groups hold in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupBytes {
    /// Members and ids given out, with their metadata and their assignments.
    pub members: usize,
    /// Committed offsets with their notes, and the groups themselves.
    pub offsets: usize,
}

impl Groups {
    /// What all groups hold in memory. Constant time.
    pub fn bytes(&self) -> GroupBytes {
        self.bytes
    }

    /// Whether there is room for members to take so many bytes more.
    pub(super) fn has_room_for_members(&self, live: &Live, more: usize) -> bool {
        let in_group = live.bytes() + more <= GROUP_BYTES_MAX;
        more == 0 || (in_group && self.bytes.members + more <= GROUPS_MEMBERS_BYTES_MAX)
    }

    /// How much more committed offsets may take.
    pub(super) fn room_for_offsets(&self) -> usize {
        GROUPS_OFFSETS_BYTES_MAX.saturating_sub(self.bytes.offsets)
    }

    /// A group that held `before` holds `after` now.
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
        // The id is in indexes as well.
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

/// What a member's id takes, wherever it is noted.
pub(super) fn id_bytes(member: &str) -> usize {
    MEMBER_BYTES + 3 * member.len()
}

/// What a committed offset with a note like this takes.
pub(super) fn offset_bytes(metadata: &str) -> usize {
    OFFSET_BYTES + metadata.len()
}
