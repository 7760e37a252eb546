//! What recovery and snapshots replay into: the caller's state.

use stele_wire_batch::BatchHeader;

use crate::{ReplayError, Target};

/// The state that the control records of a shard's journal build up.
///
/// Recovery calls [`Replay::load`] at most once, first, and then [`Replay::control`] and
/// [`Replay::append`] in the order in which the records were pushed. Making a snapshot does the
/// same on a state of its own and ends with [`Replay::save`]; so a state loaded from a snapshot
/// and one replayed from the start must not differ.
pub trait Replay {
    /// Replaces the state with one that [`Replay::save`] gave.
    fn load(&mut self, state: &[u8]) -> Result<(), ReplayError>;

    /// Applies a control record.
    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError>;

    /// Notes that a batch was appended to each of `targets`.
    fn append(&mut self, targets: &[Target], header: &BatchHeader<'_>) -> Result<(), ReplayError>;

    /// The state as bytes.
    fn save(&self) -> Result<Vec<u8>, ReplayError>;
}
