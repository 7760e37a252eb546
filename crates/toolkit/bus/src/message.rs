//! Messages as transports carry them: an address, headers, and a body that nothing here reads.

use std::time::Duration;

use bytes::Bytes;
use stele_toolkit_envelope::Timestamp;

/// Where a message goes.
///
/// | | Kafka | AMQP 0-9-1 | Amazon SQS |
/// |---|---|---|---|
/// | topic | a topic | a routing key of the topic exchange | a copy for each subscriber's queue |
/// | queue | a topic with one group | a queue, by the default exchange | a queue |
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// Each service that subscribes to the topic gets the message. For events.
    Topic(String),
    /// One consumer of the queue gets the message. For commands, replies and dead letters.
    Queue(String),
}

impl Destination {
    /// The name of the topic or of the queue.
    pub fn name(&self) -> &str {
        match self {
            Self::Topic(name) | Self::Queue(name) => name,
        }
    }
}

/// Headers in the order in which they were set, which transports needn't keep. Names are ASCII; a
/// name may occur once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Bytes)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a header; one of this name is replaced in its place.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Bytes>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of a header.
    pub fn value(&self, name: &str) -> Option<&Bytes> {
        let mut known = self.0.iter();
        known.find(|(known, _)| known == name).map(|(_, v)| v)
    }

    /// The value of a header, if it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.value(name)?).ok()
    }

    /// All headers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, V: Into<Bytes>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut all = Self::new();
        for (name, value) in headers {
            all.set(name, value);
        }
        all
    }
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it goes.
    pub to: Destination,
    /// Messages of one key keep their order where the transport orders by key. Empty: no key.
    pub key: String,
    /// Identifies the message wherever it is sent again; the envelope's `messageId`. A transport
    /// that deduplicates does so by it.
    pub message_id: String,
    /// The media type of the body.
    pub content_type: String,
    /// Headers besides.
    pub headers: Headers,
    /// The body, as it goes over the wire.
    pub body: Bytes,
    /// How long it stays invisible after it is sent. [`crate::Caps::delay_max`] is the most that a
    /// transport takes; a longer one is refused with [`crate::TransportError::Unsupported`].
    pub delay: Duration,
}

impl Outgoing {
    /// A JSON message without a key, headers and delay.
    pub fn json(to: Destination, message_id: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            to,
            key: String::new(),
            message_id: message_id.into(),
            content_type: "application/json".to_owned(),
            headers: Headers::new(),
            body: body.into(),
            delay: Duration::ZERO,
        }
    }

    /// The same message with a key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// What its sender addressed, as far as the transport tells; otherwise the subscribed queue.
    pub to: Destination,
    /// Its key, or nothing.
    pub key: String,
    /// The sender's message id, if the transport carries one beside the body.
    pub message_id: Option<String>,
    /// The media type, if it was told.
    pub content_type: Option<String>,
    /// Headers, without those that carry the fields above.
    pub headers: Headers,
    /// The body, byte for byte.
    pub body: Bytes,
    /// When it was sent, as far as the transport tells; otherwise when it came.
    pub sent_at: Timestamp,
}
