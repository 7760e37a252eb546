//! The services in one process, each with a database of its own, and a broker and a clock in
//! memory.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Alert, ClockedIds, DeadNotice, Destination, Notice, Outgoing, Running, Service, Transport,
    memory::MemoryBroker,
};
use stele_toolkit_envelope::{Context, Envelope, Message, SeededIds, Timestamp};
use stele_toolkit_saga::{Entry, Filter, History, Instances, Listed, SagaId, SagaMetrics, Status};
use stele_toolkit_sql::{Db, Failpoint, Options, Point, sqlx};
use tokio::sync::{Mutex, watch};

use super::parts;
use crate::{clock::Hands, home::Home, order::OrderCreated};

/// Never returns from the point that is armed: the test drops what waits there, as a crash would.
#[derive(Debug, Default)]
pub(crate) struct Crash {
    armed: watch::Sender<Option<Point>>,
    is_reached: watch::Sender<bool>,
}

#[async_trait]
impl Failpoint for Crash {
    async fn reach(&self, point: Point) {
        if *self.armed.borrow() == Some(point) {
            self.is_reached.send_replace(true);
            std::future::pending().await
        }
    }
}

/// What people were told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(watch::Sender<Vec<Notice>>);

impl Told {
    pub(crate) fn all(&self) -> Vec<Notice> {
        self.0.borrow().clone()
    }
}

#[async_trait]
impl Alert for Told {
    async fn dead(&self, _notice: &DeadNotice) {}

    async fn notice(&self, notice: &Notice) {
        self.0.send_modify(|all| all.push(notice.clone()));
    }
}

/// The order service while it runs.
struct Orders {
    running: Running,
    db: Db,
    crash: Arc<Crash>,
}

pub(crate) struct World {
    pub(crate) hands: Hands,
    pub(crate) broker: MemoryBroker,
    pub(crate) metrics: SagaMetrics,
    pub(crate) told: Told,
    /// Of messages of the outside world.
    ids: Arc<ClockedIds>,
    home: Home,
    orders: Mutex<Option<Orders>>,
    /// Inventory, payment and shipping.
    parts: Vec<(Running, Db, Home)>,
}

impl World {
    pub(crate) async fn new(home: Home) -> Self {
        let hands = Hands::noon();
        let random = Arc::new(SeededIds::new(3, Timestamp::UNIX_EPOCH));
        let mut world = Self {
            broker: MemoryBroker::new(Arc::new(hands.clone())),
            metrics: SagaMetrics::default(),
            told: Told::default(),
            orders: Mutex::new(None),
            parts: Vec::new(),
            ids: Arc::new(ClockedIds::new(Arc::new(hands.clone()), random)),
            home,
            hands,
        };
        for service in [parts::inventory(), parts::payment(), parts::shipping()] {
            let home = world.home.another().await;
            let db = home.open_with(world.options()).await;
            let mut tx = db.begin().await.unwrap();
            sqlx::query(parts::EFFECTS).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
            stele_toolkit_saga::Participant.migrate(&db).await.unwrap();
            let running = world.start(service, &db).await;
            world.parts.push((running, db, home));
        }
        world.start_orders().await;
        world
    }

    fn options(&self) -> Options {
        Options::new().clock(Arc::new(self.hands.clone()))
    }

    async fn start(&self, service: Service, db: &Db) -> Running {
        let transport = Arc::new(self.broker.transport());
        let service = service.clock(Arc::new(self.hands.clone()));
        let started = service.start(Arc::new(db.clone()), transport).await;
        started.unwrap()
    }

    /// Starts the order service, as a new process.
    pub(crate) async fn start_orders(&self) {
        let crash = Arc::new(Crash::default());
        let failpoint: Arc<dyn Failpoint> = Arc::<Crash>::clone(&crash);
        let options = self.options().failpoint(failpoint);
        let db = self.home.open_with(options).await;
        let service = parts::orders(&self.metrics).alert(self.told.clone());
        let running = self.start(service, &db).await;
        *self.orders.lock().await = Some(Orders { running, db, crash });
        // Its relay gets what the one before has leased.
        self.advance(6);
    }

    /// Has the order service crash when it gets to a point.
    pub(crate) async fn arm(&self, point: Point) {
        if let Some(orders) = &*self.orders.lock().await {
            orders.crash.armed.send_replace(Some(point));
        }
    }

    /// Waits until the order service is at its point, drops it there, and starts it again.
    pub(crate) async fn crash_and_start(&self) {
        let orders = self.orders.lock().await.take().unwrap();
        let is_reached = orders.crash.is_reached.subscribe();
        self.until(async || *is_reached.borrow()).await;
        drop(orders.running);
        orders.db.close().await;
        self.start_orders().await;
    }

    /// Stops the order service as an orderly process would.
    pub(crate) async fn stop_orders(&self) {
        let orders = self.orders.lock().await.take().unwrap();
        orders.running.stop().await.unwrap();
    }

    /// Returns once the condition holds; meanwhile a little time passes.
    pub(crate) async fn until(&self, mut holds: impl AsyncFnMut() -> bool) {
        /// Long enough for a machine that is busy with other tests.
        const PATIENCE: Duration = Duration::from_secs(180);
        const LOOK: Duration = Duration::from_millis(10);
        /// Faster than real time, since relays and loops look again after up to a second of it.
        const PASSES: Duration = Duration::from_millis(20);
        let wait = async {
            while !holds().await {
                tokio::time::sleep(LOOK).await;
                self.hands.advance(PASSES);
            }
        };
        let came = tokio::time::timeout(PATIENCE, wait).await;
        came.expect("it comes true within 180 s");
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.hands.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn created(&self, order: &str) -> Envelope {
        let ids = Arc::<ClockedIds>::clone(&self.ids);
        let context = Context::new("shop")
            .with_ids(ids)
            .with_correlation_id(order);
        let order = order.to_owned();
        Envelope::of(&OrderCreated { order }, &context).unwrap()
    }

    pub(crate) async fn publish<M: Message>(&self, envelope: &Envelope) {
        let to = Destination::Topic(M::TOPIC.to_owned());
        let message = Outgoing::json(to, envelope.message_id.clone(), envelope.encode());
        let sent = self.broker.transport().publish(&[message]).await;
        sent.into_iter().for_each(|sent| sent.unwrap());
    }

    /// An order comes in. Its id is that of the instance, too.
    pub(crate) async fn place(&self, order: &str) {
        let created = self.created(order);
        self.publish::<OrderCreated>(&created).await;
    }

    pub(crate) async fn db(&self) -> Db {
        let orders = self.orders.lock().await;
        orders.as_ref().map(|orders| orders.db.clone()).unwrap()
    }

    pub(crate) async fn listed(&self, order: &str) -> Option<Listed> {
        let filter = Filter {
            name: Some(parts::SAGA.to_owned()),
            id: Some(SagaId(order.to_owned())),
            ..Filter::default()
        };
        let found = Instances::of(&self.db().await).list(&filter, 2).await;
        found.unwrap().pop()
    }

    pub(crate) async fn history(&self, order: &str) -> History {
        let (db, id) = (self.db().await, SagaId(order.to_owned()));
        Instances::of(&db).show(parts::SAGA, &id).await.unwrap()
    }

    /// How often an entry is in the history.
    pub(crate) async fn count(&self, order: &str, is_meant: impl Fn(&Entry) -> bool) -> usize {
        let entries = self.history(order).await.entries;
        entries.iter().filter(|(_, entry)| is_meant(entry)).count()
    }

    pub(crate) async fn until_sent(&self, order: &str, step: &str) {
        let is_sent = |entry: &Entry| matches!(entry, Entry::Sent { step: at, .. } if at == step);
        self.until(async || {
            self.listed(order).await.is_some() && self.count(order, is_sent).await > 0
        })
        .await;
    }

    pub(crate) async fn until_status(&self, order: &str, status: Status) {
        let is = async || {
            self.listed(order)
                .await
                .is_some_and(|it| it.status == status)
        };
        self.until(is).await;
    }

    /// What the services did for an order, service by service.
    pub(crate) async fn effects(&self, order: &str) -> Vec<String> {
        let mut all = Vec::new();
        for (_, db, _) in &self.parts {
            let mut reader = db.reader().await.unwrap();
            let find = sqlx::query_scalar("SELECT what FROM effects WHERE item = $1");
            let found = find.bind(order.to_owned()).fetch_all(&mut *reader).await;
            all.extend::<Vec<String>>(found.unwrap());
        }
        all
    }
}
