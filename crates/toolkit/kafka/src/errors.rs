//! Errors of the client library and of the broker, in the words of the bus.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};
use stele_toolkit_bus::TransportError;

/// The transport's name.
pub(crate) const NAME: &str = "kafka";

pub(crate) fn refused(reason: impl Into<String>) -> TransportError {
    TransportError::Refused {
        transport: NAME,
        reason: reason.into(),
    }
}

pub(crate) fn unsupported(what: impl Into<String>) -> TransportError {
    TransportError::Unsupported {
        transport: NAME,
        what: what.into(),
    }
}

pub(crate) fn unreachable(reason: impl Into<String>) -> TransportError {
    TransportError::Unreachable {
        transport: NAME,
        reason: reason.into(),
    }
}

/// What an error means that concerns this topic or queue.
pub(crate) fn translate(error: &KafkaError, destination: &str) -> TransportError {
    let reason = error.to_string();
    match error.rdkafka_error_code() {
        Some(code) => translate_code(code, reason, destination),
        None if matches!(error, KafkaError::ClientConfig(..)) => refused(reason),
        None => unreachable(reason),
    }
}

/// What a code of the broker or of the client library means.
pub(crate) fn translate_code(code: Code, reason: String, destination: &str) -> TransportError {
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            TransportError::NoSuchDestination {
                destination: destination.to_owned(),
            }
        }
        Code::QueueFull
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::ThrottlingQuotaExceeded
        // Also while too few brokers have come up.
        | Code::InvalidReplicationFactor
        | Code::PolicyViolation => TransportError::Busy {
            transport: NAME,
            reason,
        },
        Code::MessageSizeTooLarge
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::InvalidRecord
        | Code::InvalidTopic
        | Code::InvalidArgument
        | Code::InvalidPartitions
        | Code::InvalidConfig
        | Code::UnsupportedVersion
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication => refused(reason),
        _ => unreachable(reason),
    }
}
