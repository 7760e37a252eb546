//! Consumer groups: Kafka's classic protocol and the offsets that groups commit.

mod record;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use stele_base_types::{Name, Timestamp};

pub use self::record::GroupRecord;
use crate::{Decision, command::GroupCommand};

/// The groups of a shard.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Groups {
    groups: HashMap<Name, Group>,
}

/// A group.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Group {}

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupState {
    /// No members.
    #[default]
    Empty,
    /// Gathering members.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// At work.
    Stable,
    /// Gone.
    Dead,
}

impl Groups {
    pub(crate) fn decide(&self, _group: Name, _command: GroupCommand, _now: Timestamp) -> Decision {
        Decision::nothing()
    }

    pub(crate) fn tick(&self, _now: Timestamp) -> Decision {
        Decision::nothing()
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    pub(crate) fn apply(&mut self, group: &Name, _record: &GroupRecord) {
        self.groups.entry(group.clone()).or_default();
    }
}
