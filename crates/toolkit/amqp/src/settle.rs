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

use crate::errors::unsupported;

/// RabbitMQ closes a channel whose delivery is unsettled for 30 minutes; Stele does, too.
pub(crate) const RELEASE_MAX: Duration = Duration::from_secs(15 * 60);

/// A message that goes back to its queue at this time.
#[derive(Debug)]
pub(crate) struct Released {
    pub(crate) at: Instant,
    pub(crate) acker: Acker,
}

/// What settles a delivery of one channel. Once the channel is gone, the delivery is lost.
#[derive(Debug)]
pub(crate) struct Settling {
    pub(crate) acker: Acker,
    /// Closed once the connection is given up: the client library may leave an acknowledgement
    /// without an answer then.
    pub(crate) open: watch::Receiver<()>,
    /// Of the task of the subscription.
    pub(crate) released: mpsc::Sender<Released>,
    pub(crate) hold: Hold,
}

#[async_trait]
impl Settle for Settling {
    async fn ack(mut self: Box<Self>) -> Result<(), TransportError> {
        let Self { acker, open, .. } = &mut *self;
        settled(acker.ack(BasicAckOptions::default()), open).await
    }

    /// A message that is to stay away isn't returned until then, so it keeps its place in the queue
    /// and in the broker's prefetch. When the subscription ends, it comes again at once.
    async fn release(mut self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        if after.is_zero() {
            let Self { acker, open, .. } = &mut *self;
            return settled(requeue(acker), open).await;
        }
        if after > RELEASE_MAX {
            return Err(unsupported(format!("a release for {after:?}")));
        }
        if !self.acker.usable() {
            return Err(TransportError::Lost);
        }
        let Self {
            acker,
            released,
            hold,
            ..
        } = *self;
        let at = Instant::now() + after;
        let sent = released.send(Released { at, acker }).await;
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
