//! A message that is processed twice.
//!
//! A service charges a customer's card for orders: 250 for the first, 100 for the second. The
//! message of the first order comes twice, for three different reasons.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stele_toolkit::{
    Db, Event, Failure as Failed, Message, NoStore, Running, Service, State, Store, Transport, Tx,
    async_trait,
    sql::{Failpoint, Options, Point},
    sqlx,
};
use tokio::sync::watch;

use crate::{
    Failure,
    world::{Cure, Pitfall, Queues, World, event, execute, look_again, number, send},
};

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "order.created", key = customer)]
struct OrderCreated {
    order_id: String,
    customer: String,
    total: i64,
}

pub(crate) async fn show() -> Result<Vec<Pitfall>, Failure> {
    Ok(vec![
        Pitfall {
            title: "Kafka: a crash before the acknowledgement; message ids in the same transaction",
            failure: crash(Cure::Without).await?,
            cure: crash(Cure::With).await?,
        },
        Pitfall {
            title: "AMQP: an order that is sent twice, with two ids; an idempotent consumer",
            failure: sent_twice(Cure::Without).await?,
            cure: sent_twice(Cure::With).await?,
        },
        Pitfall {
            title: "SQS: a send that is repeated after a lost answer; a FIFO queue",
            failure: sent_again(Cure::Without).await?,
            cure: sent_again(Cure::With).await?,
        },
    ])
}

/// Charges in a transaction of its own. What the broker is told comes later.
async fn charge_at_once(
    Event(order): Event<OrderCreated>,
    State(db): State<Db>,
    State(crash): State<Crash>,
) -> Result<(), Failed> {
    let mut tx = db.begin().await?;
    insert(&mut tx, &order).await?;
    tx.commit().await?;
    crash.reach(Point::AfterCommit).await;
    Ok(())
}

/// Charges in the transaction in which the service notes the message's id.
async fn charge(Event(order): Event<OrderCreated>, mut tx: Tx) -> Result<(), Failed> {
    Ok(insert(&mut tx, &order).await?)
}

/// Charges each order once: its number decides, whatever message it comes in.
async fn charge_each_order_once(
    Event(order): Event<OrderCreated>,
    mut tx: Tx,
) -> Result<(), Failed> {
    let known = "SELECT COUNT(*) FROM payments WHERE order_id = $1";
    let known = sqlx::query_scalar::<_, i64>(known).bind(&order.order_id);
    if known.fetch_one(&mut *tx).await? == 0 {
        insert(&mut tx, &order).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, order: &OrderCreated) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO payments (order_id, amount) VALUES ($1, $2)")
        .bind(&order.order_id)
        .bind(order.total)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The first process ends after it has charged, and before it has told the broker so. The broker
/// gives the message to the next one.
async fn crash(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let transport = world.kafka(1)?;
    let crashes = Crash::armed();
    let options = Options::new().failpoint(Arc::new(crashes.clone()));
    let db = world.database(options).await?;
    create_payments(&db).await?;
    let process = start(cure, &db, &crashes, &transport).await?;
    send(&*transport, [event(&first())?]).await?;
    crashes.reached().await;
    drop((process, db));

    let db = world.database(Options::new()).await?;
    let _process = start(cure, &db, &Crash::disarmed(), &transport).await?;
    // Handled after the first order, since it is of the same customer.
    send(&*transport, [event(&second())?]).await?;
    outcome(&db).await
}

async fn start(
    cure: Cure,
    db: &Db,
    crash: &Crash,
    transport: &Arc<dyn Transport>,
) -> Result<Running, Failure> {
    let service = service().state(db.clone()).state(crash.clone());
    let (service, store): (Service, Arc<dyn Store>) = match cure {
        Cure::Without => (service.on(charge_at_once), Arc::new(NoStore)),
        Cure::With => (service.on(charge), Arc::new(db.clone())),
    };
    Ok(service.start(store, Arc::clone(transport)).await?)
}

/// The customer clicks twice: two messages with ids of their own, which no list of ids finds out.
async fn sent_twice(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let transport = world.amqp()?;
    let db = world.database(Options::new()).await?;
    create_payments(&db).await?;
    let service = match cure {
        Cure::Without => service().single_active().on(charge),
        Cure::With => service().single_active().on(charge_each_order_once),
    };
    let store = Arc::new(db.clone());
    let _process = service.start(store, Arc::clone(&transport)).await?;
    let messages = [event(&first())?, event(&first())?, event(&second())?];
    send(&*transport, messages).await?;
    outcome(&db).await
}

/// The broker's answer to the first send is lost, so the shop sends the same message again. A
/// standard queue has it twice then. A FIFO queue drops what it has had in the last five minutes.
async fn sent_again(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let db = world.database(Options::new()).await?;
    create_payments(&db).await?;
    let (queues, messages) = match cure {
        Cure::Without => (Queues::Standard, 3),
        Cure::With => (Queues::Fifo, 2),
    };
    let transport = world.sqs(queues)?;
    let service = service().concurrency(1).on(charge_at_once);
    let service = service.state(db.clone()).state(Crash::disarmed());
    let store = Arc::new(NoStore);
    let _process = service.start(store, Arc::clone(&transport)).await?;
    let created = event(&first())?;
    send(&*transport, [created.clone(), created, event(&second())?]).await?;
    // A standard queue delivers in any order, so the last message isn't the last one to come.
    while number(&db, "SELECT COUNT(*) FROM payments").await? < messages {
        look_again().await;
    }
    outcome(&db).await
}

fn service() -> Service {
    let service = Service::new("payment").ordered_by_key(1);
    service.count_attempts_in_memory()
}

fn first() -> OrderCreated {
    order("order-1", 250)
}

fn second() -> OrderCreated {
    order("order-2", 100)
}

fn order(order_id: &str, total: i64) -> OrderCreated {
    OrderCreated {
        order_id: order_id.to_owned(),
        customer: "customer-1".to_owned(),
        total,
    }
}

async fn create_payments(db: &Db) -> Result<(), Failure> {
    execute(db, "CREATE TABLE payments (order_id TEXT, amount BIGINT)").await
}

/// What the customer has paid once the second order is charged.
async fn outcome(db: &Db) -> Result<String, Failure> {
    let is_charged = "SELECT COUNT(*) FROM payments WHERE order_id = 'order-2'";
    while number(db, is_charged).await? == 0 {
        look_again().await;
    }
    let paid = number(db, "SELECT CAST(SUM(amount) AS BIGINT) FROM payments").await?;
    Ok(format!("orders of 250 and 100: the customer paid {paid}"))
}

/// Has a process stop for good at the point after its commit, where the program then drops it: to
/// the broker and to the database that is a crash.
#[derive(Clone, Debug)]
struct Crash {
    is_armed: bool,
    is_reached: Arc<watch::Sender<bool>>,
}

impl Crash {
    fn armed() -> Self {
        Self {
            is_armed: true,
            is_reached: Arc::new(watch::Sender::new(false)),
        }
    }

    fn disarmed() -> Self {
        Self {
            is_armed: false,
            ..Self::armed()
        }
    }

    async fn reached(&self) {
        // It can't be closed: this is its sender.
        let _ = self.is_reached.subscribe().wait_for(|it| *it).await;
    }
}

#[async_trait]
impl Failpoint for Crash {
    async fn reach(&self, point: Point) {
        if self.is_armed && point == Point::AfterCommit {
            self.is_reached.send_replace(true);
            std::future::pending::<()>().await;
        }
    }
}
