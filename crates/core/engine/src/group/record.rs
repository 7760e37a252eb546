//! What happens to a group.

use serde::{Deserialize, Serialize};

use crate::command::CommitOffset;

/// A change of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GroupRecord {
    /// Offsets were committed.
    Committed(Vec<CommitOffset>),
}

impl GroupRecord {
    pub(crate) fn is_journalled(&self) -> bool {
        true
    }
}
