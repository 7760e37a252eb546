//! Refusals and failures in Kafka's words.

use std::{
    convert::Infallible,
    fmt::{self, Display},
};

use stele_core_broker::{self as broker, Failure, ReadError, ResolveError};
use stele_core_engine::{AppendError, CatalogueError, GroupError, LogError};
use stele_wire_batch as batch;
use stele_wire_kafka::{ResponseError, StrBytes};

/// An error code with what Kafka's own words don't say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) error: ResponseError,
    /// For APIs whose response has a message. Empty leaves it to the client, which knows what the
    /// code says.
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

/// What a failure of the broker is to a client.
fn of_failure(failure: &Failure) -> ResponseError {
    match failure {
        // Retriable, and makes the client look for the leader again: by then the server is back.
        Failure::Stopping => ResponseError::NotLeaderOrFollower,
        // Retriable: the client keeps its records until there is room.
        Failure::NoSpace => ResponseError::KafkaStorageError,
        Failure::Unreadable(_) => ResponseError::KafkaStorageError,
        Failure::TooLarge(_) => ResponseError::MessageTooLarge,
    }
}

/// What an operation on a group is answered with that can't be done.
pub(crate) fn of_group(error: &broker::Error<GroupError>) -> ResponseError {
    match error {
        broker::Error::Refused(refusal) => refusal.coded(),
        broker::Error::Failed(failure) => of_group_failure(failure),
    }
}

/// What a failure is to a client of a group, which then looks for its coordinator again.
pub(crate) fn of_group_failure(failure: &Failure) -> ResponseError {
    match failure {
        Failure::Stopping | Failure::NoSpace | Failure::Unreadable(_) => {
            ResponseError::CoordinatorNotAvailable
        }
        Failure::TooLarge(_) => ResponseError::InvalidRequest,
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

/// A refusal that has a code in Kafka's protocol.
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
            Self::Limit(_) => ResponseError::PolicyViolation,
            // A topic that another protocol holds exclusively: none of Kafka's codes says so; this
            // one isn't retried.
            Self::InUse | Self::Exclusive | Self::OnlyRole => ResponseError::InvalidRequest,
            // What only a fault of our own could cause: this front has no exchanges.
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
            // This front deletes without conditions, and has neither ledgers nor consumers; were it
            // refused for them, this code isn't retried.
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
            // Only a publisher that leaves the partition to the engine is told of a division.
            Self::Malformed(_) | Self::Divided(_) => ResponseError::InvalidRecord,
            // Java's producer sends the batch again in parts.
            Self::TooManyDelayed => ResponseError::MessageTooLarge,
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
            // As Kafka has it where a group is too large to be written down.
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
