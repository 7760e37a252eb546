//! Translates the broker's errors to SQS errors.

use stele_core_broker::{self as broker, Failure, ResolveError};
use stele_core_engine::{AppendError, CatalogueError, LogError};
use stele_wire_sqs::{Error, ErrorKind};

/// The queue doesn't exist.
pub(crate) fn no_such_queue() -> Error {
    Error::new(
        ErrorKind::QueueDoesNotExist,
        "The specified queue does not exist.",
    )
}

/// The error for a name that doesn't resolve to an accessible queue. An exclusive queue of another
/// owner is hidden.
pub(crate) fn of_resolve(error: ResolveError) -> Error {
    match error {
        ResolveError::NoSuchVirtualHost | ResolveError::NoSuchLog | ResolveError::Exclusive => {
            no_such_queue()
        }
    }
}

/// The error for a refusal or failure of the broker.
pub(crate) fn of_broker(error: impl Told) -> Error {
    error.told()
}

/// An error of the broker that can be returned to clients.
pub(crate) trait Told {
    /// The SQS error.
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
            Self::Full => Error::new(
                ErrorKind::OverLimit,
                "The server's memory holds no more queues.",
            ),
            Self::Limit(limit) => Error::new(
                ErrorKind::OverLimit,
                format!("A limit of the server is reached: {limit}."),
            ),
            Self::Exclusive => in_exclusive_use(),
            // This front can't cause the other errors: it has no exchanges and requests no
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
            // This front can't cause the other errors: it deletes unconditionally, has no
            // subscriptions and doesn't read by offset.
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
            Self::Full => Error::new(
                ErrorKind::OverLimit,
                "The server's memory holds no more messages that are delayed or deduplicated.",
            ),
            Self::TooLong => Error::new(
                ErrorKind::OverLimit,
                "The queue has as many messages as it may have, and refuses new ones.",
            ),
            // This front can't cause the other errors: it uses existing partitions, sends few
            // records at a time, and isn't a producer with sequence numbers.
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
        "The queue has an exclusive consumer.",
    )
}

/// A queue of that name exists with a different value of `attribute`.
pub(crate) fn queue_name_exists(attribute: &str) -> Error {
    let message = format!(
        "A queue already exists with the same name and a different value for attribute {attribute}"
    );
    Error::new(ErrorKind::QueueNameExists, message)
}

/// An internal failure; only the log gets the reason.
pub(crate) fn internal(reason: &dyn std::fmt::Display) -> Error {
    tracing::error!(%reason, "sqs: request failed");
    Error::new(
        ErrorKind::InternalFailure,
        "The server failed; see its log for the reason.",
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
