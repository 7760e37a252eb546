//! Why a projection doesn't go on.

use std::error::Error;

use stele_toolkit_bus::StoreError;

use crate::{Position, ReadError, StreamId};

/// Why an event couldn't be applied: any error.
pub type ApplyError = Box<dyn Error + Send + Sync>;

/// Why a projection doesn't go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An event can't be applied. It is tried again, later and later; nothing behind it is applied
    /// before. Correct the program, and give the projection a new version if rows were wrong.
    #[error("{name} can't apply event {version} of {stream} at {position}: {reason}")]
    Apply {
        /// The projection.
        name: &'static str,
        /// The event's stream.
        stream: StreamId,
        /// Its version there.
        version: u64,
        /// Its position.
        position: Position,
        /// Why, with all causes.
        reason: String,
    },
    /// A newer version of the code has taken over: this process is out of date.
    #[error("{name} {own} is superseded by version {newer}")]
    Superseded {
        /// The projection.
        name: &'static str,
        /// The version of this program.
        own: u32,
        /// The version that took over.
        newer: u32,
    },
    /// Another process works on the same tables. It is tried again.
    #[error("another process works on {name}")]
    Raced {
        /// The projection.
        name: &'static str,
    },
    /// The projection's tables can't have these names.
    #[error("{name:?} can't be a table's name")]
    TableName {
        /// The name.
        name: &'static str,
    },
    /// The events can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<stele_toolkit_sql::Error> for RunError {
    fn from(error: stele_toolkit_sql::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<stele_toolkit_sql::sqlx::Error> for RunError {
    fn from(error: stele_toolkit_sql::sqlx::Error) -> Self {
        stele_toolkit_sql::Error::from(error).into()
    }
}
