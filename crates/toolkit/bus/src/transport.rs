//! The trait that each messaging system implements.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;

use crate::{Caps, Delivery, Outgoing, Subscription, Topology};

/// A messaging system. One contract suite holds for all of them; what may differ is in [`Caps`].
///
/// A transport connects when it is first used, and again whenever the connection is lost: its
/// methods fail only with what trying again doesn't mend, or after the time-out of one try.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Its name in logs and metrics: `kafka`, `amqp`, `sqs`, `memory`.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn caps(&self) -> Caps;

    /// Declares topics, queues and subscriptions. Once it returns, no message that is published to
    /// them is lost for want of a subscriber.
    async fn declare(&self, topology: &Topology) -> Result<(), TransportError>;

    /// Sends messages, and returns once the broker has confirmed or refused each: one result a
    /// message, in order. Messages of one key are sent in order: when one fails, those of its key
    /// behind it in the batch fail too.
    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>>;

    /// Begins to take messages, and declares the subscription if it isn't yet.
    ///
    /// Dropping what it returns is what a crash of the process would be to the broker: what is
    /// unsettled comes again, to this service or to another of its processes.
    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError>;

    /// What waits for a subscription, by topic and queue, as far as the broker tells.
    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError>;
}

/// What is shared is a transport too: that of a program which learns only when it runs which one.
#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn caps(&self) -> Caps {
        (**self).caps()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TransportError> {
        (**self).declare(topology).await
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        (**self).publish(batch).await
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        (**self).subscribe(subscription).await
    }

    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        (**self).depth(subscription).await
    }
}

/// What waits in one topic or queue for a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The topic or queue.
    pub name: String,
    /// Messages that wait: the lag of a group, the ready messages of a queue.
    pub waiting: u64,
}

/// The stream of one subscription's deliveries.
///
/// Losing the connection doesn't end it: it connects again, and what was unsettled comes again.
#[async_trait]
pub trait Deliveries: Debug + Send {
    /// The next delivery; `None` once [`Deliveries::drain`] has begun or the subscription can't go
    /// on, which is logged. Cancelling loses nothing.
    async fn next(&mut self) -> Option<Delivery>;

    /// Stops taking messages from the broker; what is here already still comes.
    fn pause(&self);

    /// Goes on after [`Deliveries::pause`].
    fn resume(&self);

    /// Ends the subscription: gives back what wasn't handed out, waits until what was is settled
    /// or dropped, and tells the broker what is done.
    async fn drain(self: Box<Self>) -> Result<(), TransportError>;
}

/// Why a transport couldn't do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// The broker can't be reached, or didn't answer in time. Try again later.
    #[error("{transport} isn't reachable: {reason}")]
    Unreachable {
        /// The transport's name.
        transport: &'static str,
        /// What the client library says.
        reason: String,
    },
    /// The broker refuses for now: it is full, overloaded or short of space. Try again later.
    #[error("{transport} refuses for now: {reason}")]
    Busy {
        /// The transport's name.
        transport: &'static str,
        /// The broker's words.
        reason: String,
    },
    /// Sent to a topic or queue that doesn't exist.
    #[error("{destination} doesn't exist")]
    NoSuchDestination {
        /// Its name.
        destination: String,
    },
    /// The broker refuses this message or declaration, and will refuse it again.
    #[error("{transport} refuses: {reason}")]
    Refused {
        /// The transport's name.
        transport: &'static str,
        /// The broker's words.
        reason: String,
    },
    /// The transport can't do this: see [`Caps`].
    #[error("{transport} can't do this: {what}")]
    Unsupported {
        /// The transport's name.
        transport: &'static str,
        /// What was asked.
        what: String,
    },
    /// A message of the same key before it in the batch failed.
    #[error("not sent, since a message of the same key before it failed")]
    Behind,
    /// The delivery's lease is over, or its connection is gone: the message comes again.
    #[error("the delivery is no longer held")]
    Lost,
    /// The transport was closed.
    #[error("closed")]
    Closed,
}

impl TransportError {
    /// Whether trying again may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Behind | Self::Lost => true,
            Self::NoSuchDestination { .. }
            | Self::Refused { .. }
            | Self::Unsupported { .. }
            | Self::Closed => false,
        }
    }
}
