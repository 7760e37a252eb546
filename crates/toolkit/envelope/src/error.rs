//! What can be wrong with a message.

use crate::{UpcastError, Version};

/// A message can't be written as JSON: its `Serialize` refuses, or it has a map whose keys aren't
/// text. The program has to be corrected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message_type} can't be written as JSON: {reason}")]
pub struct EncodeError {
    /// The type's name.
    pub message_type: &'static str,
    /// What serde says.
    pub reason: String,
}

/// Bytes aren't an envelope. They never will be, so a receiver makes them a dead letter at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than the caller takes.
    #[error("{size_bytes} bytes, more than the {size_bytes_max} that are read")]
    TooLarge {
        /// The length of the body.
        size_bytes: usize,
        /// What the caller takes.
        size_bytes_max: usize,
    },
    /// The body, or a header that has to be text, isn't UTF-8.
    #[error("{what} isn't UTF-8 from byte {at} on")]
    NotUtf8 {
        /// `the body`, or the name of the header.
        what: String,
        /// The position of the first byte that isn't.
        at: usize,
    },
    /// The body isn't JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// The body is JSON, but not an object.
    #[error("JSON, but not an object")]
    NotAnObject,
    /// A field that every envelope has isn't there.
    #[error("missing field `{0}`")]
    MissingField(&'static str),
    /// A field is there twice.
    #[error("field `{0}` is there twice")]
    RepeatedField(&'static str),
    /// A field has a value that it can't have.
    #[error("field `{field}`: {problem}")]
    InvalidField {
        /// The field's name, as in `metadata.userId`.
        field: String,
        /// What is wrong with its value.
        problem: String,
    },
    /// A CloudEvent of a version that isn't known, or in a form that holds no JSON or several
    /// events.
    #[error("a CloudEvent that isn't read here: {0}")]
    UnsupportedEvent(String),
}

impl DecodeError {
    /// A word for the reason that never changes, for dead letters and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotJson(_) => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::MissingField(_) => "missing_field",
            Self::RepeatedField(_) => "repeated_field",
            Self::InvalidField { .. } => "invalid_field",
            Self::UnsupportedEvent(_) => "unsupported_event",
        }
    }

    pub(crate) fn invalid(field: &str, problem: impl ToString) -> Self {
        Self::InvalidField {
            field: field.to_owned(),
            problem: problem.to_string(),
        }
    }

    pub(crate) fn not_utf8(what: &str, error: std::str::Utf8Error) -> Self {
        Self::NotUtf8 {
            what: what.to_owned(),
            at: error.valid_up_to(),
        }
    }
}

/// An envelope can't be opened as a type. Unless another type was meant, the message is a dead
/// letter, and can be tried again when a program that reads it is deployed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} {version} can't be read as {expected} {known}: {problem}")]
pub struct OpenError {
    /// The type that was asked for.
    pub expected: &'static str,
    /// Its version in this program.
    pub known: Version,
    /// The envelope's type.
    pub found: String,
    /// The envelope's version.
    pub version: Version,
    /// Why it can't.
    pub problem: OpenProblem,
}

/// Why an envelope can't be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenProblem {
    /// It has another type.
    #[error("another type")]
    Type,
    /// It has a newer major version.
    #[error("a newer major version")]
    Newer,
    /// An older version can't be turned into this one.
    #[error("{0}")]
    Upcast(#[source] UpcastError),
    /// The data don't have the type's form.
    #[error("{0}")]
    Data(String),
}

impl OpenError {
    /// A word for the reason that never changes, for dead letters and metrics.
    pub fn reason(&self) -> &'static str {
        match &self.problem {
            OpenProblem::Type => "wrong_type",
            OpenProblem::Newer => "unknown_version",
            OpenProblem::Upcast(UpcastError::NoStep { .. }) => "unknown_version",
            OpenProblem::Upcast(UpcastError::Refused(_)) => "upcast_failed",
            OpenProblem::Data(_) => "invalid_data",
        }
    }
}
