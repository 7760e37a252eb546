//! The transport.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Caps, Deliveries, Depth, FanOut, Ordering, Outgoing, Release, Subscription, Topology,
    Transport, TransportError,
};

use crate::{
    QueueKind, Settings,
    connection::Broker,
    errors::NAME,
    publisher::Publisher,
    settle::RELEASE_MAX,
    subscription::{queues_of, subscribe},
};

/// The longest delay of an exchange of the type `x-delayed-message`.
const DELAY_MAX: Duration = Duration::from_millis(u32::MAX as u64);

/// How many messages a publish sends before it waits for their confirms, as a proposal to whoever
/// makes batches.
const BATCH_MAX: usize = 500;

/// The transport over AMQP 0-9-1.
#[derive(Debug)]
pub struct Amqp {
    broker: Arc<Broker>,
    publisher: Publisher,
}

impl Amqp {
    /// A transport, which connects when it is first used. Fails if the settings are wrong.
    pub fn new(settings: Settings) -> Result<Self, TransportError> {
        let broker = Broker::new(settings)?;
        let publisher = Publisher::new(Arc::clone(&broker));
        Ok(Self { broker, publisher })
    }
}

impl Broker {
    /// The longest delay, once the broker was asked.
    pub(crate) fn delay_max(&self) -> Duration {
        match self.delays.get() {
            Some(true) => DELAY_MAX,
            Some(false) | None => Duration::ZERO,
        }
    }
}

#[async_trait]
impl Transport for Amqp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn caps(&self) -> Caps {
        Caps {
            ordering: Ordering::ByQueue,
            fan_out: FanOut::Broker,
            replay: false,
            delay_max: self.broker.delay_max(),
            counts_deliveries: self.broker.settings.queue_kind == QueueKind::Quorum,
            release: Release::Message,
            release_max: RELEASE_MAX,
            deduplicates_for: Duration::ZERO,
            batch_max: BATCH_MAX,
            body_bytes_max: self.broker.settings.body_bytes_max,
            single_active: true,
        }
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TransportError> {
        let connection = self.publisher.connection().await?;
        self.broker.declare(&connection, topology).await
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        self.publisher.publish(batch).await
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        subscribe(&self.broker, subscription).await
    }

    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        let connection = self.publisher.connection().await?;
        let mut depths = Vec::new();
        for name in queues_of(subscription) {
            let waiting = self.broker.depth(&connection, &name).await?;
            depths.push(Depth { name, waiting });
        }
        Ok(depths)
    }
}
