//! Why the orchestrator or a participant couldn't do something.

use std::time::Duration;

use stele_toolkit_bus::Failure;
use stele_toolkit_envelope::{EncodeError, OpenError};

use crate::{DecideError, SagaId};

/// Why the orchestrator or a participant couldn't do something. Nothing was changed, if the
/// transaction is undone.
#[derive(Debug, thiserror::Error)]
pub enum SagaError {
    /// The database.
    #[error("what is known of sagas can't be used")]
    Sql(#[from] stele_toolkit_sql::Error),
    /// The plan.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The message that starts an instance can't be read: it is a dead letter.
    #[error(transparent)]
    Start(#[from] OpenError),
    /// A message couldn't be written as JSON: a fault of the program.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// There is no such instance.
    #[error("no saga {name} has the id {id}")]
    NoSuchInstance {
        /// The saga's name.
        name: String,
        /// The id.
        id: SagaId,
    },
    /// The instance goes by a plan that isn't registered: register it, and try again.
    #[error("version {version} of saga {name} isn't registered")]
    NoSuchPlan {
        /// The saga's name.
        name: String,
        /// The version that the instance goes by.
        version: u32,
    },
    /// What is stored isn't what this version writes.
    #[error("saga {name} {id}: what is stored can't be read: {reason}")]
    Unreadable {
        /// The saga's name.
        name: String,
        /// The id.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// The plan panicked: a fault of the program.
    #[error("saga {name} {id}: its plan panicked: {text}")]
    Panicked {
        /// The saga's name.
        name: String,
        /// The id.
        id: String,
        /// What the panic says.
        text: String,
    },
    /// A command for a participant has no action id in its metadata: no orchestrator sent it.
    #[error("the message has no `actionId` in its metadata")]
    NoActionId,
}

impl SagaError {
    /// Whether trying the whole transaction again may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Sql(error) => error.is_transient(),
            _ => self.lacks_plan(),
        }
    }

    /// Whether another process may have the plan, or this one after its next start.
    pub(crate) fn lacks_plan(&self) -> bool {
        matches!(
            self,
            Self::NoSuchPlan { .. } | Self::Decide(DecideError::OtherPlan { .. })
        )
    }

    /// What a handler returns because of it.
    pub(crate) fn into_failure(self) -> Failure {
        /// How long a message waits for a process that has the plan.
        const LATER: Duration = Duration::from_secs(60);
        match self {
            Self::Sql(error) => error.into(),
            Self::Decide(DecideError::Reply(error)) | Self::Start(error) => {
                Failure::unreadable(&error)
            }
            error if error.lacks_plan() => {
                tracing::warn!("a message of a saga waits for its plan: {error}");
                Failure::Defer(LATER)
            }
            error => error.into(),
        }
    }

    pub(crate) fn unreadable(name: &str, id: &str, reason: impl ToString) -> Self {
        Self::Unreadable {
            name: name.to_owned(),
            id: id.to_owned(),
            reason: reason.to_string(),
        }
    }
}

impl From<stele_toolkit_sql::sqlx::Error> for SagaError {
    fn from(error: stele_toolkit_sql::sqlx::Error) -> Self {
        Self::Sql(error.into())
    }
}
