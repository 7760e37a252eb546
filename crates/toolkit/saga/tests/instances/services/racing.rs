//! Two processes with the same database decide the same instance at the same moment. On SQLite
//! transactions that write wait for each other, so this is about PostgreSQL.

use std::{sync::Arc, time::Duration};

use stele_toolkit_envelope::{Context, Envelope, SeededIds};
use stele_toolkit_saga::{Filter, Handled, Instances, Orchestrator, Status};
use stele_toolkit_sql::{Db, Options, sqlx};

use crate::{
    clock::Hands,
    home::Home,
    order::{InventoryReserved, OrderCreated, PaymentProcessed, PlaceOrder, sent, types},
};

/// A process: a pool of its own.
struct Process {
    db: Db,
    orchestrator: Orchestrator,
}

impl Process {
    async fn new(home: &Home, hands: &Hands, seed: u64) -> Self {
        use stele_toolkit_bus::Clock as _;
        let db = home
            .open_with(Options::new().clock(Arc::new(hands.clone())))
            .await;
        let ids = Arc::new(SeededIds::new(seed, hands.now()));
        let context = Context::new("orders").with_ids(ids);
        let orchestrator = Orchestrator::new(context).with::<PlaceOrder>();
        orchestrator.migrate(&db).await.unwrap();
        Self { db, orchestrator }
    }

    async fn handle(&self, envelope: &Envelope) -> Handled {
        let mut tx = self.db.begin().await.unwrap();
        let handled = self.orchestrator.handle(&mut tx, envelope).await.unwrap();
        tx.commit().await.unwrap();
        handled
    }

    /// Whether one of the database's connections waits for a lock.
    async fn has_waiting(&self) -> bool {
        let count = "SELECT COUNT(*) FROM pg_stat_activity
            WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let mut reader = self.db.reader().await.unwrap();
        let count = sqlx::query_scalar::<_, i64>(count);
        count.fetch_one(&mut *reader).await.unwrap() > 0
    }
}

fn created(order: &str, seed: u64) -> Envelope {
    use stele_toolkit_bus::Clock as _;
    let ids = Arc::new(SeededIds::new(seed, Hands::noon().now()));
    let context = Context::new("shop").with_ids(ids);
    let order = OrderCreated {
        order: order.to_owned(),
    };
    Envelope::of(&order, &context.with_correlation_id("req-1")).unwrap()
}

fn reply<M: stele_toolkit_envelope::Message + Default>(to: &Envelope, seed: u64) -> Envelope {
    use stele_toolkit_bus::Clock as _;
    let ids = Arc::new(SeededIds::new(seed, Hands::noon().now()));
    let context = Context::new("part").with_ids(ids);
    to.caused(&M::default(), &context).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_starts_and_one_goes_on() {
    let (home, hands) = (Home::postgres().await, Hands::noon());
    let (one, two) = (
        Process::new(&home, &hands, 1).await,
        Process::new(&home, &hands, 2).await,
    );
    let (first, second) = (created("o-1", 11), created("o-1", 12));
    let (a, b) = tokio::join!(one.handle(&first), two.handle(&second));
    let mut commands = sent(&a);
    commands.extend(sent(&b));
    let [reserve] = &commands[..] else {
        panic!("{commands:?}");
    };
    let (first, second) = (
        reply::<InventoryReserved>(reserve, 21),
        reply::<InventoryReserved>(reserve, 22),
    );
    let (a, b) = tokio::join!(one.handle(&first), two.handle(&second));
    let mut all = types(&a);
    all.extend(types(&b));
    assert_eq!(all, ["ChargePayment"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_waits_while_another_process_tells_the_deadline() {
    let (home, hands) = (Home::postgres().await, Hands::noon());
    let one = Process::new(&home, &hands, 1).await;
    let two = Arc::new(Process::new(&home, &hands, 2).await);
    let started = one.handle(&created("o-1", 11)).await;
    let reserve = sent(&started).remove(0);
    let charging = one.handle(&reply::<InventoryReserved>(&reserve, 21)).await;
    let charge = sent(&charging).remove(0);
    hands.advance(Duration::from_secs(30));

    let mut tx = one.db.begin().await.unwrap();
    let due = one.orchestrator.due(&mut tx, 10).await.unwrap();
    let expected = ["RefundPayment", "ReleaseInventory", "OrderCancelled"];
    assert_eq!(types(&due), expected);
    // The other process passes over the instance, and its reply waits.
    let mut other = two.db.begin().await.unwrap();
    let passed = two.orchestrator.due(&mut other, 10).await.unwrap();
    assert_eq!(passed.instances, 0);
    other.commit().await.unwrap();
    let processed = reply::<PaymentProcessed>(&charge, 31);
    let replying = Arc::clone(&two);
    let replying = tokio::spawn(async move { replying.handle(&processed).await });
    let waiting = async {
        while !one.has_waiting().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waiting = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waiting.expect("the reply waits for the row");
    tx.commit().await.unwrap();
    // It finds the instance as the deadline left it.
    assert!(types(&replying.await.unwrap()).is_empty());
    let instances = Instances::of(&one.db);
    let all = instances.list(&Filter::default(), 2).await.unwrap();
    assert_eq!(all[0].status, Status::Undone);
}
