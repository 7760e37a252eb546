//! Names of exchanges.

use lapin::types::ShortString;
use stele_toolkit_bus::{Destination, TransportError};

use crate::errors::refused;

/// The exchanges of a namespace.
#[derive(Clone, Debug)]
pub(crate) struct Exchanges {
    /// Of topics.
    pub(crate) events: ShortString,
    /// Passes what is due on to `events`.
    pub(crate) delayed_events: ShortString,
    /// Passes what is due on to queues.
    pub(crate) delayed_queues: ShortString,
}

impl Exchanges {
    pub(crate) fn of(namespace: &str) -> Result<Self, TransportError> {
        Ok(Self {
            events: short(&format!("{namespace}.events"))?,
            delayed_events: short(&format!("{namespace}.delayed.events"))?,
            delayed_queues: short(&format!("{namespace}.delayed.queues"))?,
        })
    }

    /// The exchange for a message, which has a delay or not.
    pub(crate) fn for_message(&self, to: &Destination, is_delayed: bool) -> ShortString {
        match (to, is_delayed) {
            (Destination::Topic(_), false) => self.events.clone(),
            (Destination::Topic(_), true) => self.delayed_events.clone(),
            (Destination::Queue(_), false) => ShortString::default(),
            (Destination::Queue(_), true) => self.delayed_queues.clone(),
        }
    }

    /// What a message was sent to that came by this exchange. A foreign exchange counts as one of
    /// topics.
    pub(crate) fn destination(&self, exchange: &ShortString, routing_key: &str) -> Destination {
        let is_queue = exchange.as_str().is_empty() || *exchange == self.delayed_queues;
        let name = routing_key.to_owned();
        match is_queue {
            true => Destination::Queue(name),
            false => Destination::Topic(name),
        }
    }
}

/// A short string of AMQP, of at most 255 bytes.
pub(crate) fn short(text: &str) -> Result<ShortString, TransportError> {
    ShortString::try_new(text).map_err(|_| refused(format!("`{text}` is longer than 255 bytes")))
}
