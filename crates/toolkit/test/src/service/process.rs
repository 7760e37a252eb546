//! A service that a harness runs, and can start again.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Clock, Companion, DueQuery, Running, Service, Store, Subscription,
    memory::{MemoryBroker, VirtualClock},
};
use stele_toolkit_envelope::Ids;

use super::{
    TestStore,
    watched::{Watch, Watched},
};

/// A service that a harness runs.
pub(super) struct Process {
    make: Box<dyn Fn() -> Service>,
    store: Arc<dyn AnyStore>,
    subscription: Subscription,
    running: Option<Running>,
    /// What runs beside the handlers of the one that runs.
    companions: Vec<Arc<dyn Companion>>,
}

/// What a process lives in.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) clock: VirtualClock,
    pub(super) broker: MemoryBroker,
    pub(super) ids: Arc<dyn Ids>,
}

impl Process {
    pub(super) fn new<S: TestStore>(
        store: S,
        watch: &Arc<Watch>,
        make: impl Fn() -> Service + 'static,
    ) -> Self {
        Self {
            subscription: make().subscription(),
            make: Box::new(make),
            store: Arc::new(Watched {
                inner: store,
                watch: Arc::clone(watch),
            }),
            running: None,
            companions: Vec::new(),
        }
    }

    pub(super) async fn start(&mut self, surroundings: &Surroundings) {
        let service = (self.make)()
            .clock(Arc::new(surroundings.clock.clone()))
            .random(Arc::clone(&surroundings.ids))
            .host("test");
        self.companions = service.companions().to_vec();
        let transport = Arc::new(surroundings.broker.transport());
        let store = Arc::clone(&self.store).into_store();
        let name = &self.subscription.service;
        match service.start(store, transport).await {
            Ok(running) => self.running = Some(running),
            Err(error) => panic!("the service {name} doesn't start: {error}"),
        }
    }

    /// Ends it as a crash does.
    pub(super) fn crash(&mut self) {
        self.running = None;
    }

    /// Ends it in good order.
    pub(super) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            let name = &self.subscription.service;
            let stopped = running.stop().await;
            stopped.unwrap_or_else(|error| panic!("the service {name} doesn't stop: {error}"));
        }
    }

    /// What it has left to do, in words.
    pub(super) async fn left(&self, surroundings: &Surroundings) -> Vec<String> {
        let service = &self.subscription.service;
        if self.running.is_none() {
            return Vec::new();
        }
        let mut left = Vec::new();
        let broker = &surroundings.broker;
        let waiting = broker.waiting(service).len();
        if waiting > 0 {
            left.push(format!("{service}: {waiting} messages of its topics"));
        }
        for queue in &self.subscription.queues {
            let waiting = broker.queue(queue).len();
            if waiting > 0 {
                left.push(format!("{service}: {waiting} messages in {queue}"));
            }
        }
        let of_store = self.store.left(service, surroundings).await;
        left.extend(
            of_store
                .into_iter()
                .map(|what| format!("{service}: {what}")),
        );
        for companion in &self.companions {
            let due_at = companion.due_at().await;
            let due_at = due_at.expect("what runs beside the handlers can be asked");
            left.extend(due_at.map(|at| format!("{service}: a deadline at {at}")));
        }
        left
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("subscription", &self.subscription)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

/// A watched store of any type.
#[async_trait]
trait AnyStore: Send + Sync {
    fn into_store(self: Arc<Self>) -> Arc<dyn Store>;

    async fn left(&self, service: &str, surroundings: &Surroundings) -> Vec<String>;
}

#[async_trait]
impl<S: TestStore> AnyStore for Watched<S> {
    fn into_store(self: Arc<Self>) -> Arc<dyn Store> {
        self
    }

    async fn left(&self, service: &str, surroundings: &Surroundings) -> Vec<String> {
        let counts = self.inner.left().await.into_iter();
        let mut left: Vec<String> = counts
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        if self.inner.is_durable() {
            // None are taken, it only tells when the next is due.
            let query = DueQuery {
                service,
                now: surroundings.clock.now(),
                lease: Duration::ZERO,
                count_max: 0,
            };
            let due = self.inner.due(&query).await;
            let due = due.expect("the test's store can be read");
            left.extend(
                due.next
                    .map(|at| format!("a message that comes back at {at}")),
            );
        }
        left
    }
}
