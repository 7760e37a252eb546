//! What a handler returns when it can't handle a message, and what is told about it.

use std::{error::Error, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::{OpenError, Timestamp};

use crate::Refusal;

/// Why a handler couldn't handle a message, and what to do with it.
///
/// The `?` of a handler turns every error into [`Failure::Retry`]. Whether and when there is a
/// retry is the [`Policy`](crate::Policy)'s decision.
#[derive(Debug)]
pub enum Failure {
    /// Something went wrong. Another attempt may succeed.
    Retry(Cause),
    /// It is too early. The message comes back after this time; no attempt is counted.
    Defer(Duration),
    /// The message can't be handled, now or later: it becomes a dead letter.
    Reject {
        /// Why, for people.
        reason: String,
    },
    /// The message can't be read after all: it becomes a dead letter, with the refusal's reason.
    Refuse(Refusal),
    /// The message is of no use any more. It is acknowledged, and counted as dropped.
    Drop,
}

impl Failure {
    /// A retry because of an error.
    pub fn retry(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retry(Cause {
            error: error.into(),
            error_type: "text",
        })
    }

    /// A refusal of a message whose data can't be read.
    pub fn unreadable(error: &OpenError) -> Self {
        Self::Refuse(Refusal::new(error.reason(), error.to_string()))
    }

    /// A rejection for this reason.
    pub fn reject(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Reject { reason }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Retry(Cause {
            error: Box::new(error),
            error_type: std::any::type_name::<E>(),
        })
    }
}

/// An error of a handler.
#[derive(Debug)]
pub struct Cause {
    /// The error. Its type is found out by downcasting.
    pub error: Box<dyn Error + Send + Sync>,
    /// The name of its type.
    pub error_type: &'static str,
}

impl Cause {
    /// The error and what it wraps, the outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let mut next: Option<&(dyn Error + 'static)> = Some(self.error.as_ref());
        std::iter::from_fn(move || {
            let error = next?;
            next = error.source();
            Some(error)
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// The kinds of failures that a policy tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The handler returned an error that no one else has classified.
    Error,
    /// What the handler uses is away, busy or in conflict with somebody else.
    Transient,
    /// What the handler did fails again with the same message.
    Permanent,
    /// The handler took too long.
    Timeout,
    /// The handler panicked.
    Panic,
    /// The process ended while it handled the message.
    Crash,
    /// The handler, or the policy, rejected the message.
    Rejected,
    /// The message can't be read, or nobody here knows its type or version.
    Unreadable,
}

impl FailureClass {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Error,
        Self::Transient,
        Self::Permanent,
        Self::Timeout,
        Self::Panic,
        Self::Crash,
        Self::Rejected,
        Self::Unreadable,
    ];

    /// Its name in metrics and dead letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::Crash => "crash",
            Self::Rejected => "rejected",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of a message's failures, for whoever has to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Story {
    /// A word for the last failure that never changes: the class's name or, of an unreadable
    /// message, what is wrong with it.
    pub reason: String,
    /// The last failure's class.
    pub class: FailureClass,
    /// The last failure in words.
    pub error: String,
    /// The type of the last error, or nothing.
    pub error_type: String,
    /// How many attempts were counted.
    pub attempts: u32,
    /// When it failed first.
    pub first_failed_at: Timestamp,
    /// When it failed last.
    pub last_failed_at: Timestamp,
}
