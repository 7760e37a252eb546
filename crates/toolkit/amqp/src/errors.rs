//! Errors of the client library and of the broker, in the words of the bus.

use lapin::{
    Error, ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
};
use stele_toolkit_bus::TransportError;

/// The transport's name.
pub(crate) const NAME: &str = "amqp";

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

pub(crate) fn busy(reason: impl Into<String>) -> TransportError {
    TransportError::Busy {
        transport: NAME,
        reason: reason.into(),
    }
}

pub(crate) fn unreachable(reason: impl Into<String>) -> TransportError {
    TransportError::Unreachable {
        transport: NAME,
        reason: reason.into(),
    }
}

/// What an error of the client library means.
pub(crate) fn translate(error: &Error) -> TransportError {
    let reason = error.to_string();
    match error.kind() {
        ErrorKind::ProtocolError(protocol) => match protocol.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED) => busy(reason),
            AMQPErrorKind::Soft(_) => refused(reason),
            AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED) => unreachable(reason),
            AMQPErrorKind::Hard(AMQPHardError::RESOURCEERROR | AMQPHardError::INTERNALERROR) => {
                busy(reason)
            }
            AMQPErrorKind::Hard(_) => refused(reason),
        },
        ErrorKind::AuthProviderError(_) | ErrorKind::InvalidProtocolVersion(_) => refused(reason),
        _ => unreachable(reason),
    }
}

/// Whether the broker refused a declaration because what exists differs from it, or because it
/// doesn't know an argument.
pub(crate) fn is_precondition_failed(error: &Error) -> bool {
    is_soft(error, &AMQPSoftError::PRECONDITIONFAILED)
}

/// Whether a queue or an exchange doesn't exist.
pub(crate) fn is_not_found(error: &Error) -> bool {
    is_soft(error, &AMQPSoftError::NOTFOUND)
}

/// Whether the broker closed the connection because it doesn't know what was asked.
pub(crate) fn is_unknown_to_broker(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Hard(_)))
}

fn is_soft(error: &Error, expected: &AMQPSoftError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if matches!(error.kind(), AMQPErrorKind::Soft(soft) if soft == expected))
}
