//! The responses to failed actions, in both protocols.
//!
//! JSON: `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"…"}` and the header
//! `x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender`, from which SDKs written
//! for the query protocol take their error code. Query: an `ErrorResponse` document.

use std::fmt;

use crate::{
    request::Protocol,
    writer::{JsonWriter, NAMESPACE, Writer as _, XmlWriter, json_text},
};

/// Which side caused an error; SDKs retry errors of a `Receiver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request can't succeed as it is.
    Sender,
    /// The server can't do it now.
    Receiver,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Sender => "Sender",
            Self::Receiver => "Receiver",
        }
    }
}

/// The representation of one kind of error on the wire.
struct Face {
    /// The namespace of `__type`.
    namespace: &'static str,
    /// The shape's name in `__type`.
    shape: &'static str,
    /// The code of the query protocol.
    query: &'static str,
    status: u16,
}

/// The namespace of the errors in SQS's own model.
const MODELLED: &str = "com.amazonaws.sqs";
/// The namespace of the errors that AWS's service framework adds.
const FRAMEWORK: &str = "com.amazon.coral.service";

macro_rules! error_kinds {
    ($(
        $(#[$doc:meta])+
        $name:ident: $namespace:ident $shape:literal, $query:literal, $status:literal;
    )+) => {
        /// The kinds of errors.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorKind { $($(#[$doc])+ $name),+ }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            fn face(self) -> Face {
                match self {
                    $(Self::$name => Face {
                        namespace: $namespace, shape: $shape, query: $query, status: $status,
                    }),+
                }
            }
        }
    };
}

error_kinds! {
    /// Two entries of a batch have the same id.
    BatchEntryIdsNotDistinct: MODELLED
        "BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400;
    /// The messages of a batch are too large in total.
    BatchRequestTooLong: MODELLED
        "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400;
    /// A batch without entries.
    EmptyBatchRequest: MODELLED
        "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400;
    /// A queue attribute that doesn't exist, or doesn't apply to this kind of queue.
    InvalidAttributeName: MODELLED "InvalidAttributeName", "InvalidAttributeName", 400;
    /// A queue attribute out of its range.
    InvalidAttributeValue: MODELLED "InvalidAttributeValue", "InvalidAttributeValue", 400;
    /// The id of a batch entry is malformed.
    InvalidBatchEntryId: MODELLED
        "InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400;
    /// A body contains a character that SQS doesn't allow.
    InvalidMessageContents: MODELLED "InvalidMessageContents", "InvalidMessageContents", 400;
    /// The message isn't in flight, so its visibility can't change.
    MessageNotInflight: MODELLED
        "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400;
    /// Too many messages are in flight.
    OverLimit: MODELLED "OverLimit", "OverLimit", 403;
    /// The queue was purged less than a minute ago.
    PurgeQueueInProgress: MODELLED
        "PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 403;
    /// The queue was deleted less than a minute ago.
    QueueDeletedRecently: MODELLED
        "QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently", 400;
    /// No such queue.
    QueueDoesNotExist: MODELLED "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400;
    /// A queue of that name exists with other attributes.
    QueueNameExists: MODELLED "QueueNameExists", "QueueAlreadyExists", 400;
    /// The receipt handle doesn't belong to this queue.
    ReceiptHandleIsInvalid: MODELLED "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404;
    /// No queue with that ARN, or no such task.
    ResourceNotFound: MODELLED "ResourceNotFoundException", "ResourceNotFoundException", 404;
    /// The caller sends requests too often.
    RequestThrottled: MODELLED "RequestThrottled", "RequestThrottled", 403;
    /// A batch of more than ten.
    TooManyEntriesInBatchRequest: MODELLED
        "TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400;
    /// The action isn't supported.
    UnsupportedOperation: MODELLED
        "UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400;
    /// A parameter is out of range or malformed.
    InvalidParameterValue: FRAMEWORK "InvalidParameterValueException", "InvalidParameterValue", 400;
    /// A required parameter is missing.
    MissingParameter: FRAMEWORK "MissingRequiredParameterException", "MissingParameter", 400;
    /// The body can't be read, or a value is of the wrong type.
    MalformedRequest: FRAMEWORK "SerializationException", "MalformedInput", 400;
    /// No action of that name, in the query protocol.
    UnknownAction: FRAMEWORK "UnknownOperationException", "InvalidAction", 400;
    /// No action of that name, in the JSON protocol; no action at all, in either protocol.
    UnknownOperation: FRAMEWORK "UnknownOperationException", "InvalidAction", 404;
    /// The caller isn't allowed to send any requests.
    AccessDenied: FRAMEWORK "AccessDeniedException", "AccessDenied", 403;
    /// The request isn't signed, though credentials are configured.
    MissingAuthenticationToken: FRAMEWORK
        "MissingAuthenticationTokenException", "MissingAuthenticationToken", 403;
    /// The signature's header is malformed.
    IncompleteSignature: FRAMEWORK "IncompleteSignatureException", "IncompleteSignature", 400;
    /// The access key isn't configured.
    UnknownAccessKey: FRAMEWORK "UnrecognizedClientException", "InvalidClientTokenId", 403;
    /// The signature doesn't match the secret key, or isn't valid at this time.
    SignatureDoesNotMatch: FRAMEWORK "InvalidSignatureException", "SignatureDoesNotMatch", 403;
    /// The body exceeds the limit for requests.
    RequestTooLarge: FRAMEWORK "RequestEntityTooLargeException", "RequestEntityTooLarge", 413;
    /// The server failed; its log has the reason.
    InternalFailure: FRAMEWORK "InternalFailure", "InternalFailure", 500;
    /// The server can't take this now; the same request may succeed later.
    ServiceUnavailable: FRAMEWORK "ServiceUnavailableException", "ServiceUnavailable", 503;
}

impl ErrorKind {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.face().status
    }

    /// The code in the query protocol, in `x-amzn-query-error` and in a failed batch entry.
    pub fn query_code(self) -> &'static str {
        self.face().query
    }

    /// The shape's name in a JSON error's `__type`, without its namespace.
    pub fn shape(self) -> &'static str {
        self.face().shape
    }

    /// Which side caused it.
    pub fn fault(self) -> Fault {
        if self.face().status < 500 {
            Fault::Sender
        } else {
            Fault::Receiver
        }
    }
}

/// An error response: its kind and a message for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// The kind, which determines code and status.
    pub kind: ErrorKind,
    /// The message.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.shape(), self.message)
    }
}

impl Error {
    /// An error of `kind` with `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The value of a parameter is invalid; `reason` ends in a full stop.
    pub fn invalid_value(value: impl fmt::Display, parameter: &str, reason: &str) -> Self {
        let message =
            format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Self::new(ErrorKind::InvalidParameterValue, message)
    }

    /// A required parameter is missing.
    pub fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::new(ErrorKind::MissingParameter, message)
    }

    /// The value of the header `x-amzn-query-error` of JSON responses.
    pub fn query_error_header(&self) -> String {
        format!("{};{}", self.kind.query_code(), self.kind.fault().name())
    }

    /// The response body in `protocol`.
    pub fn encode(&self, protocol: Protocol, request_id: &str) -> Vec<u8> {
        match protocol {
            Protocol::Json => self.encode_json(),
            // AWS's servers don't know the requested service at this point.
            Protocol::Query if self.kind == ErrorKind::UnknownOperation => {
                b"<UnknownOperationException/>".to_vec()
            }
            Protocol::Query => self.encode_xml(request_id),
            Protocol::QueryInJson => self.encode_query_json(request_id),
        }
    }

    fn encode_json(&self) -> Vec<u8> {
        let face = self.kind.face();
        let mut body = format!(
            r#"{{"__type":"{}#{}","message":"#,
            face.namespace, face.shape
        )
        .into_bytes();
        json_text(&mut body, &self.message);
        body.push(b'}');
        body
    }

    fn encode_query_json(&self, request_id: &str) -> Vec<u8> {
        let mut writer = JsonWriter::of_query();
        writer.object("Error", |writer| {
            writer.text("Code", self.kind.query_code());
            writer.text("Message", &self.message);
            writer.text("Type", self.kind.fault().name());
        });
        writer.text("RequestId", request_id);
        writer.into_bytes()
    }

    fn encode_xml(&self, request_id: &str) -> Vec<u8> {
        let mut writer = XmlWriter::new();
        writer.open_with_namespace("ErrorResponse", NAMESPACE);
        writer.open("Error");
        writer.leaf("Type", self.kind.fault().name());
        writer.leaf("Code", self.kind.query_code());
        writer.leaf("Message", &self.message);
        writer.empty("Detail");
        writer.close("Error");
        writer.leaf("RequestId", request_id);
        writer.close("ErrorResponse");
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_looks_as_aws_prints_it_in_json() {
        let error = Error::new(ErrorKind::QueueDoesNotExist, "No \"queue\".");
        assert_eq!(
            String::from_utf8(error.encode(Protocol::Json, "r1")).unwrap(),
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"No \"queue\"."}"#
        );
        assert_eq!(
            error.query_error_header(),
            "AWS.SimpleQueueService.NonExistentQueue;Sender"
        );
    }

    #[test]
    fn an_error_looks_as_aws_prints_it_in_xml() {
        let error = Error::new(ErrorKind::InternalFailure, "a < b\u{1}");
        assert_eq!(
            String::from_utf8(error.encode(Protocol::Query, "r1")).unwrap(),
            "<?xml version=\"1.0\"?>\
             <ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error>\
             <Type>Receiver</Type><Code>InternalFailure</Code><Message>a &lt; b\u{fffd}</Message>\
             <Detail/></Error><RequestId>r1</RequestId></ErrorResponse>"
        );
    }

    #[test]
    fn an_error_of_the_query_protocol_may_be_json() {
        let error = Error::new(ErrorKind::OverLimit, "a");
        assert_eq!(
            String::from_utf8(error.encode(Protocol::QueryInJson, "r")).unwrap(),
            r#"{"Error":{"Code":"OverLimit","Message":"a","Type":"Sender"},"RequestId":"r"}"#
        );
    }

    #[test]
    fn statuses_are_those_of_the_service_model() {
        let other_than_400: Vec<(&str, u16)> = ErrorKind::ALL
            .iter()
            .filter(|kind| kind.status() != 400)
            .map(|kind| (kind.query_code(), kind.status()))
            .collect();
        assert_eq!(
            other_than_400,
            [
                ("OverLimit", 403),
                ("AWS.SimpleQueueService.PurgeQueueInProgress", 403),
                ("ReceiptHandleIsInvalid", 404),
                ("ResourceNotFoundException", 404),
                ("RequestThrottled", 403),
                ("InvalidAction", 404),
                ("AccessDenied", 403),
                ("MissingAuthenticationToken", 403),
                ("InvalidClientTokenId", 403),
                ("SignatureDoesNotMatch", 403),
                ("RequestEntityTooLarge", 413),
                ("InternalFailure", 500),
                ("ServiceUnavailable", 503),
            ]
        );
    }
}
