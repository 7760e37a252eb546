//! Removes a log's definition and the bindings to it. Its data goes by the owner's
//! [`crate::LogCommand::Close`].

use stele_base_types::LogId;

use super::change;
use crate::{CatalogueRecord, Decision, Error, Reply, catalogue::Catalogue};

impl Catalogue {
    pub(super) fn decide_delete_log(&self, log: LogId) -> Result<Decision, Error> {
        self.log_by_id(log).ok_or(Error::NoSuchLog)?;
        Ok(change(CatalogueRecord::LogDeleted(log), Reply::Done))
    }
}
