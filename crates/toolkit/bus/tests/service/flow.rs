//! What a service asks of its subscription while it has its hands full.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Caps, Clock, Deliveries, Delivery, Depth, Event, Failure, Outgoing, Subscription, Topology,
    Transport, TransportError,
};

use crate::world::{OrderCreated, World};

/// A transport that counts how often its subscriptions are paused.
#[derive(Clone, Debug)]
struct Watched {
    inner: Arc<dyn Transport>,
    pauses: Arc<AtomicUsize>,
}

#[async_trait]
impl Transport for Watched {
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
        Ok(Box::new(WatchedDeliveries {
            inner: self.inner.subscribe(subscription).await?,
            pauses: Arc::clone(&self.pauses),
        }))
    }

    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        self.inner.depth(subscription).await
    }
}

#[derive(Debug)]
struct WatchedDeliveries {
    inner: Box<dyn Deliveries>,
    pauses: Arc<AtomicUsize>,
}

#[async_trait]
impl Deliveries for WatchedDeliveries {
    async fn next(&mut self) -> Option<Delivery> {
        self.inner.next().await
    }

    fn pause(&self) {
        self.pauses.fetch_add(1, Ordering::Relaxed);
        self.inner.pause();
    }

    fn resume(&self) {
        self.inner.resume();
    }

    async fn drain(self: Box<Self>) -> Result<(), TransportError> {
        self.inner.drain().await
    }
}

/// Each pause costs a broker round trips, and a consumer: it is for breakers and outages.
#[tokio::test]
async fn a_service_with_its_hands_full_pauses_nothing() {
    async fn slow(_: Event<OrderCreated>, clock: Arc<dyn Clock>) -> Result<(), Failure> {
        clock.sleep(std::time::Duration::from_secs(1)).await;
        Ok(())
    }
    let world = World::new();
    let watched = Watched {
        inner: Arc::new(world.broker.transport()),
        pauses: Arc::default(),
    };
    let service = world.service().on(slow).concurrency(2).prefetch(3);
    let store = Arc::new(world.store.clone());
    let running = service.start(store, Arc::new(watched.clone())).await;
    let running = running.expect("started");
    for number in 0..20 {
        world.order(&format!("order-{number}"), 1).await;
    }
    world.clock.run_to_idle().await;
    world.assert_all_settled();
    assert_eq!(watched.pauses.load(Ordering::Relaxed), 0);
    running.stop().await.expect("stopped");
}
