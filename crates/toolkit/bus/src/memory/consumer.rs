//! A subscription in memory.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use stele_toolkit_envelope::Timestamp;

use super::{
    MemoryBroker,
    broker::{DELAY_MAX, unsupported},
    fault::{Crash, Fault},
    queue::{HoldId, QueueId, Taken},
};
use crate::{Deliveries, Delivery, Origin, Settle, Subscription, TransportError};

/// A subscription. Dropping it is a crash: what it holds comes again.
#[derive(Debug)]
pub(super) struct Consumer {
    broker: MemoryBroker,
    id: u64,
    queues: Vec<QueueId>,
    held_max: usize,
    /// How many deliveries are neither settled nor dropped.
    held: Arc<AtomicUsize>,
    is_paused: AtomicBool,
    is_single_active: bool,
    counts_deliveries: bool,
}

impl Consumer {
    pub(super) fn new(
        broker: &MemoryBroker,
        subscription: &Subscription,
        counts_deliveries: bool,
    ) -> Self {
        let mut state = broker.state();
        state.subscribe(subscription, &**broker.clock());
        let id = state.number();
        let of_topics = (!subscription.topics.is_empty())
            .then(|| QueueId::Service(subscription.service.clone()));
        let of_queues = subscription.queues.iter().cloned().map(QueueId::Named);
        let queues: Vec<QueueId> = of_topics.into_iter().chain(of_queues).collect();
        if subscription.is_single_active {
            for queue in &queues {
                if let Some(queue) = state.queues.get_mut(queue) {
                    queue.candidates.push(id);
                }
            }
        }
        drop(state);
        Self {
            broker: broker.clone(),
            id,
            queues,
            held_max: usize::try_from(subscription.prefetch)
                .unwrap_or(usize::MAX)
                .max(1),
            held: Arc::default(),
            is_paused: AtomicBool::new(false),
            is_single_active: subscription.is_single_active,
            counts_deliveries,
        }
    }

    /// The next message, or when to look again.
    fn take(&self) -> Result<Delivery, Option<Timestamp>> {
        if self.broker.is_away()
            || self.is_paused.load(Ordering::Acquire)
            || self.held.load(Ordering::Acquire) >= self.held_max
        {
            return Err(None);
        }
        let now = self.broker.clock().now();
        let mut state = self.broker.state();
        let hold = state.hold(self.id);
        let mut look_at = None;
        for id in &self.queues {
            let Some(queue) = state.queues.get_mut(id) else {
                continue;
            };
            let is_active = queue
                .candidates
                .first()
                .is_none_or(|first| *first == self.id);
            if self.is_single_active && !is_active {
                continue;
            }
            if let Some(taken) = queue.take(hold, now) {
                return Ok(self.delivery(id, hold, taken));
            }
            look_at = look_at.into_iter().chain(queue.visible_at(now)).min();
        }
        Err(look_at)
    }

    fn delivery(&self, queue: &QueueId, hold: HoldId, taken: Taken) -> Delivery {
        self.held.fetch_add(1, Ordering::AcqRel);
        let origin = Origin {
            name: match queue {
                QueueId::Service(_) => taken.message.to.name().to_owned(),
                QueueId::Named(name) => name.clone(),
            },
            partition: None,
            offset: Some(taken.offset),
        };
        let held = Held {
            broker: self.broker.clone(),
            queue: queue.clone(),
            offset: taken.offset,
            hold,
            held: Arc::clone(&self.held),
        };
        let mut delivery = Delivery::new(taken.message, origin, Box::new(held));
        delivery.attempt = self.counts_deliveries.then_some(taken.deliveries);
        delivery.is_redelivered = taken.deliveries > 1;
        delivery
    }
}

#[async_trait]
impl Deliveries for Consumer {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let mut changed = pin!(self.broker.change().notified());
            changed.as_mut().enable();
            match self.take() {
                Ok(delivery) => return Some(delivery),
                Err(None) => changed.await,
                Err(Some(at)) => {
                    let clock = Arc::clone(self.broker.clock());
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = clock.sleep_until(at) => {}
                    }
                }
            }
        }
    }

    fn pause(&self) {
        self.is_paused.store(true, Ordering::Release);
    }

    fn resume(&self) {
        self.is_paused.store(false, Ordering::Release);
        self.broker.changed();
    }

    async fn drain(self: Box<Self>) -> Result<(), TransportError> {
        loop {
            let mut changed = pin!(self.broker.change().notified());
            changed.as_mut().enable();
            if self.held.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            changed.await;
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let mut state = self.broker.state();
        for id in &self.queues {
            if let Some(queue) = state.queues.get_mut(id) {
                queue.abandon(|consumer| consumer == self.id);
                queue.candidates.retain(|candidate| *candidate != self.id);
            }
        }
        drop(state);
        self.broker.changed();
    }
}

/// A delivery that isn't settled. Dropping it leaves the message with its consumer.
struct Held {
    broker: MemoryBroker,
    queue: QueueId,
    offset: u64,
    hold: HoldId,
    held: Arc<AtomicUsize>,
}

#[async_trait]
impl Settle for Held {
    async fn ack(self: Box<Self>) -> Result<(), TransportError> {
        self.broker.faults().crash(Crash::BeforeAck).await;
        let mut state = self.broker.state();
        let queue = state.queues.get_mut(&self.queue);
        let queue = queue.ok_or(TransportError::Lost)?;
        if self.broker.faults().strikes(Fault::LoseAck) {
            let now = self.broker.clock().now();
            queue.release(self.offset, self.hold, now, Duration::ZERO);
            return Err(TransportError::Lost);
        }
        match queue.ack(self.offset, self.hold) {
            true => Ok(()),
            false => Err(TransportError::Lost),
        }
    }

    async fn release(self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        if after > DELAY_MAX {
            return Err(unsupported(format!("a release for {after:?}")));
        }
        let now = self.broker.clock().now();
        let mut state = self.broker.state();
        let queue = state.queues.get_mut(&self.queue);
        let queue = queue.ok_or(TransportError::Lost)?;
        match queue.release(self.offset, self.hold, now, after) {
            true => Ok(()),
            false => Err(TransportError::Lost),
        }
    }

    fn may_keep(&self, after: Duration) -> bool {
        after <= DELAY_MAX
    }

    async fn keep(self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        let now = self.broker.clock().now();
        let mut state = self.broker.state();
        let queue = state.queues.get_mut(&self.queue);
        let queue = queue.ok_or(TransportError::Lost)?;
        match queue.keep(self.offset, self.hold, now, after) {
            true => Ok(()),
            false => Err(TransportError::Lost),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::AcqRel);
        self.broker.changed();
    }
}
