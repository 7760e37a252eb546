//! Translates refusals and failures to Kafka's error codes.

use std::{
    convert::Infallible,
    fmt::{self, Display},
};

use stele_core_broker::{self as broker, Failure, ReadError, ResolveError};
use stele_core_engine::{AppendError, CatalogueError, GroupError, LogError};
use stele_wire_batch as batch;
use stele_wire_kafka::{ResponseError, StrBytes};

/// An error code with an optional message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) error: ResponseError,
    /// For APIs whose response has a message. If empty, the client uses its own text for the code.
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

    /// The message for a response.
    pub(crate) fn text(&self) -> Option<StrBytes> {
        let message = (!self.message.is_empty()).then(|| self.message.clone());
        message.map(StrBytes::from_string)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.is_empty() {
            true => write!(f, "{}", self.error),
            false => write!(f, "{}", self.message),
        }
    }
}

impl From<ResponseError> for Fault {
    fn from(error: ResponseError) -> Self {
        Self::new(error, "")
    }
}

impl<E: Coded + Display> From<broker::Error<E>> for Fault {
    fn from(error: broker::Error<E>) -> Self {
        match error {
            broker::Error::Refused(refusal) => Self::new(refusal.coded(), refusal.to_string()),
            broker::Error::Failed(failure) => failure.into(),
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::new(of_failure(&failure), failure.to_string())
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        Self::new(error.coded(), error.to_string())
    }
}

impl From<batch::Error> for Fault {
    fn from(error: batch::Error) -> Self {
        Self::new(of_batch(&error), error.to_string())
    }
}

/// The code for a failure of the broker.
fn of_failure(failure: &Failure) -> ResponseError {
    match failure {
        // Retriable, and makes the client look for the leader again: by then the server may have
        // restarted.
        Failure::Stopping => ResponseError::NotLeaderOrFollower,
        // Retriable: the client keeps its records until there is room.
        Failure::NoSpace => ResponseError::KafkaStorageError,
        Failure::Unreadable(_) => ResponseError::KafkaStorageError,
        Failure::TooLarge(_) => ResponseError::MessageTooLarge,
    }
}

/// The code for a refused operation on a group.
pub(crate) fn of_group(error: &broker::Error<GroupError>) -> ResponseError {
    match error {
        broker::Error::Refused(refusal) => refusal.coded(),
        broker::Error::Failed(failure) => of_group_failure(failure),
    }
}

/// The code for a failure of a group operation, which makes the client look for its coordinator
/// again.
pub(crate) fn of_group_failure(failure: &Failure) -> ResponseError {
    match failure {
        Failure::Stopping | Failure::NoSpace | Failure::Unreadable(_) => {
            ResponseError::CoordinatorNotAvailable
        }
        Failure::TooLarge(_) => ResponseError::InvalidRequest,
    }
}

/// The code for a topic name that doesn't resolve. An exclusive queue of another owner is hidden.
pub(crate) fn of_resolve(error: ResolveError) -> ResponseError {
    match error {
        ResolveError::NoSuchVirtualHost | ResolveError::NoSuchLog | ResolveError::Exclusive => {
            ResponseError::UnknownTopicOrPartition
        }
    }
}

/// The same for a topic id.
pub(crate) fn of_resolve_id(error: ResolveError) -> ResponseError {
    match error {
        ResolveError::NoSuchVirtualHost | ResolveError::NoSuchLog | ResolveError::Exclusive => {
            ResponseError::UnknownTopicId
        }
    }
}

/// A refusal with a Kafka error code.
pub(crate) trait Coded {
    /// The code.
    fn coded(&self) -> ResponseError;
}

impl Coded for CatalogueError {
    fn coded(&self) -> ResponseError {
        match self {
            Self::NoSuchLog => ResponseError::UnknownTopicOrPartition,
            Self::Contradiction(_) => ResponseError::InvalidConfig,
            Self::Partitions { .. } => ResponseError::InvalidPartitions,
            Self::Full | Self::Limit(_) => ResponseError::PolicyViolation,
            // A topic that another protocol holds exclusively. Kafka has no code for this; clients
            // don't retry this one.
            Self::InUse | Self::Exclusive | Self::OnlyRole => ResponseError::InvalidRequest,
            // Only a bug of ours could cause these: this front has no exchanges.
            Self::NoSuchExchange(_) | Self::NoSuchVirtualHost(_) | Self::NoSuchTarget => {
                ResponseError::UnknownServerError
            }
        }
    }
}

impl Coded for LogError {
    fn coded(&self) -> ResponseError {
        match self {
            Self::NoSuchLog | Self::NoSuchPartition => ResponseError::UnknownTopicOrPartition,
            Self::OffsetOutOfRange { .. } => ResponseError::OffsetOutOfRange,
            // This front deletes unconditionally, and has neither ledgers nor consumers. If it were
            // refused for these reasons anyway, clients don't retry this code.
            Self::InUse | Self::NotEmpty | Self::Exclusive => ResponseError::InvalidRequest,
            Self::NoSuchLedger
            | Self::ConsumerExists
            | Self::TooManyConsumers
            | Self::TooManyLeased => ResponseError::UnknownServerError,
        }
    }
}

impl Coded for ReadError {
    fn coded(&self) -> ResponseError {
        match self {
            Self::NoSuchLog | Self::NoSuchPartition => ResponseError::UnknownTopicOrPartition,
            Self::OffsetOutOfRange { .. } => ResponseError::OffsetOutOfRange,
        }
    }
}

impl Coded for AppendError {
    fn coded(&self) -> ResponseError {
        match self {
            Self::NoSuchLog | Self::NoSuchPartition => ResponseError::UnknownTopicOrPartition,
            // A batch can be divided only for a publisher that leaves the choice of partition to
            // the engine.
            Self::Malformed(_) | Self::Divided(_) => ResponseError::InvalidRecord,
            // The Java producer then splits the batch and retries.
            Self::TooManyDelayed => ResponseError::MessageTooLarge,
            Self::Full => ResponseError::PolicyViolation,
            // Producers try again for as long as their delivery timeout allows.
            Self::TooLong => ResponseError::KafkaStorageError,
            Self::OutOfOrderSequence { .. } => ResponseError::OutOfOrderSequenceNumber,
            Self::ProducerFenced { .. } => ResponseError::InvalidProducerEpoch,
        }
    }
}

impl Coded for Infallible {
    fn coded(&self) -> ResponseError {
        match *self {}
    }
}

impl Coded for GroupError {
    fn coded(&self) -> ResponseError {
        match self {
            Self::InvalidGroup => ResponseError::InvalidGroupId,
            Self::NoSuchGroup => ResponseError::GroupIdNotFound,
            Self::NotEmpty => ResponseError::NonEmptyGroup,
            Self::Full => ResponseError::GroupMaxSizeReached,
            // As Kafka does if a group is too large to be stored.
            Self::AssignmentsTooLarge => ResponseError::UnknownServerError,
            Self::OffsetsFull => ResponseError::InvalidCommitOffsetSize,
            Self::Subscribed => ResponseError::GroupSubscribedToTopic,
            Self::MetadataTooLong => ResponseError::OffsetMetadataTooLarge,
            Self::UnknownMember => ResponseError::UnknownMemberId,
            Self::FencedInstance => ResponseError::FencedInstanceId,
            Self::IllegalGeneration => ResponseError::IllegalGeneration,
            Self::RebalanceInProgress => ResponseError::RebalanceInProgress,
            Self::InconsistentProtocol => ResponseError::InconsistentGroupProtocol,
            Self::SessionTimeout => ResponseError::InvalidSessionTimeout,
        }
    }
}

/// The code for invalid produced records.
fn of_batch(error: &batch::Error) -> ResponseError {
    use batch::Error as E;
    match error {
        // Corrupted in transit: the client retries.
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
        for failure in [Failure::NoSpace, Failure::Stopping] {
            assert!(Fault::from(failure).error.is_retriable());
        }
    }

    #[test]
    fn a_group_on_a_stopping_server_is_looked_for_again() {
        assert_eq!(
            of_group(&Failure::Stopping.into()),
            ResponseError::CoordinatorNotAvailable
        );
    }
}
