//! The transport.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Caps, Deliveries, Depth, FanOut, Ordering, Outgoing, Release, Subscription, Topology,
    Transport, TransportError,
};

use crate::{
    Order, Settings,
    errors::NAME,
    publisher::BATCH_MAX,
    queues::{Queues, queues_of},
    subscription::{RELEASE_MAX, subscribe},
};

/// For how long a FIFO queue drops messages of a MessageDeduplicationId.
const DEDUPLICATES_FOR: Duration = Duration::from_secs(5 * 60);

/// The transport over Amazon SQS.
#[derive(Debug)]
pub struct Sqs(Arc<Queues>);

impl Sqs {
    /// A transport, which connects when it is first used.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Queues::new(settings)))
    }
}

impl Order {
    /// A message of a FIFO queue can't have a delay of its own.
    pub(crate) fn delay_max(self) -> Duration {
        match self {
            Self::ByKey => Duration::ZERO,
            Self::None => Duration::from_secs(15 * 60),
        }
    }
}

#[async_trait]
impl Transport for Sqs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caps(&self) -> Caps {
        let settings = &self.0.settings;
        let (ordering, release, deduplicates_for) = match settings.order {
            Order::ByKey => (Ordering::ByKey, Release::Key, DEDUPLICATES_FOR),
            Order::None => (Ordering::None, Release::Message, Duration::ZERO),
        };
        Caps {
            ordering,
            fan_out: FanOut::Copies,
            replay: false,
            delay_max: settings.order.delay_max(),
            counts_deliveries: true,
            release,
            release_max: RELEASE_MAX,
            deduplicates_for,
            batch_max: BATCH_MAX,
            // As base64, which all but texts are.
            body_bytes_max: settings.message_bytes_max / 4 * 3,
            single_active: false,
        }
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TransportError> {
        self.0.declare(topology).await
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        self.0.publish(batch).await
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        let topology = Topology {
            subscriptions: vec![subscription.clone()],
            ..Topology::default()
        };
        self.0.declare(&topology).await?;
        subscribe(&self.0, subscription).await
    }

    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        let mut depths = Vec::new();
        for name in queues_of(subscription) {
            let waiting = self.0.depth(&name).await?;
            depths.push(Depth { name, waiting });
        }
        Ok(depths)
    }
}
