//! The broker's errors in SQS's words.

use stele_core_broker::{self as broker, ResolveError};
use stele_core_engine as engine;
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

/// What a caller is told of a failure of the broker.
pub(crate) fn of_broker(error: broker::Error) -> Error {
    match error {
        broker::Error::Refused(error) => of_engine(error),
        broker::Error::Stopping => unavailable("The server is stopping."),
        broker::Error::NoSpace => unavailable("The server has no space left for new messages."),
        broker::Error::TooLarge(_) => Error::new(
            ErrorKind::InvalidParameterValue,
            "One or more parameters are invalid. Reason: Message is too large to be stored.",
        ),
        broker::Error::Unreadable(reason) => internal(&reason),
    }
}

fn of_engine(error: engine::Error) -> Error {
    use engine::Error as E;
    match error {
        E::NoSuchLog => no_such_queue(),
        E::Contradiction(contradiction) => queue_name_exists(match contradiction.field {
            "fifo" => "FifoQueue",
            other => other,
        }),
        E::Limit(limit) => Error::new(
            ErrorKind::OverLimit,
            format!("A limit of the server is reached: {limit}."),
        ),
        E::Exclusive => Error::new(
            ErrorKind::UnsupportedOperation,
            "The queue has a consumer that allows no other one beside it.",
        ),
        // What else there is, this front never causes: it deletes without conditions, chooses
        // partitions that exist, is no producer with sequence numbers and no member of a group.
        unexpected @ (E::NoSuchPartition
        | E::NoSuchLedger
        | E::NoSuchExchange(_)
        | E::NoSuchVirtualHost(_)
        | E::Partitions { .. }
        | E::NoSuchTarget
        | E::InUse
        | E::NotEmpty
        | E::ConsumerExists
        | E::OffsetOutOfRange { .. }
        | E::MalformedAppend(_)
        | E::OutOfOrderSequence { .. }
        | E::DuplicateSequence
        | E::ProducerFenced { .. }
        | E::UnknownProducer
        | E::NoSuchGroup
        | E::GroupNotEmpty
        | E::GroupSubscribed
        | E::UnknownMember
        | E::FencedInstance
        | E::IllegalGeneration
        | E::RebalanceInProgress
        | E::MemberIdRequired(_)
        | E::InconsistentProtocol
        | E::SessionTimeout
        | E::InvalidGroup) => internal(&unexpected),
    }
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
        let full = of_broker(broker::Error::NoSpace);
        assert_eq!(
            (full.kind.status(), full.kind.query_code()),
            (503, "ServiceUnavailable")
        );
        let gone = of_broker(broker::Error::Refused(engine::Error::NoSuchLog));
        assert_eq!(gone.kind, ErrorKind::QueueDoesNotExist);
    }

    #[test]
    fn a_contradiction_names_the_attribute_as_sqs_calls_it() {
        let contradiction = Contradiction {
            field: "fifo",
            received: "true".into(),
            current: "false".into(),
        };
        let error = of_broker(engine::Error::Contradiction(contradiction).into());
        assert_eq!(error.kind, ErrorKind::QueueNameExists);
        assert!(error.message.ends_with("attribute FifoQueue"));
    }
}
