//! What the tests share: messages, and a broker, a store and a clock.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{
    Clock, ClockedIds, Destination, Incoming, NoStore, Outgoing, QueueLetters, Running, Service,
    Store, Transport,
    memory::{MemoryBroker, MemoryStore, VirtualClock},
};
use stele_toolkit_envelope::{Context, Envelope, Ids, Message, SeededIds, Timestamp};

pub(crate) const SERVICE: &str = "inventory";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.1", topic = "order.created", key = order_id, alias = "OrderPlaced")]
pub(crate) struct OrderCreated {
    pub(crate) order_id: String,
    pub(crate) quantity: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "inventory.reserved", key = order_id)]
pub(crate) struct InventoryReserved {
    pub(crate) order_id: String,
}

#[derive(Debug, thiserror::Error)]
#[error("out of order")]
pub(crate) struct Broken;

/// A broker, a store and a clock.
pub(crate) struct World {
    pub(crate) clock: VirtualClock,
    pub(crate) broker: MemoryBroker,
    pub(crate) store: MemoryStore,
    pub(crate) ids: Arc<dyn Ids>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = VirtualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let random = Arc::new(SeededIds::new(7, Timestamp::UNIX_EPOCH));
        Self {
            broker: MemoryBroker::new(Arc::clone(&shared)),
            store: MemoryStore::new(Arc::clone(&shared)),
            ids: Arc::new(ClockedIds::new(shared, random)),
            clock,
        }
    }

    /// A service that lives in this world.
    pub(crate) fn service(&self) -> Service {
        Service::new(SERVICE)
            .clock(Arc::new(self.clock.clone()))
            .random(Arc::clone(&self.ids))
            .host("test-host")
            .code_version("1.2.3")
    }

    pub(crate) async fn start(&self, service: Service) -> Running {
        self.start_on(service, Arc::new(self.store.clone())).await
    }

    pub(crate) async fn start_without_store(&self, service: Service) -> Running {
        self.start_on(service, Arc::new(NoStore)).await
    }

    async fn start_on(&self, service: Service, store: Arc<dyn Store>) -> Running {
        let transport = Arc::new(self.broker.transport());
        service.start(store, transport).await.expect("started")
    }

    pub(crate) fn envelope<M: Message>(&self, message: &M) -> Envelope {
        let context = Context::new("test").with_ids(Arc::clone(&self.ids));
        Envelope::of(message, &context).expect("an envelope")
    }

    /// Publishes a message, and returns its id.
    pub(crate) async fn publish<M: Message>(&self, message: &M) -> String {
        let envelope = self.envelope(message);
        let id = envelope.message_id.clone();
        let to = Destination::Topic(M::TOPIC.to_owned());
        let outgoing = Outgoing::json(to, &id, envelope.encode()).with_key(message.key().0);
        self.send(outgoing).await;
        id
    }

    pub(crate) async fn order(&self, order_id: &str, quantity: i64) -> String {
        let order_id = order_id.to_owned();
        self.publish(&OrderCreated { order_id, quantity }).await
    }

    pub(crate) async fn send(&self, message: Outgoing) {
        let results = self.broker.transport().publish(&[message]).await;
        results.into_iter().for_each(|result| result.expect("sent"));
    }

    /// The dead letters in their queue.
    pub(crate) fn dead(&self) -> Vec<Incoming> {
        self.broker.queue("inventory.dead")
    }

    /// The reasons of the dead letters in their queue.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let dead = self.dead();
        let reasons = dead.iter().map(|letter| header(letter, "reason"));
        reasons.collect()
    }

    pub(crate) fn queue_letters(&self) -> QueueLetters {
        QueueLetters::new(
            SERVICE,
            Arc::new(self.broker.transport()),
            Arc::new(self.clock.clone()),
            Arc::clone(&self.ids),
        )
    }

    /// What the service's handler wrote under a name, as a number.
    pub(crate) fn number(&self, name: &str) -> i64 {
        let value = self.store.value(name);
        value.map_or(0, |text| text.parse().expect("a number"))
    }

    /// Nothing waits for the service.
    #[track_caller]
    pub(crate) fn assert_all_settled(&self) {
        assert_eq!(self.broker.waiting(SERVICE), []);
        assert_eq!(self.broker.queue("inventory.retry"), []);
    }
}

pub(crate) fn header(message: &Incoming, name: &str) -> String {
    message.headers.text(name).unwrap_or_default().to_owned()
}

/// Counts calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// The number of this call; the first is 1.
    pub(crate) fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
