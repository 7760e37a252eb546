//! What happens to a log.

use serde::{Deserialize, Serialize};

use crate::LogConfig;

/// A change of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LogRecord {
    /// It was taken up, or its configuration changed.
    Opened(LogConfig),
    /// It is gone.
    Closed,
}

impl LogRecord {
    pub(crate) fn is_journalled(&self) -> bool {
        true
    }
}
