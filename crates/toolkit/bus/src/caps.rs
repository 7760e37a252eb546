//! What a transport can do. A service asks before it starts, so that nothing is silently weaker.

use std::time::Duration;

/// What a transport can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// In which order a consumer gets messages.
    pub ordering: Ordering,
    /// How a topic's messages reach several services.
    pub fan_out: FanOut,
    /// Whether a subscription can read what was handled before.
    pub replay: bool,
    /// The longest [`crate::Outgoing::delay`]. Zero: none.
    pub delay_max: Duration,
    /// Whether deliveries tell how often a message was delivered, across crashes of consumers.
    pub counts_deliveries: bool,
    /// What a delivery given back without an acknowledgement holds up.
    pub release: Release,
    /// The longest time for which [`crate::Delivery::release`] takes a message back. A longer one
    /// is refused with [`crate::TransportError::Unsupported`].
    pub release_max: Duration,
    /// For how long the broker drops, and confirms, a message that is sent again to the same place
    /// with the same [`crate::Outgoing::message_id`]. Zero: never. Who means to have a message
    /// handled again, such as a dead letter, gives it another id.
    pub deduplicates_for: Duration,
    /// How many messages one request to the broker takes.
    pub batch_max: usize,
    /// The largest body in bytes, whatever bytes they are. Key, names and headers count too where
    /// the broker counts them.
    pub body_bytes_max: usize,
    /// Whether one of several consumers gets everything while the others stand by.
    pub single_active: bool,
}

/// In which order a consumer gets messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// Messages of one key in the order in which they were sent, also with several consumers.
    ByKey,
    /// All of a queue in the order in which they were sent, as long as one consumer takes them.
    ByQueue,
    /// None that can be relied on.
    None,
}

/// How a topic's messages reach several services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanOut {
    /// The broker does it; whoever subscribes later gets what is sent from then on, at least.
    Broker,
    /// The transport sends a copy to each subscriber that it was told of. A failure in between is
    /// mended by sending all copies again.
    Copies,
}

/// What a delivery that is given back holds up until it comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Nothing else.
    Message,
    /// The later messages of its key.
    Key,
    /// The later messages of its partition.
    Partition,
}
