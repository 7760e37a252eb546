//! The envelope.

use crate::{
    Context, EncodeError, Fields, Message, Metadata, OpenError, OpenProblem as Problem, RawJson,
    Timestamp, Version, encode, message,
};

/// A message with everything that a receiver needs to know about it.
///
/// As JSON it has these fields in this order:
///
/// ```json
/// {"messageId":"msg-uuid-12345","type":"OrderCreated","version":"1.0",
///  "timestamp":"2024-01-15T10:30:00Z","source":"order-service","correlationId":"req-uuid-67890",
///  "data":{"orderId":"order-123"},"metadata":{"traceId":"trace-abc","userId":"user-789"}}
/// ```
///
/// | optional in `metadata` | |
/// |---|---|
/// | `traceId` | the id of `traceparent`, if there is one, otherwise any text |
/// | `userId` | who started what the message belongs to |
/// | `causationId` | the `messageId` of the message that this one follows from |
/// | `traceparent`, `tracestate` | W3C Trace Context |
/// | `sequence` | the message's number among those of its source and key |
/// | `replyTo` | where replies go |
///
/// Fields that aren't listed here are kept, behind the known ones, and `data` is kept to the byte.
/// The timestamp is written in UTC, in microseconds at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The message's identity, wherever and however often it is sent: a UUID of version 7 for
    /// messages that are made here, any text of others. Receivers find duplicates by it.
    pub message_id: String,
    /// The type's name: `type`.
    pub message_type: String,
    /// The version of `data`.
    pub version: Version,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The program that sends it.
    pub source: String,
    /// What it belongs to: the same in all messages that follow from each other.
    pub correlation_id: String,
    /// The message itself, as JSON of `type` and `version`.
    pub data: RawJson,
    /// Everything else.
    pub metadata: Metadata,
    /// Other fields of the envelope, as they came.
    pub unknown: Fields,
}

impl Envelope {
    /// An envelope for a new message, with the time of the context's clock. Fails if the message
    /// can't be written as JSON.
    pub fn of<M: Message>(message: &M, context: &Context) -> Result<Self, EncodeError> {
        let (data, now) = (RawJson::of_message(message)?, context.ids.now());
        Ok(Self::with_data(M::TYPE, M::VERSION, data, now, context))
    }

    /// An envelope for a new message whose data are JSON already, made at `timestamp`.
    pub fn with_data(
        message_type: impl Into<String>,
        version: Version,
        data: RawJson,
        timestamp: Timestamp,
        context: &Context,
    ) -> Self {
        let message_id = context.ids.message_id(timestamp);
        let correlation_id = context.correlation_id.as_ref().unwrap_or(&message_id);
        Self {
            message_type: message_type.into(),
            version,
            timestamp,
            source: context.source.clone(),
            correlation_id: correlation_id.clone(),
            data,
            metadata: Metadata {
                trace: context.trace.clone(),
                user_id: context.user_id.clone(),
                causation_id: context.causation_id.clone(),
                sequence: None,
                reply_to: None,
                unknown: context.metadata.clone(),
            },
            unknown: Fields::new(),
            message_id,
        }
    }

    /// An envelope for a message that follows from this one: see [`Context::caused_by`]. For
    /// several messages, make the context once, so that they have one span as their parent.
    pub fn caused<M: Message>(&self, next: &M, context: &Context) -> Result<Self, EncodeError> {
        Self::of(next, &context.caused_by(self))
    }

    /// Whether the message has this type, by its name or an alias.
    pub fn is<M: Message>(&self) -> bool {
        message::is_named::<M>(&self.message_type)
    }

    /// Reads `data` as a message of this type.
    ///
    /// Data of an older version go through the type's upcasts. A newer minor version is read as it
    /// is; a newer major version is refused.
    pub fn open<M: Message>(&self) -> Result<M, OpenError> {
        let failed = |problem| OpenError {
            expected: M::TYPE,
            known: M::VERSION,
            found: self.message_type.clone(),
            version: self.version,
            problem,
        };
        let unreadable = |error: serde_json::Error| failed(Problem::Data(error.to_string()));
        if !self.is::<M>() {
            return Err(failed(Problem::Type));
        }
        if self.version.major > M::VERSION.major {
            return Err(failed(Problem::Newer));
        }
        if self.version >= M::VERSION {
            return self.data.read().map_err(unreadable);
        }
        let data = self.data.read().map_err(unreadable)?;
        let data = M::upcast(self.version, data).map_err(|error| failed(Problem::Upcast(error)))?;
        serde_json::from_value(data).map_err(unreadable)
    }

    /// The envelope as JSON, without white space outside `data` and unknown fields.
    pub fn encode(&self) -> Vec<u8> {
        encode::envelope(self)
    }
}
