//! Errors of the client library and of the endpoint, in the words of the bus.

use aws_sdk_sqs::{
    config::http::HttpResponse,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    types::BatchResultErrorEntry,
};
use stele_toolkit_bus::TransportError;

/// The transport's name.
pub(crate) const NAME: &str = "sqs";

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

fn busy(reason: String) -> TransportError {
    let transport = NAME;
    TransportError::Busy { transport, reason }
}

/// What an error of a request means that concerns this queue.
pub(crate) fn translate<E>(error: &SdkError<E, HttpResponse>, destination: &str) -> TransportError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let SdkError::ServiceError(service) = error else {
        let reason = DisplayErrorContext(error).to_string();
        return match error {
            SdkError::ConstructionFailure(_) => refused(reason),
            _ => TransportError::Unreachable {
                transport: NAME,
                reason,
            },
        };
    };
    let code = service.err().code().unwrap_or_default();
    let message = service.err().message().unwrap_or_default();
    let is_of_server = service.raw().status().is_server_error();
    translate_code(code, message, is_of_server, destination)
}

/// What came of one message of a batch.
pub(crate) fn translate_entry(entry: &BatchResultErrorEntry, destination: &str) -> TransportError {
    let message = entry.message().unwrap_or_default();
    translate_code(entry.code(), message, !entry.sender_fault(), destination)
}

fn translate_code(
    code: &str,
    message: &str,
    is_of_server: bool,
    destination: &str,
) -> TransportError {
    let reason = format!("{code}: {message}");
    let name = code.rsplit('.').next().unwrap_or(code);
    match name {
        "QueueDoesNotExist" | "NonExistentQueue" | "QueueDeletedRecently" => {
            TransportError::NoSuchDestination {
                destination: destination.to_owned(),
            }
        }
        "ReceiptHandleIsInvalid" | "MessageNotInflight" => TransportError::Lost,
        // A FIFO queue refuses a receipt handle whose time is over so.
        "InvalidParameterValue" if message.contains("expired") => TransportError::Lost,
        "OverLimit" | "RequestThrottled" | "ThrottlingException" | "Throttling" => busy(reason),
        _ if is_of_server => busy(reason),
        _ => refused(reason),
    }
}

/// Whether a queue wasn't made because there is one of other attributes.
pub(crate) fn is_there_otherwise<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> bool {
    let code = error.code().unwrap_or_default();
    code.ends_with("QueueNameExists") || code.ends_with("QueueAlreadyExists")
}
