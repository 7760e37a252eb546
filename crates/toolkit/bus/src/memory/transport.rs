//! A process's side of the broker.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    MemoryBroker,
    broker::{BODY_BYTES_MAX, DELAY_MAX, NAME},
    consumer::Consumer,
    fault::Crash,
    queue::QueueId,
};
use crate::{
    Caps, Deliveries, Depth, FanOut, Ordering, Outgoing, Release, Subscription, Topology,
    Transport, TransportError,
};

/// A transport to a [`MemoryBroker`], which can do everything that any transport can.
#[derive(Clone, Debug)]
pub struct MemoryTransport {
    broker: MemoryBroker,
    caps: Caps,
}

impl MemoryTransport {
    pub(super) fn new(broker: MemoryBroker) -> Self {
        let caps = Caps {
            ordering: Ordering::ByKey,
            fan_out: FanOut::Broker,
            replay: true,
            delay_max: DELAY_MAX,
            counts_deliveries: true,
            release: Release::Key,
            release_max: DELAY_MAX,
            deduplicates_for: Duration::ZERO,
            batch_max: usize::MAX,
            body_bytes_max: BODY_BYTES_MAX,
            single_active: true,
        };
        Self { broker, caps }
    }

    /// The same transport, which says that it can do less: to see what a service makes of it.
    #[must_use]
    pub fn with_caps(mut self, change: impl FnOnce(&mut Caps)) -> Self {
        change(&mut self.caps);
        self
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caps(&self) -> Caps {
        self.caps
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TransportError> {
        self.broker.declare(topology);
        Ok(())
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let results = self.broker.publish(batch);
        self.broker.faults().crash(Crash::AfterPublish).await;
        results
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        let counts = self.caps.counts_deliveries;
        let consumer = Consumer::new(&self.broker, subscription, counts);
        Ok(Box::new(consumer))
    }

    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        let state = self.broker.state();
        let of_topics = (!subscription.topics.is_empty())
            .then(|| QueueId::Service(subscription.service.clone()));
        let of_queues = subscription.queues.iter().cloned().map(QueueId::Named);
        let depths = of_topics.into_iter().chain(of_queues).map(|id| Depth {
            waiting: state.queues.get(&id).map_or(0, super::queue::Queue::depth),
            name: id.name().to_owned(),
        });
        Ok(depths.collect())
    }
}
