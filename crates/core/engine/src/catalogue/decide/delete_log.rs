//! Removes a log's definition and the bindings to it. Its data goes by its own shard's
//! [`crate::CloseLog`].

use stele_base_types::{LogId, Timestamp};

use super::change;
use crate::{CatalogueRecord, Command, Decision, LogError, State};

/// Removes a log's definition and the bindings to it. Refused as [`crate::CloseLog`] is, which goes
/// before it: to who deletes a log it is one deletion.
#[derive(Clone, Copy, Debug)]
pub struct DeleteLog {
    /// The log.
    pub log: LogId,
}

impl Command for DeleteLog {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<()>, LogError> {
        let existing = state.catalogue.log_by_id(self.log);
        existing.ok_or(LogError::NoSuchLog)?;
        Ok(change(CatalogueRecord::LogDeleted(self.log), ()))
    }
}
