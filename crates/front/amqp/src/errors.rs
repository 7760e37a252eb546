//! Translates refusals to AMQP, with RabbitMQ's texts, because clients and their tests match on
//! them.

use std::time::Duration;

use stele_core_broker::{self as broker, Failure, ResolveError};
use stele_core_engine::{CatalogueError, LogError};
use stele_wire_amqp::{
    ContentHeaderError, FrameError, MethodError, ReadError, ShortStringError, Value,
    reply_code::{
        ACCESS_REFUSED, CHANNEL_ERROR, COMMAND_INVALID, CONNECTION_FORCED, FRAME_ERROR,
        INTERNAL_ERROR, NOT_ALLOWED, NOT_FOUND, NOT_IMPLEMENTED, PRECONDITION_FAILED,
        RESOURCE_ERROR, RESOURCE_LOCKED, ReplyCode, SYNTAX_ERROR, UNEXPECTED_FRAME,
    },
};

use crate::queue_arguments::{EXPIRES, PRIORITY_MAX};

/// Why the server closes a channel or the connection. The code determines which of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The code.
    pub(crate) code: ReplyCode,
    /// The text after the code's name.
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(code: ReplyCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    /// The reply text: `NOT_FOUND - no queue 'q' in vhost '/'`.
    pub(crate) fn text(&self) -> String {
        format!("{} - {}", self.code.name, self.detail)
    }

    pub(crate) fn precondition(detail: impl Into<String>) -> Self {
        Self::new(PRECONDITION_FAILED, detail)
    }

    pub(crate) fn not_implemented(detail: impl Into<String>) -> Self {
        Self::new(NOT_IMPLEMENTED, detail)
    }

    pub(crate) fn not_allowed(detail: impl Into<String>) -> Self {
        Self::new(NOT_ALLOWED, detail)
    }

    pub(crate) fn access_refused(detail: impl Into<String>) -> Self {
        Self::new(ACCESS_REFUSED, detail)
    }

    pub(crate) fn command_invalid(detail: impl Into<String>) -> Self {
        Self::new(COMMAND_INVALID, detail)
    }

    pub(crate) fn unexpected_frame(detail: impl Into<String>) -> Self {
        Self::new(UNEXPECTED_FRAME, detail)
    }

    pub(crate) fn channel_error(detail: impl Into<String>) -> Self {
        Self::new(CHANNEL_ERROR, detail)
    }

    pub(crate) fn resource(detail: impl Into<String>) -> Self {
        Self::new(RESOURCE_ERROR, detail)
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(INTERNAL_ERROR, detail)
    }

    pub(crate) fn no_queue(queue: &str, vhost: &str) -> Self {
        Self::new(NOT_FOUND, format!("no queue '{queue}' in vhost '{vhost}'"))
    }

    pub(crate) fn no_exchange(exchange: &str, vhost: &str) -> Self {
        Self::new(
            NOT_FOUND,
            format!("no exchange '{exchange}' in vhost '{vhost}'"),
        )
    }

    /// The queue is exclusive to another connection, or not exclusive although the client declares
    /// it so.
    pub(crate) fn locked(queue: &str, vhost: &str) -> Self {
        Self::new(
            RESOURCE_LOCKED,
            format!(
                "cannot obtain exclusive access to locked queue '{queue}' in vhost '{vhost}'. It \
                 could be originally declared on another connection or the exclusive property \
                 value does not match that of the original declaration."
            ),
        )
    }

    /// Names with the prefix `amq.` are reserved for the server.
    pub(crate) fn reserved(kind: Kind, name: &str) -> Self {
        Self::access_refused(format!(
            "{} name '{name}' contains reserved prefix 'amq.*'",
            kind.word()
        ))
    }

    pub(crate) fn default_exchange() -> Self {
        Self::access_refused("operation not permitted on the default exchange")
    }

    /// A delivery wasn't acknowledged in time.
    pub(crate) fn unacknowledged(channel: u16, timeout: Duration) -> Self {
        Self::precondition(format!(
            "delivery acknowledgement on channel {channel} timed out. Timeout value used: {} ms. \
             This timeout value can be configured, see consumers doc guide to learn more",
            timeout.as_millis()
        ))
    }

    /// An administrator closes the connection.
    pub(crate) fn forced(reason: &str) -> Self {
        Self::new(CONNECTION_FORCED, reason)
    }

    pub(crate) fn shutdown() -> Self {
        Self::new(
            CONNECTION_FORCED,
            "broker forced connection closure with reason 'shutdown'",
        )
    }
}

/// The object of an operation, for the text of its refusal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    pub(crate) vhost: &'a str,
}

/// A kind of named object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Queue,
    Exchange,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Exchange => "exchange",
        }
    }
}

impl<'a> Subject<'a> {
    pub(crate) fn queue(name: &'a str, vhost: &'a str) -> Self {
        Self {
            kind: Kind::Queue,
            name,
            vhost,
        }
    }

    pub(crate) fn exchange(name: &'a str, vhost: &'a str) -> Self {
        Self {
            kind: Kind::Exchange,
            name,
            vhost,
        }
    }

    /// `queue 'q' in vhost '/'`.
    pub(crate) fn describe(&self) -> String {
        let Self { kind, name, vhost } = self;
        format!("{} '{name}' in vhost '{vhost}'", kind.word())
    }

    /// It doesn't exist.
    pub(crate) fn missing(&self) -> Fault {
        Fault::new(NOT_FOUND, format!("no {}", self.describe()))
    }

    /// It has consumers or bindings.
    fn in_use(&self) -> Fault {
        Fault::precondition(format!("{} in use", self.describe()))
    }

    /// It is exclusive.
    fn in_exclusive_use(&self) -> Fault {
        Fault::access_refused(format!("{} in exclusive use", self.describe()))
    }

    /// A declaration differs from the existing object; both values are in RabbitMQ's format.
    pub(crate) fn inequivalent(&self, field: &str, received: &str, current: &str) -> Fault {
        Fault::precondition(format!(
            "inequivalent arg '{field}' for {}: received {received} but current is {current}",
            self.describe()
        ))
    }

    /// An argument has an invalid value.
    pub(crate) fn invalid(&self, name: &str, what: &str) -> Fault {
        Fault::precondition(format!(
            "invalid arg '{name}' for {}: {what}",
            self.describe()
        ))
    }

    /// `basic.get` on a quorum queue that serves one consumer at a time.
    pub(crate) fn served_alone(&self) -> Fault {
        Fault::new(
            RESOURCE_LOCKED,
            format!(
                "cannot obtain access to locked {}. basic.get operations are not supported by \
                 quorum queues with single active consumer",
                self.describe()
            ),
        )
    }

    /// An argument that must name an exchange has another type.
    pub(crate) fn invalid_type(&self, name: &str, value: &Value) -> Fault {
        Fault::precondition(format!(
            "invalid type '{}' for arg '{name}' in {}",
            value.type_name(),
            self.describe()
        ))
    }

    /// The name doesn't resolve to an accessible object.
    pub(crate) fn unresolved(&self, error: ResolveError) -> Fault {
        match error {
            ResolveError::NoSuchLog => self.missing(),
            ResolveError::NoSuchVirtualHost => {
                Fault::not_allowed(format!("vhost {} not found", self.vhost))
            }
            ResolveError::Exclusive => Fault::locked(self.name, self.vhost),
        }
    }

    /// The fault for a refusal or failure of the broker.
    pub(crate) fn fault(&self, error: impl Told) -> Fault {
        error.told(self)
    }
}

/// An error of the broker that can be returned to clients.
pub(crate) trait Told {
    /// The fault for an operation on `subject`.
    fn told(self, subject: &Subject<'_>) -> Fault;
}

impl<E: Told> Told for broker::Error<E> {
    fn told(self, subject: &Subject<'_>) -> Fault {
        match self {
            Self::Refused(refusal) => refusal.told(subject),
            Self::Failed(failure) => failure.told(subject),
        }
    }
}

impl Told for Failure {
    fn told(self, _subject: &Subject<'_>) -> Fault {
        match self {
            Self::Stopping => Fault::shutdown(),
            // RabbitMQ's error for exhausted resources; never returned for publishes.
            Self::NoSpace => Fault::resource("no space left on the disk"),
            Self::TooLarge(_) => Fault::precondition(self.to_string()),
            Self::Unreadable(_) => Fault::internal(self.to_string()),
        }
    }
}

impl Told for CatalogueError {
    fn told(self, subject: &Subject<'_>) -> Fault {
        match self {
            Self::NoSuchLog | Self::NoSuchTarget => subject.missing(),
            Self::NoSuchExchange(name) => Fault::no_exchange(&name, subject.vhost),
            Self::NoSuchVirtualHost(name) => Fault::not_allowed(format!("vhost {name} not found")),
            Self::Contradiction(it) => subject.inequivalent(
                match it.field {
                    "expires" => EXPIRES,
                    "priorities" => PRIORITY_MAX,
                    field => field,
                },
                &format!("'{}'", it.received),
                &format!("'{}'", it.current),
            ),
            Self::Partitions { .. } | Self::OnlyRole => Fault::precondition(self.to_string()),
            Self::InUse => subject.in_use(),
            Self::Exclusive => subject.in_exclusive_use(),
            Self::Full => Fault::resource(self.to_string()),
            Self::Limit(what) => Fault::precondition(format!("limit reached: {what}")),
        }
    }
}

impl Told for LogError {
    fn told(self, subject: &Subject<'_>) -> Fault {
        match self {
            Self::NoSuchLog | Self::NoSuchPartition | Self::NoSuchLedger => subject.missing(),
            Self::InUse => subject.in_use(),
            Self::NotEmpty => Fault::precondition(format!("{} not empty", subject.describe())),
            Self::Exclusive => subject.in_exclusive_use(),
            // A bug of ours: this front chooses the ids of consumers.
            Self::ConsumerExists => Fault::internal(self.to_string()),
            // As in RabbitMQ with `consumer_max_per_channel`.
            Self::TooManyConsumers => Fault::not_allowed(format!("{self} per channel")),
            // The latter can't happen: this front sets no limit for leased records.
            Self::OffsetOutOfRange { .. } | Self::TooManyLeased => {
                Fault::precondition(self.to_string())
            }
        }
    }
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        Self::new(FRAME_ERROR, error.to_string())
    }
}

impl From<MethodError> for Fault {
    fn from(error: MethodError) -> Self {
        let code = match error {
            MethodError::NoIds(_) => FRAME_ERROR,
            MethodError::Unknown { .. } => NOT_IMPLEMENTED,
            MethodError::Fields {
                source: ReadError::ShortString(ShortStringError::NotUtf8),
                ..
            } => return Self::new(FRAME_ERROR, "Malformed UTF-8 in shortstr"),
            MethodError::Fields { .. } => SYNTAX_ERROR,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ContentHeaderError> for Fault {
    fn from(error: ContentHeaderError) -> Self {
        Self::new(SYNTAX_ERROR, error.to_string())
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        Self::new(SYNTAX_ERROR, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use stele_core_engine::Contradiction;

    use super::*;

    #[test]
    fn a_contradiction_reads_as_rabbitmq_writes_it() {
        let error = broker::Error::Refused(CatalogueError::Contradiction(Contradiction {
            field: "durable",
            received: "false".into(),
            current: "true".into(),
        }));
        assert_eq!(
            Subject::queue("q1", "/").fault(error).text(),
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q1' in vhost '/': \
             received 'false' but current is 'true'"
        );
    }

    #[test]
    fn an_exclusive_consumer_refuses_others_on_their_channel() {
        let error = broker::Error::Refused(LogError::Exclusive);
        let fault = Subject::queue("q1", "/").fault(error);
        assert_eq!(
            fault.text(),
            "ACCESS_REFUSED - queue 'q1' in vhost '/' in exclusive use"
        );
        assert!(!fault.code.hard);
    }

    #[test]
    fn a_channel_with_very_many_consumers_takes_no_more_as_rabbitmq_writes_it() {
        let error = broker::Error::Refused(LogError::TooManyConsumers);
        assert_eq!(
            Subject::queue("q1", "/").fault(error).text(),
            "NOT_ALLOWED - reached maximum (10000) of consumers per channel"
        );
    }
}
