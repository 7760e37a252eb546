//! Settling a delivery.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use lapin::{
    Acker,
    options::{BasicAckOptions, BasicNackOptions},
};
use stele_toolkit_bus::{Hold, Settle, TransportError};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{errors::unsupported, subscription::Ready};

/// RabbitMQ closes a channel whose delivery is unsettled for 30 minutes; Stele does, too.
pub(crate) const RELEASE_MAX: Duration = Duration::from_secs(15 * 60);

/// A message that waits, unsettled.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) until: Instant,
    pub(crate) ready: Ready,
    pub(crate) then: Then,
}

/// What is done with a message that has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It goes back to its queue.
    Requeue,
    /// It is handed out again, and the broker doesn't know.
    HandOut,
}

/// What settles a delivery of one channel. Once the channel is gone, the delivery is lost.
#[derive(Debug)]
pub(crate) struct Settling {
    pub(crate) ready: Ready,
    /// Of the task of the subscription.
    pub(crate) waits: mpsc::Sender<Waiting>,
    pub(crate) hold: Hold,
}

#[async_trait]
impl Settle for Settling {
    async fn ack(mut self: Box<Self>) -> Result<(), TransportError> {
        let Ready { delivery, open, .. } = &mut self.ready;
        settled(delivery.acker.ack(BasicAckOptions::default()), open).await
    }

    /// A message that is to stay away isn't returned until then, so it keeps its place in the
    /// queue. When the subscription ends, it comes again at once.
    async fn release(mut self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        if after.is_zero() {
            let Ready { delivery, open, .. } = &mut self.ready;
            return settled(requeue(&delivery.acker), open).await;
        }
        if after > RELEASE_MAX {
            return Err(unsupported(format!("a release for {after:?}")));
        }
        self.wait(after, Then::Requeue).await
    }

    fn may_keep(&self, after: Duration) -> bool {
        self.ready.received_at.elapsed() + after <= RELEASE_MAX
    }

    async fn keep(self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        self.wait(after, Then::HandOut).await
    }
}

impl Settling {
    async fn wait(self, after: Duration, then: Then) -> Result<(), TransportError> {
        if !self.ready.delivery.acker.usable() {
            return Err(TransportError::Lost);
        }
        let Self { ready, waits, hold } = self;
        let until = Instant::now() + after;
        let sent = waits.send(Waiting { until, ready, then }).await;
        drop(hold);
        sent.map_err(|_| TransportError::Lost)
    }
}

/// Returns a message to its queue.
pub(crate) async fn requeue(acker: &Acker) -> lapin::Result<bool> {
    let options = BasicNackOptions {
        requeue: true,
        multiple: false,
    };
    acker.nack(options).await
}

async fn settled(
    settling: impl Future<Output = lapin::Result<bool>>,
    open: &mut watch::Receiver<()>,
) -> Result<(), TransportError> {
    tokio::select! {
        biased;
        result = settling => match result {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(TransportError::Lost),
        },
        _ = open.changed() => Err(TransportError::Lost),
    }
}
