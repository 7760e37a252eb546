//! What a service declares at the broker, and what it subscribes to.

/// Topics and queues that a service needs. Declaring what is there already changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Topics that the service publishes to or subscribes to.
    pub topics: Vec<String>,
    /// Queues that it sends to or consumes, its dead-letter queue among them.
    pub queues: Vec<String>,
    /// Its subscriptions: what is published between the declaration and the first consumer waits.
    pub subscriptions: Vec<Subscription>,
}

/// A service's claim to messages: a copy of each topic's, and a share of each queue's.
///
/// Several processes of the service subscribe with the same name, and share the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The service: Kafka's group, the name of the queue that gets the topics' copies elsewhere.
    pub service: String,
    /// Topics, each a copy of its messages.
    pub topics: Vec<String>,
    /// Queues, shared with all who consume them.
    pub queues: Vec<String>,
    /// How many unsettled deliveries the subscription holds at most.
    pub prefetch: u32,
    /// One process gets everything, and another takes over when it is gone.
    pub is_single_active: bool,
    /// Where a subscription begins that the broker doesn't know yet. Only a log can give what was
    /// published before the subscription was made.
    pub start: Start,
}

impl Subscription {
    /// A subscription without topics and queues that holds up to 64 deliveries.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            topics: Vec::new(),
            queues: Vec::new(),
            prefetch: 64,
            is_single_active: false,
            start: Start::Earliest,
        }
    }

    /// The same subscription with a topic.
    #[must_use]
    pub fn topic(mut self, name: impl Into<String>) -> Self {
        self.topics.push(name.into());
        self
    }

    /// The same subscription with a queue.
    #[must_use]
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queues.push(name.into());
        self
    }
}

/// Where a new subscription begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the oldest message that the broker has.
    #[default]
    Earliest,
    /// With the next message that is published.
    Latest,
}
