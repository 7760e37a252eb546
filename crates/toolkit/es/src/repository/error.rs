//! Why an aggregate can't be loaded or changed.

use std::error::Error;

use stele_toolkit_envelope::EncodeError;

use crate::{AppendError, EventError, ReadError, StreamId, StreamIdError};

/// Why an aggregate can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The id can't be that of an aggregate.
    #[error(transparent)]
    Id(#[from] StreamIdError),
    /// This program can't read one of its events. A program that can has to be deployed.
    #[error("event {version} of {stream}: {problem}")]
    Event {
        /// The stream.
        stream: StreamId,
        /// The event's version.
        version: u64,
        /// Why it can't be read.
        #[source]
        problem: EventError,
    },
    /// The store couldn't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a command wasn't executed.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<E: Error + 'static> {
    /// The aggregate refuses it. Nothing has changed; who sent the command is told.
    #[error(transparent)]
    Refused(E),
    /// The aggregate can't be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An event can't be written as JSON: an error in the program.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The events weren't recorded. [`AppendError::Conflict`] after the last attempt means that
    /// the aggregate changes all the time: try again later. After [`AppendError::Store`] they may
    /// have been recorded.
    #[error(transparent)]
    Append(#[from] AppendError),
}
