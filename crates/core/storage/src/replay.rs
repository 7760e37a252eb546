//! What recovery and snapshots replay into: the caller's state.

use stele_wire_batch::BatchHeader;

use crate::{ReplayError, Target};

/// Names a part of the state. What it means is the caller's; [`PartKey::KIND_MAX`] is the last
/// kind that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey {
    /// What kind of thing the part is.
    pub kind: u8,
    /// Which of its kind.
    pub id: u64,
}

impl PartKey {
    /// Kinds beyond this are for storage itself.
    pub const KIND_MAX: u8 = 0xef;
}

/// Some parts of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// These.
    pub keys: Vec<PartKey>,
    /// And all of these kinds.
    pub kinds: Vec<u8>,
}

impl Parts {
    /// One part.
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
/// same on a state of its own, but loads a part only when a record is next that reads or changes
/// it, and in the end saves the parts that changed. So a record must have the same effect whether
/// or not the parts are there that it doesn't name; and a state loaded from a snapshot and one
/// replayed from the start must not differ.
pub trait Replay {
    /// Takes the whole state, as the only part of a snapshot of format 1. All that it makes of it
    /// counts as changed. Called at most once, first, and with no [`Replay::load`] after it.
    fn load_whole(&mut self, state: &[u8]) -> Result<(), ReplayError>;

    /// Takes a part, as [`Replay::save`] gave it. Called at most once for each.
    fn load(&mut self, key: PartKey, bytes: &[u8]) -> Result<(), ReplayError>;

    /// The parts that applying this control record reads or changes, where they exist. Those that
    /// it makes needn't be among them.
    fn parts_of(&self, record: &[u8]) -> Result<Parts, ReplayError>;

    /// Applies a control record.
    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError>;

    /// The same for an append: the parts that [`Replay::append`] reads or changes.
    fn parts_of_append(&self, targets: &[Target]) -> Result<Parts, ReplayError> {
        let _ = targets;
        Ok(Parts::default())
    }

    /// Notes that a batch was appended to each of `targets`. Nothing to do where the control
    /// records beside it say all.
    fn append(&mut self, targets: &[Target], header: &BatchHeader<'_>) -> Result<(), ReplayError> {
        let _ = (targets, header);
        Ok(())
    }

    /// The parts that were changed, made or removed since the last call, each once.
    fn take_changed(&mut self) -> Vec<PartKey>;

    /// The bytes of a part; `None` where there is no such part any more.
    fn save(&self, key: PartKey) -> Result<Option<Vec<u8>>, ReplayError>;
}
