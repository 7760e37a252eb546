//! A saga in a service, with the services that do its steps, on SQLite in virtual time.

use std::time::Duration;

use stele_toolkit_bus::{Event, Failure, Outbox, Service};
use stele_toolkit_saga::{Entry, Filter, Instances, Operator, Sagas, Status, WithSagas as _};
use stele_toolkit_sql::{Db, Migration, Tx, sqlx};
use stele_toolkit_test::{Crash, Fault, Harness};

use crate::{
    messages::{
        CancelOrder, ChargePayment, InventoryReserved, OrderConfirmed, OrderCreated, PaymentFailed,
        PaymentProcessed, RefundPayment, ReleaseInventory, ReserveInventory,
    },
    sagas::PlaceOrder,
};

/// After which the outcome of a payment is unknown.
const PATIENCE: Duration = Duration::from_secs(30);

async fn note(tx: &mut Tx, what: &str) -> Result<(), Failure> {
    let insert = sqlx::query("INSERT INTO effects (what) VALUES ($1)").bind(what.to_owned());
    insert.execute(&mut **tx).await?;
    Ok(())
}

async fn reserve(
    Event(command): Event<ReserveInventory>,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    note(&mut tx, "reserved").await?;
    out.publish(&InventoryReserved::of(&command.order));
    Ok(())
}

async fn release(_: Event<ReleaseInventory>, mut tx: Tx) -> Result<(), Failure> {
    note(&mut tx, "released").await
}

/// Pays, unless the order says otherwise.
async fn charge(
    Event(command): Event<ChargePayment>,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    match command.order.as_str() {
        "declined" => out.publish(&PaymentFailed::of(&command.order)),
        "silent" => note(&mut tx, "charged").await?,
        order => {
            note(&mut tx, "charged").await?;
            out.publish(&PaymentProcessed::of(order));
        }
    }
    Ok(())
}

async fn refund(_: Event<RefundPayment>, mut tx: Tx) -> Result<(), Failure> {
    note(&mut tx, "refunded").await
}

struct Shop {
    harness: Harness,
    orders: Db,
    inventory: Db,
    payment: Db,
}

impl Shop {
    async fn open() -> Self {
        const EFFECTS: &[Migration] = &[Migration::portable(
            1,
            "CREATE TABLE effects (what TEXT NOT NULL)",
        )];
        let harness = Harness::new();
        let (orders, inventory) = (harness.sqlite().await, harness.sqlite().await);
        let payment = harness.sqlite().await;
        for db in [&inventory, &payment] {
            db.migrate("shop", EFFECTS).await.expect("migrated");
        }
        let service = || Service::new("orders").sagas(Sagas::new().with::<PlaceOrder>());
        harness.start_on(&orders, service).await;
        let service = || {
            let inventory = Service::new("inventory").on_queue("inventory.commands", reserve);
            inventory.on_queue("inventory.commands", release)
        };
        harness.start_on(&inventory, service).await;
        let service = || {
            let payment = Service::new("payment").on_queue("payment.commands", charge);
            payment.on_queue("payment.commands", refund)
        };
        harness.start_on(&payment, service).await;
        Self {
            harness,
            orders,
            inventory,
            payment,
        }
    }

    /// Places an order, lets time pass until nothing is left to do, and returns how much did.
    async fn place(&self, order: &str) -> Duration {
        let start = self.harness.now();
        self.harness.publish(&OrderCreated::of(order)).await;
        self.harness.run_to_idle().await;
        self.harness.now().since(start)
    }

    /// What inventory and payment did, in order.
    async fn effects(&self) -> Vec<String> {
        let mut all = Vec::new();
        for db in [&self.inventory, &self.payment] {
            let mut reader = db.reader().await.expect("a connection");
            let find = sqlx::query_scalar("SELECT what FROM effects ORDER BY rowid");
            let found = find.fetch_all(&mut *reader).await.expect("the effects");
            all.extend::<Vec<String>>(found);
        }
        all
    }

    async fn statuses(&self) -> Vec<Status> {
        let instances = Instances::of(&self.orders);
        let all = instances.list(&Filter::default(), 100).await;
        let all = all.expect("the instances").into_iter();
        all.map(|listed| listed.status).collect()
    }
}

#[tokio::test]
async fn an_order_that_is_paid_is_confirmed_at_once() {
    let shop = Shop::open().await;
    let took = shop.place("o-1").await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    shop.harness.then_published([OrderConfirmed::of("o-1")]);
    assert_eq!(shop.effects().await, ["reserved", "charged"]);
    assert_eq!(shop.statuses().await, [Status::Done]);
}

#[tokio::test]
async fn an_order_whose_payment_fails_is_released_and_cancelled() {
    let shop = Shop::open().await;
    shop.place("declined").await;
    shop.harness.then_published([CancelOrder::of("declined")]);
    assert_eq!(shop.effects().await, ["reserved", "released"]);
    assert_eq!(shop.statuses().await, [Status::Undone]);
}

#[tokio::test]
async fn the_deadline_of_a_saga_comes_and_no_more_time_passes() {
    let shop = Shop::open().await;
    let took = shop.place("silent").await;
    let most = PATIENCE + Duration::from_secs(1);
    assert!((PATIENCE..most).contains(&took), "{took:?}");
    shop.harness.then_published([CancelOrder::of("silent")]);
    let effects = ["reserved", "released", "charged", "refunded"];
    assert_eq!(shop.effects().await, effects);
}

#[tokio::test]
async fn a_crash_of_the_one_who_tells_deadlines_changes_nothing() {
    for point in [Crash::BeforeCommit, Crash::AfterCommit] {
        let shop = Shop::open().await;
        shop.harness.publish(&OrderCreated::of("silent")).await;
        shop.harness.run_for(Duration::from_secs(1)).await;
        assert_eq!(shop.effects().await, ["reserved", "charged"]);
        // Nothing is handled any more until the deadline.
        shop.harness.crash(point);
        shop.harness.run_to_idle().await;
        assert_eq!(shop.harness.crashes(), 1, "{point:?}");
        shop.harness.then_published([CancelOrder::of("silent")]);
        let effects = ["reserved", "released", "charged", "refunded"];
        assert_eq!(shop.effects().await, effects, "{point:?}");
    }
}

#[tokio::test]
async fn deadlines_wait_for_a_database_that_is_away() {
    let shop = Shop::open().await;
    shop.harness.publish(&OrderCreated::of("silent")).await;
    shop.harness.run_for(Duration::from_secs(1)).await;
    shop.harness.database_away(true);
    shop.harness.run_for(10 * PATIENCE).await;
    assert_eq!(shop.statuses().await, [Status::Running]);
    shop.harness.database_away(false);
    shop.harness.run_to_idle().await;
    assert_eq!(shop.statuses().await, [Status::Undone]);
    let effects = ["reserved", "released", "charged", "refunded"];
    assert_eq!(shop.effects().await, effects);
}

#[tokio::test]
async fn an_ended_saga_is_deleted_after_its_time() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let shop = Shop::open().await;
    shop.place("o-1").await;
    shop.harness.run_for(29 * DAY).await;
    assert_eq!(shop.statuses().await, [Status::Done]);
    shop.harness.run_for(2 * DAY).await;
    assert_eq!(shop.statuses().await, []);
}

#[tokio::test]
async fn faults_of_the_broker_change_nothing() {
    for fault in [Fault::Double, Fault::LoseAck, Fault::LoseConfirm] {
        let shop = Shop::open().await;
        shop.harness.fault(fault, 5);
        shop.place("o-1").await;
        assert_eq!(shop.effects().await, ["reserved", "charged"], "{fault:?}");
        assert_eq!(shop.statuses().await, [Status::Done], "{fault:?}");
    }
}

#[tokio::test]
async fn what_an_operator_asks_is_done() {
    let shop = Shop::open().await;
    shop.harness.publish(&OrderCreated::of("silent")).await;
    shop.harness.run_for(Duration::from_secs(1)).await;
    let instances = Instances::of(&shop.orders);
    let all = instances.list(&Filter::default(), 1).await;
    let id = all.expect("the instances").remove(0).id;
    let asked = instances.ask("place-order", &id, Operator::Compensate);
    asked.await.expect("asked");
    shop.harness.run_to_idle().await;
    let history = instances.show("place-order", &id).await.expect("a history");
    let is_operator = |entry: &Entry| matches!(entry, Entry::Operator { .. });
    assert!(history.entries.iter().any(|(_, entry)| is_operator(entry)));
    assert_eq!(shop.statuses().await, [Status::Undone]);
    let effects = ["reserved", "released", "charged", "refunded"];
    assert_eq!(shop.effects().await, effects);
}
