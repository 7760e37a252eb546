//! Refusals and failures in Kafka's words.

use stele_core_broker::{self as broker, ResolveError};
use stele_core_engine as engine;
use stele_wire_batch as batch;
use stele_wire_kafka::{ResponseError, StrBytes};

/// An error code with what Kafka's own words don't say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) error: ResponseError,
    /// For APIs whose response has a message.
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Self {
            error,
            message: message.into(),
        }
    }

    pub(crate) fn code(&self) -> i16 {
        self.error.code()
    }

    /// The message as responses hold it.
    pub(crate) fn text(&self) -> Option<StrBytes> {
        Some(StrBytes::from_string(self.message.clone()))
    }
}

impl From<ResponseError> for Fault {
    fn from(error: ResponseError) -> Self {
        Self::new(error, error.to_string())
    }
}

impl From<broker::Error> for Fault {
    fn from(error: broker::Error) -> Self {
        Self::new(of_broker(&error), error.to_string())
    }
}

impl From<engine::Error> for Fault {
    fn from(error: engine::Error) -> Self {
        Self::new(of_engine(&error), error.to_string())
    }
}

impl From<batch::Error> for Fault {
    fn from(error: batch::Error) -> Self {
        Self::new(of_batch(&error), error.to_string())
    }
}

/// What a failure of the broker is to a client.
fn of_broker(error: &broker::Error) -> ResponseError {
    match error {
        broker::Error::Refused(refusal) => of_engine(refusal),
        // Retriable, and makes the client look for the leader again: by then the server is back.
        broker::Error::Stopping => ResponseError::NotLeaderOrFollower,
        // Retriable: the client keeps its records until there is room.
        broker::Error::NoSpace => ResponseError::KafkaStorageError,
        broker::Error::Unreadable(_) => ResponseError::KafkaStorageError,
        broker::Error::TooLarge(_) => ResponseError::MessageTooLarge,
    }
}

/// The same for an operation on a group, whose coordinator the client then looks for again.
pub(crate) fn of_group(error: &broker::Error) -> ResponseError {
    match error {
        broker::Error::Refused(engine::Error::Limit(_)) => ResponseError::GroupMaxSizeReached,
        broker::Error::Refused(refusal) => of_engine(refusal),
        broker::Error::Stopping | broker::Error::NoSpace | broker::Error::Unreadable(_) => {
            ResponseError::CoordinatorNotAvailable
        }
        broker::Error::TooLarge(_) => ResponseError::InvalidRequest,
    }
}

/// What a topic's name that leads to nothing is to a client. One that somebody else has to himself
/// isn't shown.
pub(crate) fn of_resolve(error: ResolveError) -> ResponseError {
    match error {
        ResolveError::NoSuchVirtualHost | ResolveError::NoSuchLog | ResolveError::Exclusive => {
            ResponseError::UnknownTopicOrPartition
        }
    }
}

/// The same for a topic's id.
pub(crate) fn of_resolve_id(error: ResolveError) -> ResponseError {
    match error {
        ResolveError::NoSuchVirtualHost | ResolveError::NoSuchLog | ResolveError::Exclusive => {
            ResponseError::UnknownTopicId
        }
    }
}

/// What a refusal of the engine is to a client.
pub(crate) fn of_engine(error: &engine::Error) -> ResponseError {
    use engine::Error as E;
    match error {
        E::NoSuchLog | E::NoSuchPartition => ResponseError::UnknownTopicOrPartition,
        E::Contradiction(_) => ResponseError::InvalidConfig,
        E::Partitions { .. } => ResponseError::InvalidPartitions,
        E::Limit(_) => ResponseError::PolicyViolation,
        E::OffsetOutOfRange { .. } => ResponseError::OffsetOutOfRange,
        E::MalformedAppend(_) => ResponseError::InvalidRecord,
        E::OutOfOrderSequence { .. } => ResponseError::OutOfOrderSequenceNumber,
        E::DuplicateSequence => ResponseError::DuplicateSequenceNumber,
        E::ProducerFenced { .. } => ResponseError::InvalidProducerEpoch,
        E::UnknownProducer => ResponseError::UnknownProducerId,
        E::NoSuchGroup => ResponseError::GroupIdNotFound,
        E::GroupNotEmpty => ResponseError::NonEmptyGroup,
        E::GroupSubscribed => ResponseError::GroupSubscribedToTopic,
        E::UnknownMember => ResponseError::UnknownMemberId,
        E::FencedInstance => ResponseError::FencedInstanceId,
        E::IllegalGeneration => ResponseError::IllegalGeneration,
        E::RebalanceInProgress => ResponseError::RebalanceInProgress,
        E::MemberIdRequired(_) => ResponseError::MemberIdRequired,
        E::InconsistentProtocol => ResponseError::InconsistentGroupProtocol,
        E::SessionTimeout => ResponseError::InvalidSessionTimeout,
        E::InvalidGroup => ResponseError::InvalidGroupId,
        // A topic that another protocol holds exclusively, or deletes only unused: none of Kafka's
        // codes says so; this one isn't retried.
        E::InUse | E::NotEmpty | E::Exclusive => ResponseError::InvalidRequest,
        // What only a fault of our own could cause: this front has neither ledgers nor exchanges.
        E::NoSuchLedger
        | E::NoSuchExchange(_)
        | E::NoSuchVirtualHost(_)
        | E::NoSuchTarget
        | E::ConsumerExists => ResponseError::UnknownServerError,
    }
}

/// What is wrong with produced records.
fn of_batch(error: &batch::Error) -> ResponseError {
    use batch::Error as E;
    match error {
        // Damaged on the way: the client sends it again.
        E::Truncated { .. } | E::Length(_) | E::Checksum { .. } => ResponseError::CorruptMessage,
        E::CompressionUnknown(_) => ResponseError::UnsupportedCompressionType,
        E::Magic(_)
        | E::Trailing(_)
        | E::BaseOffset(_)
        | E::Count { .. }
        | E::Decompression { .. }
        | E::Record { .. } => ResponseError::InvalidRecord,
        E::DecompressedTooLarge { .. } | E::TooLarge(_) => ResponseError::MessageTooLarge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_space_and_stopping_are_retriable_for_a_producer() {
        for error in [broker::Error::NoSpace, broker::Error::Stopping] {
            assert!(Fault::from(error).error.is_retriable());
        }
    }

    #[test]
    fn a_group_on_a_stopping_server_is_looked_for_again() {
        assert_eq!(
            of_group(&broker::Error::Stopping),
            ResponseError::CoordinatorNotAvailable
        );
    }
}
