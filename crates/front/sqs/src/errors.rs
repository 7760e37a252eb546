//! The broker's errors in SQS's words.

use stele_core_broker::{self as broker, Failure, ResolveError};
use stele_core_engine::{AppendError, CatalogueError, LogError};
use stele_wire_sqs::{Error, ErrorKind};

/// No queue of that name.
pub(crate) fn no_such_queue() -> Error {
    Error::new(
        ErrorKind::QueueDoesNotExist,
        "The specified queue does not exist.",
    )
}

/// What a caller is told where a name leads to nothing that it may use. A queue that somebody else
/// has to himself isn't shown.
pub(crate) fn of_resolve(error: ResolveError) -> Error {
    match error {
        ResolveError::NoSuchVirtualHost | ResolveError::NoSuchLog | ResolveError::Exclusive => {
            no_such_queue()
        }
    }
}

/// What a caller is told of a refusal or failure of the broker.
pub(crate) fn of_broker(error: impl Told) -> Error {
    error.told()
}

/// An error of the broker that a caller is told of.
pub(crate) trait Told {
    /// In SQS's words.
    fn told(self) -> Error;
}

impl<E: Told> Told for broker::Error<E> {
    fn told(self) -> Error {
        match self {
            Self::Refused(refusal) => refusal.told(),
            Self::Failed(failure) => failure.told(),
        }
    }
}

impl Told for Failure {
    fn told(self) -> Error {
        match self {
            Self::Stopping => unavailable("The server is stopping."),
            Self::NoSpace => unavailable("The server has no space left for new messages."),
            Self::TooLarge(_) => Error::new(
                ErrorKind::InvalidParameterValue,
                "One or more parameters are invalid. Reason: Message is too large to be stored.",
            ),
            Self::Unreadable(reason) => internal(&reason),
        }
    }
}

impl Told for CatalogueError {
    fn told(self) -> Error {
        match self {
            Self::NoSuchLog => no_such_queue(),
            Self::Contradiction(contradiction) => queue_name_exists(match contradiction.field {
                "fifo" => "FifoQueue",
                other => other,
            }),
            Self::Limit(limit) => Error::new(
                ErrorKind::OverLimit,
                format!("A limit of the server is reached: {limit}."),
            ),
            Self::Exclusive => in_exclusive_use(),
            // What else there is, this front never causes: it has no exchanges, and asks for no
            // partitions.
            Self::NoSuchExchange(_)
            | Self::NoSuchVirtualHost(_)
            | Self::NoSuchTarget
            | Self::Partitions { .. }
            | Self::OnlyRole
            | Self::InUse => internal(&self),
        }
    }
}

impl Told for LogError {
    fn told(self) -> Error {
        match self {
            Self::NoSuchLog => no_such_queue(),
            Self::Exclusive => in_exclusive_use(),
            Self::TooManyLeased => Error::new(
                ErrorKind::OverLimit,
                "The maximum number of in flight messages is reached.",
            ),
            // What else there is, this front never causes: it deletes without conditions,
            // subscribes to nothing and reads by no offset.
            Self::NoSuchPartition
            | Self::NoSuchLedger
            | Self::InUse
            | Self::NotEmpty
            | Self::ConsumerExists
            | Self::TooManyConsumers
            | Self::OffsetOutOfRange { .. } => internal(&self),
        }
    }
}

impl Told for AppendError {
    fn told(self) -> Error {
        match self {
            Self::NoSuchLog => no_such_queue(),
            // What else there is, this front never causes: it chooses partitions that exist, sends
            // few records at a time, and is no producer with sequence numbers.
            Self::NoSuchPartition
            | Self::Malformed(_)
            | Self::TooManyDelayed
            | Self::OutOfOrderSequence { .. }
            | Self::ProducerFenced { .. }
            | Self::Divided(_) => internal(&self),
        }
    }
}

fn in_exclusive_use() -> Error {
    Error::new(
        ErrorKind::UnsupportedOperation,
        "The queue has a consumer that allows no other one beside it.",
    )
}

/// A queue of that name exists with another value of `attribute`.
pub(crate) fn queue_name_exists(attribute: &str) -> Error {
    let message = format!(
        "A queue already exists with the same name and a different value for attribute {attribute}"
    );
    Error::new(ErrorKind::QueueNameExists, message)
}

/// A failure that is the server's own; what it was is for the log alone.
pub(crate) fn internal(reason: &dyn std::fmt::Display) -> Error {
    tracing::error!(%reason, "sqs: request failed");
    Error::new(
        ErrorKind::InternalFailure,
        "The server failed; its log says why.",
    )
}

fn unavailable(message: &str) -> Error {
    Error::new(ErrorKind::ServiceUnavailable, message)
}

#[cfg(test)]
mod tests {
    use stele_core_engine::Contradiction;

    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_from_a_bad_request() {
        let full = of_broker(Failure::NoSpace);
        assert_eq!(
            (full.kind.status(), full.kind.query_code()),
            (503, "ServiceUnavailable")
        );
        let gone = of_broker(broker::Error::Refused(LogError::NoSuchLog));
        assert_eq!(gone.kind, ErrorKind::QueueDoesNotExist);
    }

    #[test]
    fn a_contradiction_names_the_attribute_as_sqs_calls_it() {
        let contradiction = Contradiction {
            field: "fifo",
            received: "true".into(),
            current: "false".into(),
        };
        let error = of_broker(CatalogueError::Contradiction(contradiction));
        assert_eq!(error.kind, ErrorKind::QueueNameExists);
        assert!(error.message.ends_with("attribute FifoQueue"));
    }
}
