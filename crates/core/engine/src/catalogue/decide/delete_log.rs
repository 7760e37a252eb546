//! Removes a log's definition and the bindings to it, after its shard has closed it.

use stele_base_types::LogId;

use crate::{CatalogueRecord, Decision, Record, catalogue::Catalogue};

impl Catalogue {
    /// Removes a definition. If it doesn't exist, it was removed before.
    pub(crate) fn undefine(&self, log: LogId) -> Decision {
        if self.log_by_id(log).is_none() {
            return Decision::nothing();
        }
        Decision::record(Record::Catalogue(CatalogueRecord::LogDeleted(log)))
    }
}
