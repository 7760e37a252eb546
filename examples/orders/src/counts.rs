//! What a process counts of its work, for `/metrics`.
//!
//! | metric | |
//! |---|---|
//! | `messages_published_total` | messages that a broker has confirmed |
//! | `messages_delivered_total` | messages that a broker has handed out |
//! | `database_commits_total` | transactions; on SQLite, each is a sync |
//! | `database_statements_total` | statements, if the process was told to count them |

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use stele_toolkit_bus::{
    Caps, Deliveries, Delivery, Depth, Outgoing, Subscription, Topology, Transport, TransportError,
};
use stele_toolkit_sql::Db;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::{Layer, layer::Context};

/// Where `sqlx` tells of each statement.
const STATEMENTS: &str = "sqlx::query";

static COUNTS_STATEMENTS: AtomicBool = AtomicBool::new(false);
static STATEMENTS_SEEN: AtomicU64 = AtomicU64::new(0);

/// Counts statements by what `sqlx` tells of them, which it does only if somebody listens.
#[derive(Clone, Copy, Debug)]
pub struct Statements;

impl Statements {
    /// Has the process count them.
    pub fn count() -> Self {
        COUNTS_STATEMENTS.store(true, Ordering::Relaxed);
        Self
    }

    /// Whether it counts them.
    pub fn are_counted() -> bool {
        COUNTS_STATEMENTS.load(Ordering::Relaxed)
    }

    /// Which events it listens to.
    pub fn are_told_by(metadata: &Metadata<'_>) -> bool {
        metadata.target() == STATEMENTS && *metadata.level() <= Level::DEBUG
    }
}

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        STATEMENTS_SEEN.fetch_add(1, Ordering::Relaxed);
    }
}

/// What goes through a process. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    published: Counter,
    delivered: Counter,
    commits: Counter,
    statements: Counter,
}

impl Traffic {
    /// A transport whose messages are counted.
    pub fn count(&self, inner: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Counted {
            inner,
            traffic: self.clone(),
        })
    }

    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        for (name, help, counter) in [
            ("messages_published", "Messages confirmed", &self.published),
            ("messages_delivered", "Messages taken", &self.delivered),
            ("database_commits", "Transactions", &self.commits),
            ("database_statements", "Statements", &self.statements),
        ] {
            registry.register(name, help, counter.clone());
        }
    }

    /// Reads what databases have counted.
    pub fn update(&self, databases: &[Db]) {
        let commits = databases.iter().map(Db::commits).sum();
        self.commits.inner().store(commits, Ordering::Relaxed);
        let statements = STATEMENTS_SEEN.load(Ordering::Relaxed);
        self.statements.inner().store(statements, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Counted {
    inner: Arc<dyn Transport>,
    traffic: Traffic,
}

#[async_trait]
impl Transport for Counted {
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
        let results = self.inner.publish(batch).await;
        let confirmed = results.iter().filter(|result| result.is_ok()).count();
        self.traffic.published.inc_by(confirmed as u64);
        results
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        Ok(Box::new(CountedDeliveries {
            inner: self.inner.subscribe(subscription).await?,
            delivered: self.traffic.delivered.clone(),
        }))
    }

    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        self.inner.depth(subscription).await
    }
}

#[derive(Debug)]
struct CountedDeliveries {
    inner: Box<dyn Deliveries>,
    delivered: Counter,
}

#[async_trait]
impl Deliveries for CountedDeliveries {
    async fn next(&mut self) -> Option<Delivery> {
        let next = self.inner.next().await;
        self.delivered.inc_by(u64::from(next.is_some()));
        next
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
