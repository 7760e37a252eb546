//! A service to look after, and the program that does.

use std::{
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stele_toolkit_bus::{
    Destination, Event, Failure, Outgoing, Running, Service, SystemClock, Transport,
    memory::MemoryBroker,
};
use stele_toolkit_envelope::{Context, Envelope, Message};
use stele_toolkit_saga::{Plan, Saga, Sagas, WithSagas as _};
use stele_toolkit_sql::{Db, Options, Tx, sqlx};

use crate::home::Home;

#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "order.created", key = order)]
pub(crate) struct OrderCreated {
    pub(crate) order: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "packing.commands", key = order)]
pub(crate) struct Pack {
    order: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "packed", key = order)]
pub(crate) struct Packed {
    order: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "stock.counted", key = item)]
pub(crate) struct StockCounted {
    pub(crate) item: String,
    pub(crate) quantity: i64,
}

/// A step that nobody does.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Packing(String);

impl Saga for Packing {
    const NAME: &'static str = "packing";
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        Self(start.order.clone())
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("pack")
            .send(|saga: &Self| Pack {
                order: saga.0.clone(),
            })
            .ok::<Packed>();
    }
}

async fn count(Event(stock): Event<StockCounted>, mut tx: Tx) -> Result<(), Failure> {
    if stock.quantity < 0 {
        return Err(Failure::reject("less than nothing"));
    }
    let insert = sqlx::query("INSERT INTO counted (item) VALUES ($1)").bind(stock.item);
    insert.execute(&mut *tx).await?;
    Ok(())
}

/// A service and its database.
pub(crate) struct Shop {
    pub(crate) broker: MemoryBroker,
    pub(crate) db: Db,
    home: Home,
    running: Option<Running>,
}

impl Shop {
    pub(crate) async fn new(home: Home) -> Self {
        let db = home.open_with(Options::new().prefix("shop_")).await;
        let mut tx = db.begin().await.unwrap();
        let table = sqlx::query("CREATE TABLE counted (item TEXT NOT NULL)");
        table.execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let broker = MemoryBroker::new(Arc::new(SystemClock));
        let service = Service::new("shop")
            .on(count)
            .sagas(Sagas::new().with::<Packing>());
        let transport = Arc::new(broker.transport());
        let running = service.start(Arc::new(db.clone()), transport).await;
        Self {
            broker,
            db,
            home,
            running: Some(running.unwrap()),
        }
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await.unwrap();
    }

    pub(crate) async fn publish<M: Message>(&self, message: &M, correlation_id: &str) {
        let context = Context::new("test").with_correlation_id(correlation_id);
        let envelope = Envelope::of(message, &context).unwrap();
        let to = Destination::Topic(M::TOPIC.to_owned());
        let message = Outgoing::json(to, envelope.message_id.clone(), envelope.encode())
            .with_key(message.key().0);
        let sent = self.broker.transport().publish(&[message]).await;
        sent.into_iter().for_each(|sent| sent.unwrap());
    }

    pub(crate) async fn counted(&self) -> i64 {
        let mut reader = self.db.reader().await.unwrap();
        let find = sqlx::query_scalar("SELECT COUNT(*) FROM counted");
        find.fetch_one(&mut *reader).await.unwrap()
    }

    /// Runs the program on the service's database.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let mut all = arguments.to_vec();
        all.extend(["--database", self.home.url(), "--prefix", "shop_"]);
        run(&all)
    }

    /// What the program prints as JSON, line by line.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = arguments.to_vec();
        all.push("--json");
        let done = self.run(&all);
        assert_eq!(done.code, 0, "{}", done.err);
        let lines = done.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(arguments: &[&str]) -> Done {
    let mut program = Command::new(env!("CARGO_BIN_EXE_stele-toolkit"));
    program.args(arguments);
    program.env_remove("STELE_TOOLKIT_DATABASE");
    let Output {
        status,
        stdout,
        stderr,
    } = program.output().unwrap();
    Done {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// Returns once the condition holds.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(60), wait).await;
    came.expect("it comes true within 60 s");
}
