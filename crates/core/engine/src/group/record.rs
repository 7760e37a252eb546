//! What happens to a group.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stele_base_types::{PartitionId, Timestamp};

use super::{CommitOffset, member::Profile};
use crate::Token;

/// A change of a group. The journalled ones come first; the others speak of connections and
/// deadlines of this process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GroupRecord {
    /// Offsets were committed.
    Committed {
        /// Which.
        offsets: Vec<CommitOffset>,
        /// When.
        at: Timestamp,
    },
    /// Committed offsets were forgotten.
    Forgotten(Vec<PartitionId>),
    /// A generation has its assignments.
    Assigned(Box<Assignments>, Timestamp),
    /// The last member has gone.
    Emptied {
        /// The generation that has no members.
        generation: i32,
        /// What the members were.
        protocol_type: Box<str>,
        /// When.
        at: Timestamp,
    },
    /// The group is gone with its offsets.
    Deleted,

    /// An id was given to a client that is to join with it (KIP-394).
    Invited {
        /// The id.
        member: Box<str>,
        /// How long it is kept.
        until: Timestamp,
    },
    /// A member waits for a rebalance to end.
    Joining(Box<Joining>),
    /// The group gathers its members. Those that waited for an assignment no longer do.
    Preparing {
        /// When.
        at: Timestamp,
        /// How long the group waits for members to join again.
        deadline: Timestamp,
    },
    /// The members have gathered, and wait for the leader's assignment.
    Formed {
        /// The generation that begins.
        generation: i32,
        /// The assignor chosen.
        protocol: Box<str>,
        /// The leader's id.
        leader: Box<str>,
        /// When.
        at: Timestamp,
        /// How long members have to ask for their assignment.
        deadline: Timestamp,
    },
    /// A member waits for its assignment.
    Syncing {
        /// Who.
        member: Box<str>,
        /// Where to answer.
        token: Token,
    },
    /// A member has got its assignment.
    Synced {
        /// Who.
        member: Box<str>,
        /// It is believed there until then.
        until: Timestamp,
    },
    /// A member has been heard of.
    Alive {
        /// Who.
        member: Box<str>,
        /// It is believed there until then.
        until: Timestamp,
    },
    /// A member, or an id given out, is gone.
    Removed(Box<str>),
    /// The members found after a restart have been given time to be heard of.
    Resumed(Timestamp),
    /// A group that had no members waits for more of them, whoever is there already.
    Gathering(Gathering),
    /// Of all that its members read, these are the partitions of which nothing has been committed
    /// yet. Journalled.
    Reading(Vec<PartitionId>),
}

/// How long a group that had no members waits for more of them: each time for `delay_ms`, and again
/// where somebody new has come meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathering {
    /// For now.
    pub until: Timestamp,
    /// At longest.
    pub last: Timestamp,
    /// How much longer for somebody new, in milliseconds.
    pub delay_ms: u32,
}

/// A generation with its assignments: what a group is after a restart.
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
    /// Each member with its assignment. Empty where the last has left.
    pub members: Vec<(Arc<Profile>, Arc<[u8]>)>,
}

/// A member that waits for a rebalance to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joining {
    /// The member as it is from now on.
    pub profile: Arc<Profile>,
    /// The id that it had under the same static name.
    pub replaces: Option<Box<str>>,
    /// Where to answer.
    pub token: Token,
    /// When a new member is given up; `None` for one that has been a member.
    pub until: Option<Timestamp>,
}

impl GroupRecord {
    /// The instant that it bears, where that is journalled.
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
