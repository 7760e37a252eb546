//! A transport of a process that may be asked to die before it acknowledges a message.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Caps, Deliveries, Delivery, Depth, Outgoing, Settle, Subscription, Topology, Transport,
    TransportError,
};
use stele_toolkit_sql::{Failpoint as _, Point};

use super::Death;

/// The transport.
#[derive(Debug)]
pub(super) struct Dying {
    pub(super) inner: Arc<dyn Transport>,
    pub(super) death: Death,
}

#[async_trait]
impl Transport for Dying {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TransportError> {
        self.inner.declare(topology).await
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        self.inner.publish(batch).await
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        Ok(Box::new(DyingDeliveries {
            inner: self.inner.subscribe(subscription).await?,
            death: self.death.clone(),
        }))
    }

    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        self.inner.depth(subscription).await
    }
}

#[derive(Debug)]
struct DyingDeliveries {
    inner: Box<dyn Deliveries>,
    death: Death,
}

#[async_trait]
impl Deliveries for DyingDeliveries {
    async fn next(&mut self) -> Option<Delivery> {
        let delivery = self.inner.next().await?;
        let (attempt, is_redelivered) = (delivery.attempt, delivery.is_redelivered);
        let (message, origin, inner) = delivery.into_parts();
        let death = self.death.clone();
        let settle = Box::new(DyingSettle { inner, death });
        let mut delivery = Delivery::new(message, origin, settle);
        (delivery.attempt, delivery.is_redelivered) = (attempt, is_redelivered);
        Some(delivery)
    }

    fn pause(&self) {
        self.inner.pause();
    }

    fn resume(&self) {
        self.inner.resume();
    }

    async fn drain(self: Box<Self>) -> Result<(), TransportError> {
        self.inner.drain().await
    }
}

struct DyingSettle {
    inner: Box<dyn Settle>,
    death: Death,
}

#[async_trait]
impl Settle for DyingSettle {
    async fn ack(self: Box<Self>) -> Result<(), TransportError> {
        self.death.reach(Point::BeforeAck).await;
        self.inner.ack().await
    }

    async fn release(self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        self.inner.release(after).await
    }

    fn may_keep(&self, after: Duration) -> bool {
        self.inner.may_keep(after)
    }

    async fn keep(self: Box<Self>, after: Duration) -> Result<(), TransportError> {
        self.inner.keep(after).await
    }
}
