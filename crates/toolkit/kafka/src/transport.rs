//! The transport.

use std::time::Duration;

use async_trait::async_trait;
use stele_toolkit_bus::{
    Caps, Deliveries, Depth, FanOut, Ordering, Outgoing, Release, Subscription, Topology,
    Transport, TransportError,
};

use crate::{
    Settings, declare::Topics, errors::NAME, partitions::RELEASE_MAX, publisher::Publisher,
    subscription::subscribe,
};

/// What librdkafka puts into one request at most, unless set otherwise.
const BATCH_MAX: usize = 10_000;

/// The transport over Kafka.
#[derive(Debug)]
pub struct Kafka {
    settings: Settings,
    topics: Topics,
    publisher: Publisher,
}

impl Kafka {
    /// A transport, which connects when it is first used. Fails if a setting is wrong.
    pub fn new(settings: Settings) -> Result<Self, TransportError> {
        Ok(Self {
            topics: Topics::new(settings.clone())?,
            publisher: Publisher::new(settings.clone()),
            settings,
        })
    }
}

#[async_trait]
impl Transport for Kafka {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caps(&self) -> Caps {
        Caps {
            ordering: Ordering::ByKey,
            fan_out: FanOut::Broker,
            replay: true,
            delay_max: Duration::ZERO,
            counts_deliveries: false,
            release: Release::Partition,
            release_max: RELEASE_MAX,
            deduplicates_for: Duration::ZERO,
            batch_max: BATCH_MAX,
            body_bytes_max: self.settings.message_bytes_max,
            single_active: true,
        }
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TransportError> {
        self.topics.declare(topology).await
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        self.publisher.publish(&self.topics, batch).await
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        let topology = Topology {
            subscriptions: vec![subscription.clone()],
            ..Topology::default()
        };
        self.topics.declare(&topology).await?;
        if subscription.is_single_active {
            let topics = &self.topics;
            topics.require_single_partitions(subscription).await?;
        }
        subscribe(&self.settings, subscription)
    }

    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        let service = &subscription.service;
        let topics = subscription.topics.iter().map(|topic| (service, topic));
        let queues = subscription.queues.iter().map(|queue| (queue, queue));
        let mut depths = Vec::new();
        for (group, topic) in topics.chain(queues) {
            depths.push(self.topics.depth(group, topic).await?);
        }
        Ok(depths)
    }
}
