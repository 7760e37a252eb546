//! Subscriptions.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Deliveries, Delivery, Handout, Hold, Origin, Settle, Subscription, TransportError,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};

use crate::{
    deletes::{self, Delete},
    errors::unsupported,
    kept::{self, Kept},
    leases::Leases,
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
    let (keeps, asked_to_keep) = mpsc::channel(BATCH_MAX);
    let keeping = kept::run(Arc::clone(queues), handout.clone(), asked_to_keep, wishes);
    pollers.spawn(keeping);
    let mut helpers = JoinSet::new();
    helpers.spawn(deletes::run(Arc::clone(queues), asked));
    let (keeping, kept) = (Arc::clone(queues), handout.clone());
    helpers.spawn(async move { leases.keep(&keeping, &kept).await });
    Ok(Box::new(SqsDeliveries {
        queues: Arc::clone(queues),
        handout,
        wish,
        deletes,
        keeps,
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
    keeps: mpsc::Sender<Kept>,
    /// These, with the task that keeps messages, and the tasks that delete and that extend leases,
    /// end with this.
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
        let (message, attempt) = (ready.message.clone(), ready.attempt);
        let settling = Settling {
            queues: Arc::clone(&self.queues),
            handout: self.handout.clone(),
            deletes: self.deletes.clone(),
            keeps: self.keeps.clone(),
            ready,
            hold,
        };
        let mut delivery = Delivery::new(message, origin, Box::new(settling));
        delivery.attempt = attempt;
        delivery.is_redelivered = attempt.is_some_and(|attempt| attempt > 1);
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
    keeps: mpsc::Sender<Kept>,
    /// With its lease.
    ready: Ready,
    hold: Hold,
}

#[async_trait]
impl Settle for Settling {
    async fn ack(self: Box<Self>) -> Result<(), TransportError> {
        let (done, told) = oneshot::channel();
        let receipt = self.ready.receipt.clone();
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
        let Ready { receipt, group, .. } = &self.ready;
        let behind = self.handout.recall(|ready| {
            group.is_some() && ready.group == *group && ready.receipt.queue == receipt.queue
        });
        let (queue, handles) = (&receipt.queue, [receipt.handle.as_str()]);
        let released = self.queues.change_visibility(queue, &handles, after).await;
        give_back(&self.queues, behind).await;
        released?.pop().unwrap_or(Err(TransportError::Lost))
    }

    /// Not in a FIFO queue, where the later messages of the group, some of which are here already,
    /// have to stay behind it.
    fn may_keep(&self, after: Duration) -> bool {
        self.ready.group.is_none() && self.ready.received_at.elapsed() + after <= RELEASE_MAX
    }

    async fn keep(self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        let Self {
            keeps, ready, hold, ..
        } = *self;
        let until = Instant::now() + after;
        let asked = keeps.send(Kept { until, ready }).await;
        drop(hold);
        // The task is gone once the subscription is drained, and the lease ends now.
        asked.map_err(|_| TransportError::Lost)
    }
}

/// Makes messages visible that weren't handed out. Where that fails, they come again later.
pub(crate) async fn give_back(queues: &Queues, messages: Vec<Ready>) {
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
