//! A database with orders.

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use stele_toolkit_envelope::Context;
use stele_toolkit_es::{
    Commands, Position, Projection, Queries, Repository, RunError, Runner, SqlStore,
    projection::{Generation, Step},
};
use stele_toolkit_sql::{
    Db, Options,
    sqlx::{self, Row},
};

use crate::{
    clock::ManualClock,
    commands::{CancelOrder, CreateOrder, OrderCommandHandler, UpdateOrder},
    home::Home,
    queries::{OrderQueryHandler, OrderSummaryById, OrdersOfCustomer, Revenue},
};

/// More than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(300);

/// A database with orders, its own home, and a clock that stands still.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) store: Arc<SqlStore>,
    pub(crate) commands: Commands,
    pub(crate) queries: Queries,
    pub(crate) clock: Arc<ManualClock>,
    home: Home,
}

impl World {
    pub(crate) async fn new(home: Home) -> Self {
        let clock = Arc::new(ManualClock::new());
        // The disk may be busy with other things.
        let options = Options::new().wait_max(PATIENCE);
        let db = home.open_with(options.clock(clock.clone())).await;
        let store = Arc::new(SqlStore::open(db.clone()).await.unwrap());
        let orders = Repository::new(store.clone());
        let writer = Arc::new(OrderCommandHandler { orders });
        let reader = Arc::new(OrderQueryHandler { db: db.clone() });
        Self {
            commands: Commands::new()
                .with::<CreateOrder>(writer.clone())
                .with::<UpdateOrder>(writer.clone())
                .with::<CancelOrder>(writer),
            queries: Queries::new(db.clone())
                .with::<OrderSummaryById>(reader.clone())
                .with::<OrdersOfCustomer>(reader.clone())
                .with::<Revenue>(reader),
            db,
            store,
            clock,
            home,
        }
    }

    /// The database as another process sees it.
    pub(crate) async fn other_process(&self) -> Db {
        let options = Options::new().wait_max(PATIENCE);
        self.home.open_with(options.clock(self.clock.clone())).await
    }

    pub(crate) async fn runner<P: Projection>(&self, projection: P) -> Runner<P> {
        let runner = Runner::open(self.db.clone(), self.store.clone(), projection);
        runner.await.unwrap()
    }

    /// Places an order.
    pub(crate) async fn create(&self, id: &str, total_cents: i64) -> Position {
        let command = CreateOrder {
            order_id: id.to_owned(),
            customer_name: "Ada".to_owned(),
            total_cents,
        };
        self.commands.handle(command, &context()).await.unwrap()
    }

    /// Places some orders of 1.00.
    pub(crate) async fn create_many(&self, numbers: std::ops::Range<u32>) -> Position {
        let mut last = Position::Start;
        for number in numbers {
            last = self.create(&format!("order-{number:04}"), 100).await;
        }
        last
    }

    /// The number in the first column of the first row.
    pub(crate) async fn number(&self, query: &'static str) -> Result<i64, sqlx::Error> {
        let mut reader = self.db.reader().await.unwrap();
        sqlx::query(query).fetch_one(&mut *reader).await?.try_get(0)
    }

    /// The number of rows in `order_summaries`.
    pub(crate) async fn rows(&self) -> i64 {
        let count = self.number("SELECT COUNT(*) FROM order_summaries").await;
        count.unwrap()
    }

    pub(crate) async fn generations(&self) -> Vec<Generation> {
        Generation::all(&self.db).await.unwrap()
    }

    /// Steps until everything up to a position is in the live tables.
    pub(crate) async fn catch_up<P: Projection>(
        &self,
        runner: &mut Runner<P>,
        to: &Position,
    ) -> Result<(), RunError> {
        patiently(async {
            loop {
                let step = runner.step().await?;
                let live = Generation::live(&self.db, P::NAME).await?;
                let at = live.map(|live| live.position).unwrap_or_default();
                if step == Step::Idle && at.covers(to) {
                    return Ok(());
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

pub(crate) fn context() -> Context {
    Context::new("order-service").with_user_id("user-789")
}

pub(crate) async fn patiently<T>(future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.expect("it happens in time")
}
