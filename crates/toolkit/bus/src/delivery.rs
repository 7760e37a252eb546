//! A delivery: a message, where it came from, and the duty to settle it.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::{Incoming, TransportError};

/// Where a message lay, for logs and dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The topic or queue that it was taken from.
    pub name: String,
    /// Its partition, in a log.
    pub partition: Option<i32>,
    /// Its offset in the partition, or its place in the queue where the broker tells one.
    pub offset: Option<u64>,
}

/// `topic[partition]@offset`, as far as it is known.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(partition) = self.partition {
            write!(f, "[{partition}]")?;
        }
        match self.offset {
            Some(offset) => write!(f, "@{offset}"),
            None => Ok(()),
        }
    }
}

/// A message that waits to be settled.
///
/// Dropping it settles nothing: the broker delivers the message again once the subscription ends or
/// its lease is over.
pub struct Delivery {
    /// The message.
    pub message: Incoming,
    /// Where it lay.
    pub origin: Origin,
    /// How often it was delivered, this time included; `None` if the transport can't tell.
    pub attempt: Option<u32>,
    /// Whether it was, or may have been, delivered before.
    pub is_redelivered: bool,
    settle: Box<dyn Settle>,
}

impl Delivery {
    /// A delivery that is settled by `settle`.
    pub fn new(message: Incoming, origin: Origin, settle: Box<dyn Settle>) -> Self {
        Self {
            message,
            origin,
            attempt: None,
            is_redelivered: false,
            settle,
        }
    }

    /// Tells the broker that the message is done. Returns once the broker has it, or once the
    /// transport has taken it over to tell it in order.
    pub async fn ack(self) -> Result<(), TransportError> {
        self.settle.ack().await
    }

    /// Gives the message back, to come again no earlier than `after` from now. What it holds up
    /// meanwhile is told by [`crate::Caps::release`]; what was handed out already isn't called
    /// back.
    pub async fn release(self, after: Duration) -> Result<(), TransportError> {
        self.settle.release(after).await
    }

    /// Whether [`Delivery::keep`] can have it wait for this long.
    pub fn may_keep(&self, after: Duration) -> bool {
        self.settle.may_keep(after)
    }

    /// Has the message wait, to be handed out again by this subscription no earlier than `after`
    /// from now. It isn't delivered anew, so [`Delivery::attempt`] stays what it is. If the
    /// subscription ends before, it comes again from the broker, and counts. Only if
    /// [`Delivery::may_keep`].
    pub async fn keep(self, after: Duration) -> Result<(), TransportError> {
        self.settle.keep(after).await
    }

    /// The message, and what settles it.
    pub fn into_parts(self) -> (Incoming, Origin, Box<dyn Settle>) {
        (self.message, self.origin, self.settle)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message", &self.message)
            .field("origin", &self.origin)
            .field("attempt", &self.attempt)
            .field("is_redelivered", &self.is_redelivered)
            .finish_non_exhaustive()
    }
}

/// A transport's side of a delivery. Dropping it leaves the message unsettled.
#[async_trait]
pub trait Settle: Send + Sync {
    /// See [`Delivery::ack`].
    async fn ack(self: Box<Self>) -> Result<(), TransportError>;

    /// See [`Delivery::release`].
    async fn release(self: Box<Self>, after: Duration) -> Result<(), TransportError>;

    /// See [`Delivery::may_keep`].
    fn may_keep(&self, after: Duration) -> bool;

    /// See [`Delivery::keep`].
    async fn keep(self: Box<Self>, after: Duration) -> Result<(), TransportError>;
}
