//! Subscriptions.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Deliveries, Delivery, Handout, Hold, Origin, Settle, Subscription, TransportError,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use crate::{
    deletes::{self, Delete},
    errors::unsupported,
    leases::{Lease, Leases, Receipt},
    poller::{Poller, Ready, Wish},
    publisher::BATCH_MAX,
    queues::{Queue, Queues, queues_of},
};

/// A message may be invisible for 12 hours in all.
pub(crate) const RELEASE_MAX: Duration = Duration::from_secs(11 * 60 * 60);

/// Begins to take messages.
pub(crate) async fn subscribe(
    queues: &Arc<Queues>,
    subscription: &Subscription,
) -> Result<Box<dyn Deliveries>, TransportError> {
    let handout = Handout::new(subscription.prefetch);
    let leases = Leases::default();
    let (wish, wishes) = watch::channel(Wish::Run);
    let (deletes, asked) = mpsc::channel(BATCH_MAX);
    let mut pollers = JoinSet::new();
    for name in queues_of(subscription) {
        let poller = Poller {
            queues: Arc::clone(queues),
            queue: queues.find(&name).await?,
            handout: handout.clone(),
            leases: leases.clone(),
            wishes: wishes.clone(),
        };
        pollers.spawn(poller.run());
    }
    let mut helpers = JoinSet::new();
    helpers.spawn(deletes::run(Arc::clone(queues), asked));
    let (keeping, kept) = (Arc::clone(queues), handout.clone());
    helpers.spawn(async move { leases.keep(&keeping, &kept).await });
    Ok(Box::new(SqsDeliveries {
        queues: Arc::clone(queues),
        handout,
        wish,
        deletes,
        pollers,
        _helpers: helpers,
    }))
}

#[derive(Debug)]
struct SqsDeliveries {
    queues: Arc<Queues>,
    handout: Handout<Ready>,
    wish: watch::Sender<Wish>,
    deletes: mpsc::Sender<Delete>,
    /// These, and the task that deletes and the one that extends leases, end with this.
    pollers: JoinSet<()>,
    _helpers: JoinSet<()>,
}

#[async_trait]
impl Deliveries for SqsDeliveries {
    async fn next(&mut self) -> Option<Delivery> {
        let (ready, hold) = self.handout.next().await?;
        let origin = Origin {
            name: ready.receipt.queue.name.clone(),
            ..Origin::default()
        };
        let settling = Settling {
            queues: Arc::clone(&self.queues),
            handout: self.handout.clone(),
            deletes: self.deletes.clone(),
            receipt: ready.receipt,
            group: ready.group,
            _lease: ready.lease,
            _hold: hold,
        };
        let mut delivery = Delivery::new(ready.message, origin, Box::new(settling));
        delivery.attempt = ready.attempt;
        delivery.is_redelivered = ready.attempt.is_some_and(|attempt| attempt > 1);
        Some(delivery)
    }

    fn pause(&self) {
        self.wish.send_replace(Wish::Pause);
    }

    fn resume(&self) {
        self.wish.send_replace(Wish::Run);
    }

    async fn drain(mut self: Box<Self>) -> Result<(), TransportError> {
        self.wish.send_replace(Wish::Drain);
        while self.pollers.join_next().await.is_some() {}
        let rest = self.handout.close();
        give_back(&self.queues, rest).await;
        self.handout.is_idle().await;
        Ok(())
    }
}

impl Drop for SqsDeliveries {
    fn drop(&mut self) {
        self.handout.close();
    }
}

/// What settles a message.
#[derive(Debug)]
struct Settling {
    queues: Arc<Queues>,
    handout: Handout<Ready>,
    deletes: mpsc::Sender<Delete>,
    receipt: Receipt,
    group: Option<String>,
    /// Until this is dropped.
    _lease: Lease,
    _hold: Hold,
}

#[async_trait]
impl Settle for Settling {
    async fn ack(self: Box<Self>) -> Result<(), TransportError> {
        let (done, told) = oneshot::channel();
        let receipt = self.receipt.clone();
        let asked = self.deletes.send(Delete { receipt, done }).await;
        // The task is gone once the subscription is dropped.
        asked.map_err(|_| TransportError::Lost)?;
        told.await.unwrap_or(Err(TransportError::Lost))
    }

    /// In a FIFO queue, the later messages of the group go back too, unless they are handed out.
    async fn release(self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        if after > RELEASE_MAX {
            return Err(unsupported(format!("a release for {after:?}")));
        }
        let behind = self.handout.recall(|ready| {
            self.group.is_some()
                && ready.group == self.group
                && ready.receipt.queue == self.receipt.queue
        });
        let (queue, handles) = (&self.receipt.queue, [self.receipt.handle.as_str()]);
        let released = self.queues.change_visibility(queue, &handles, after).await;
        give_back(&self.queues, behind).await;
        released?.pop().unwrap_or(Err(TransportError::Lost))
    }
}

/// Makes messages visible that weren't handed out. Where that fails, they come again later.
async fn give_back(queues: &Queues, messages: Vec<Ready>) {
    let mut rest = messages.as_slice();
    while let Some(first) = rest.first() {
        let queue: &Queue = &first.receipt.queue;
        let is_of_queue = |ready: &&Ready| ready.receipt.queue == *queue;
        let of_queue = rest.iter().take_while(is_of_queue).take(BATCH_MAX);
        let handles: Vec<&str> = of_queue.map(|r| r.receipt.handle.as_str()).collect();
        let (of_queue, others) = rest.split_at(handles.len());
        debug_assert_eq!(of_queue.len(), handles.len());
        let changed = queues.change_visibility(queue, &handles, Duration::ZERO);
        if let Err(error) = changed.await {
            tracing::warn!(queue = queue.name, %error, "messages aren't given back");
        }
        rest = others;
    }
}
