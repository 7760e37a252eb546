//! The changes of a group.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stele_base_types::{PartitionId, Timestamp};

use super::{CommitOffset, member::Profile};
use crate::Token;

/// A change of a group. The journalled ones come first; the others are about connections and
/// deadlines of this process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GroupRecord {
    /// Offsets were committed.
    Committed {
        /// The offsets.
        offsets: Vec<CommitOffset>,
        /// The time.
        at: Timestamp,
    },
    /// Committed offsets were removed.
    Forgotten(Vec<PartitionId>),
    /// The assignments of a generation were stored.
    Assigned(Box<Assignments>, Timestamp),
    /// The last member has left.
    Emptied {
        /// The generation that has no members.
        generation: i32,
        /// The protocol type of the members.
        protocol_type: Box<str>,
        /// The time.
        at: Timestamp,
    },
    /// The group was removed with its offsets.
    Deleted,

    /// An id was assigned to a client that is to join with it (KIP-394).
    Invited {
        /// The id.
        member: Box<str>,
        /// How long it is valid.
        until: Timestamp,
    },
    /// A member waits for a rebalance to end.
    Joining(Box<Joining>),
    /// A rebalance has begun. Members no longer wait for an assignment.
    Preparing {
        /// The time.
        at: Timestamp,
        /// How long the group waits for members to join again.
        deadline: Timestamp,
    },
    /// The members have gathered, and wait for the leader's assignments.
    Formed {
        /// The new generation.
        generation: i32,
        /// The assignor chosen.
        protocol: Box<str>,
        /// The leader's id.
        leader: Box<str>,
        /// The time.
        at: Timestamp,
        /// How long members have to request their assignment.
        deadline: Timestamp,
    },
    /// A member waits for its assignment.
    Syncing {
        /// The member.
        member: Box<str>,
        /// The token of the answer.
        token: Token,
    },
    /// A member has received its assignment.
    Synced {
        /// The member.
        member: Box<str>,
        /// When its session times out.
        until: Timestamp,
    },
    /// A member was heard from.
    Alive {
        /// The member.
        member: Box<str>,
        /// When its session times out.
        until: Timestamp,
    },
    /// A member or an invitation was removed.
    Removed(Box<str>),
    /// The members found after a restart got a deadline by which to be heard from.
    Resumed(Timestamp),
    /// A group that had no members waits for more of them.
    Gathering(Gathering),
    /// The partitions that its members read and of which nothing has been committed yet.
    /// Journalled.
    Reading(Vec<PartitionId>),
}

/// How long a group that had no members waits for more of them: `delay_ms` at a time, and again if
/// a new member has come meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathering {
    /// The current deadline.
    pub until: Timestamp,
    /// The last possible deadline.
    pub last: Timestamp,
    /// How much to extend it for a new member, in milliseconds.
    pub delay_ms: u32,
}

/// A generation with its assignments: what remains of a group after a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assignments {
    /// The generation.
    pub generation: i32,
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// The assignor.
    pub protocol: Box<str>,
    /// The leader's id.
    pub leader: Box<str>,
    /// Each member with its assignment. Empty if the last one has left.
    pub members: Vec<(Arc<Profile>, Arc<[u8]>)>,
}

/// A member that waits for a rebalance to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joining {
    /// The member's new profile.
    pub profile: Arc<Profile>,
    /// The id that it had under the same static name.
    pub replaces: Option<Box<str>>,
    /// The token of the answer.
    pub token: Token,
    /// When a new member is given up; `None` for an existing member.
    pub until: Option<Timestamp>,
}

impl GroupRecord {
    /// Its time, if it is journalled.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Committed { at, .. } | Self::Assigned(_, at) | Self::Emptied { at, .. } => {
                Some(*at)
            }
            _ => None,
        }
    }

    pub(crate) fn is_journalled(&self) -> bool {
        match self {
            Self::Committed { .. }
            | Self::Forgotten(_)
            | Self::Assigned(..)
            | Self::Emptied { .. }
            | Self::Deleted
            | Self::Reading(_) => true,
            Self::Invited { .. }
            | Self::Joining(_)
            | Self::Preparing { .. }
            | Self::Formed { .. }
            | Self::Syncing { .. }
            | Self::Synced { .. }
            | Self::Alive { .. }
            | Self::Removed(_)
            | Self::Resumed(_)
            | Self::Gathering(_) => false,
        }
    }
}
