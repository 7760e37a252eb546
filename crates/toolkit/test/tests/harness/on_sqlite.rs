//! Services on SQLite, in virtual time.

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{Attempt, Clock, Event, Failure, Jitter, Outbox, Policy, Service};
use stele_toolkit_sql::{Db, Migration, Tx, sqlx};
use stele_toolkit_test::{Fault, Harness};

use crate::{
    CRASHES,
    messages::{InventoryReserved, OrderCreated},
};

const HOUR: Duration = Duration::from_secs(3600);

async fn reserve(
    Event(order): Event<OrderCreated>,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    let insert = sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind(&order.order);
    insert.execute(&mut *tx).await?;
    out.publish(&InventoryReserved::of(&order.order));
    Ok(())
}

fn policy() -> Policy {
    Policy::attempts(3)
        .backoff(HOUR..10 * HOUR, Jitter::None)
        .timeout(Duration::from_secs(20))
}

fn inventory() -> Service {
    Service::new("inventory").on(reserve).policy(policy())
}

async fn shop(harness: &Harness) -> Db {
    const ORDERS: &[Migration] = &[Migration::portable(
        1,
        "CREATE TABLE orders (id TEXT NOT NULL)",
    )];
    let db = harness.sqlite().await;
    db.migrate("shop", ORDERS).await.expect("migrated");
    db
}

async fn orders(db: &Db) -> i64 {
    let mut reader = db.reader().await.expect("a connection");
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM orders");
    count.fetch_one(&mut *reader).await.expect("a count")
}

#[tokio::test]
async fn a_handler_with_a_transaction_has_its_effect_once() {
    for fault in [Fault::Double, Fault::LoseAck, Fault::LoseConfirm] {
        let harness = Harness::new();
        let db = shop(&harness).await;
        harness.start_on(&db, inventory).await;
        let start = harness.now();
        harness.fault(fault, 1);
        for number in 0..20 {
            let order = OrderCreated::of(&format!("o-{number}"));
            harness.publish(&order).await;
        }
        harness.run_to_idle().await;
        assert_eq!(orders(&db).await, 20, "{fault:?}");
        assert_eq!(harness.published::<InventoryReserved>().len(), 20);
        // No time-out has passed while the database worked.
        assert!(
            harness.now().since(start) < Duration::from_secs(1),
            "{fault:?}"
        );
        harness.then_dead("inventory", []);
    }
}

#[tokio::test]
async fn a_crash_at_each_point_leaves_one_effect() {
    for (point, copies) in CRASHES {
        let harness = Harness::new();
        let db = shop(&harness).await;
        harness.start_on(&db, inventory).await;
        harness.publish(&OrderCreated::of("o-1")).await;
        harness.crash(point);
        harness.run_to_idle().await;
        assert_eq!(harness.crashes(), 1, "{point:?}");
        assert_eq!(orders(&db).await, 1, "{point:?}");
        let sent = harness.published::<InventoryReserved>();
        assert_eq!(sent.len(), copies, "{point:?}");
    }
}

#[tokio::test]
async fn a_handler_that_waits_for_a_time_lets_it_pass() {
    /// Two times longer than it may, and then for ever.
    async fn slow(
        event: Event<OrderCreated>,
        mut tx: Tx,
        out: Outbox,
        clock: Arc<dyn Clock>,
        Attempt(attempt): Attempt,
    ) -> Result<(), Failure> {
        sqlx::query("SELECT 1").execute(&mut *tx).await?;
        match attempt {
            1 => clock.sleep(HOUR).await,
            2 => std::future::pending().await,
            _ => clock.sleep(Duration::from_secs(19)).await,
        }
        reserve(event, tx, out).await
    }
    let harness = Harness::new();
    let db = shop(&harness).await;
    harness
        .start_on(&db, || Service::new("inventory").on(slow).policy(policy()))
        .await;
    let start = harness.now();
    let id = harness.publish(&OrderCreated::of("o-1")).await;
    harness.run_to_idle().await;
    assert_eq!(harness.attempts("inventory", &id), 3);
    assert_eq!(orders(&db).await, 1);
    let took = harness.now().since(start);
    let least = 3 * HOUR + Duration::from_secs(20 + 20 + 19);
    assert!(
        took >= least && took < least + Duration::from_secs(1),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_database_that_is_away_costs_time_alone() {
    let harness = Harness::new();
    let db = shop(&harness).await;
    harness.start_on(&db, inventory).await;
    harness.database_away(true);
    harness.publish(&OrderCreated::of("o-1")).await;
    harness.run_for(HOUR).await;
    assert_eq!(orders(&db).await, 0);
    harness.database_away(false);
    harness.run_to_idle().await;
    assert_eq!(orders(&db).await, 1);
    harness.then_published([InventoryReserved::of("o-1")]);
}
