//! The caller's state that recovery and checkpoints replay into.

use stele_wire_batch::BatchHeader;

use crate::{ReplayError, Target};

/// Names a part of the state. Its meaning is up to the caller; [`PartKey::KIND_MAX`] is the last
/// kind available to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey {
    /// What kind of thing the part is.
    pub kind: u8,
    /// Which of its kind.
    pub id: u64,
}

impl PartKey {
    /// Kinds above this are reserved for storage.
    pub const KIND_MAX: u8 = 0xef;
}

/// A set of parts of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// These parts.
    pub keys: Vec<PartKey>,
    /// All parts of these kinds.
    pub kinds: Vec<u8>,
}

impl Parts {
    /// A single part.
    pub fn one(key: PartKey) -> Self {
        Self {
            keys: vec![key],
            kinds: Vec::new(),
        }
    }

    /// All parts of a kind.
    pub fn all_of(kind: u8) -> Self {
        Self {
            keys: Vec::new(),
            kinds: vec![kind],
        }
    }
}

/// The state that the control records of a shard's journal build up, in parts.
///
/// Recovery loads all parts of the last snapshot, in any order, and then calls [`Replay::control`]
/// and [`Replay::append`] in the order in which the records were pushed. Making a snapshot does the
/// same on a separate state, but loads a part only before the first record that reads or changes
/// it, and finally saves the changed parts. So the effect of a record must not depend on whether
/// parts that it doesn't name are loaded; and a state loaded from a snapshot must equal one
/// replayed from the start.
pub trait Replay {
    /// Loads the whole state, the only part of a snapshot of format 1. Everything in it counts as
    /// changed. Called at most once, first, with no [`Replay::load`] after it.
    fn load_whole(&mut self, state: &[u8]) -> Result<(), ReplayError>;

    /// Loads a part as returned by [`Replay::save`]. Called at most once for each.
    fn load(&mut self, key: PartKey, bytes: &[u8]) -> Result<(), ReplayError>;

    /// The existing parts that applying this control record reads or changes. Parts that it creates
    /// needn't be included.
    fn parts_of(&self, record: &[u8]) -> Result<Parts, ReplayError>;

    /// Applies a control record.
    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError>;

    /// The existing parts that [`Replay::append`] reads or changes.
    fn parts_of_append(&self, targets: &[Target]) -> Result<Parts, ReplayError> {
        let _ = targets;
        Ok(Parts::default())
    }

    /// Notes that a batch was appended to each of `targets`. Does nothing by default, for states
    /// whose control records contain everything.
    fn append(&mut self, targets: &[Target], header: &BatchHeader<'_>) -> Result<(), ReplayError> {
        let _ = (targets, header);
        Ok(())
    }

    /// Returns the parts changed, created or removed since the last call, each once.
    fn take_changed(&mut self) -> Vec<PartKey>;

    /// Returns the bytes of a part; `None` if it no longer exists.
    fn save(&self, key: PartKey) -> Result<Option<Vec<u8>>, ReplayError>;
}
