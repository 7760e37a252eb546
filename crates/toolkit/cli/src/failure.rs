//! Why a command failed, and the code that tells programs so.

use std::io;

use stele_toolkit_bus::{LettersError, StoreError, TransportError};
use stele_toolkit_saga::SagaError;

/// The end of `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong arguments
  3  there is no such thing
  4  refused: it makes no sense in the state that the thing is in
  5  asked for, and not done yet: no service that can do it has answered in time";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments don't go together. Code 2.
    #[error("{0}")]
    Usage(String),
    /// There is no such thing. Code 3.
    #[error("{0}")]
    Missing(String),
    /// It can't be done in this state. Code 4.
    #[error("refused: {0}")]
    Refused(String),
    /// Nobody has done it yet. Code 5.
    #[error("{0}")]
    Open(String),
    /// The database. Code 1.
    #[error(transparent)]
    Sql(#[from] stele_toolkit_sql::Error),
    /// What is known of sagas. Code 1.
    #[error("{}", with_source(.0))]
    Saga(SagaError),
    /// The broker. Code 1.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The database, through the bus. Code 1.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The body that was given can't be read. Code 1.
    #[error("reading {path}: {error}")]
    Input {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The output can't be written. Code 1.
    #[error("writing the output: {0}")]
    Output(#[from] io::Error),
    /// Something can't be written as JSON. Code 1.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    /// The program's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Missing(_) => 3,
            Self::Refused(_) => 4,
            Self::Open(_) => 5,
            Self::Sql(_)
            | Self::Saga(_)
            | Self::Transport(_)
            | Self::Store(_)
            | Self::Input { .. }
            | Self::Output(_)
            | Self::Json(_) => 1,
        }
    }
}

impl From<LettersError> for Failure {
    fn from(error: LettersError) -> Self {
        match error {
            LettersError::NoSuchLetter { .. } => Self::Missing(error.to_string()),
            LettersError::Transport(error) => error.into(),
            LettersError::Store(error) => error.into(),
        }
    }
}

impl From<SagaError> for Failure {
    fn from(error: SagaError) -> Self {
        match error {
            SagaError::NoSuchInstance { .. } => Self::Missing(error.to_string()),
            SagaError::Sql(error) => error.into(),
            error => Self::Saga(error),
        }
    }
}

fn with_source(error: &SagaError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
