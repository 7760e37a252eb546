//! What happens to the catalogue.

use serde::{Deserialize, Serialize};
use stele_base_types::LogId;

use super::LogDefinition;

/// A change of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CatalogueRecord {
    /// A log is new, or defined anew.
    LogDefined(Box<LogDefinition>),
    /// A log and the bindings to it are gone.
    LogDeleted(LogId),
}
