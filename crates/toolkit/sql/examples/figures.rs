//! The figures of docs/toolkit/sql.md: what a unit of work costs over its statements by hand, how
//! fast the relay is, and how soon it hands over.
//!
//! ```text
//! cargo run --release -p stele-toolkit-sql --example figures -- sqlite:/var/tmp/figures.db
//! cargo run --release -p stele-toolkit-sql --example figures -- postgres:///figures
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that measures and prints"
)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Begun, Caps, Claim, Clock, Deliveries, Depth, Destination, Extensions, FanOut, KeyOrder,
    Ordering, Outgoing, Release, Store, Subscription, SystemClock, Topology, Transport,
    TransportError,
};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{
    Db, Dialect, Relay, Tx,
    sqlx::{self, Connection, Executor},
};

const UNITS: usize = 3000;
const ROWS: usize = 50_000;
const HANDED_OVER: usize = 1000;

#[tokio::main]
async fn main() {
    let url = std::env::args()
        .nth(1)
        .expect("the address of a database to fill");
    let db = Db::open(&url).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("DROP TABLE IF EXISTS stock").await.unwrap();
    tx.execute("CREATE TABLE stock (sku TEXT PRIMARY KEY, free BIGINT)")
        .await
        .unwrap();
    tx.execute("INSERT INTO stock (sku, free) VALUES ('cup', 0)")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    units(&db, &url).await;
    relay(&db).await;
    hand_over(&db).await;
}

/// Units of work and the same statements by hand, by turns, since disks have moods.
async fn units(db: &Db, url: &str) {
    let mut by_hand = match db.dialect() {
        Dialect::Sqlite => Some(ByHand::new(&format!("{url}.by-hand")).await),
        Dialect::Postgres => None,
    };
    let (mut units, mut hands) = (Vec::new(), Vec::new());
    for number in 0..UNITS {
        // Whoever comes second finds another disk than the first.
        let order = if number % 2 == 0 {
            [true, false]
        } else {
            [false, true]
        };
        for is_unit in order {
            let begin = SystemClock.now();
            let id = format!("{}-{number}", begin.as_micros());
            match (is_unit, &mut by_hand) {
                (true, _) => unit(db, &id).await,
                (false, Some(by_hand)) => by_hand.unit(&id).await,
                (false, None) => continue,
            }
            let took = SystemClock.now().since(begin);
            if is_unit {
                units.push(took)
            } else {
                hands.push(took)
            }
        }
    }
    let (unit, hand) = (percentile(&mut units, 50), percentile(&mut hands, 50));
    println!("inbox + row + outbox in one transaction: p50 {unit:?}");
    if by_hand.is_some() {
        let ratio = unit.as_secs_f64() / hand.as_secs_f64();
        println!("the same statements by hand: p50 {hand:?}; ratio {ratio:.2}");
    }
    let mut tx = db.begin().await.unwrap();
    sqlx::query(db.sql("DELETE FROM {p}outbox"))
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn event(id: &str) -> Outgoing {
    let to = Destination::Topic("stock".to_owned());
    let body = format!(
        "{{\"messageId\":\"{id}\",\"sku\":\"cup\",\"padding\":\"{:0>200}\"}}",
        0
    );
    Outgoing::json(to, id, body).with_key(&id[id.len() - 2..])
}

async fn unit(db: &Db, id: &str) {
    let now = SystemClock.now();
    let claim = Claim {
        service: "stock",
        handler: "stock.take",
        message_id: id,
        timestamp: now,
        key: id,
        order: KeyOrder::Relaxed,
        is_parked: false,
        now,
    };
    let Begun::Work(mut work) = Store::begin(db, &claim).await.unwrap() else {
        panic!("each id is new");
    };
    let mut lent = Extensions::new();
    work.lend(&mut lent);
    let mut tx = Tx::take(&lent).unwrap();
    let update = sqlx::query("UPDATE stock SET free = free + 1 WHERE sku = $1").bind("cup");
    update.execute(&mut *tx).await.unwrap();
    drop(tx);
    work.take_back(&mut lent).unwrap();
    work.send(vec![event(id)]).await.unwrap();
    work.commit().await.unwrap();
}

/// The same tables in a file of their own, and the same statements through sqlx's own driver.
struct ByHand(sqlx::SqliteConnection);

impl ByHand {
    async fn new(url: &str) -> Self {
        drop(Db::open(url).await.unwrap());
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        let set_up = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            DROP TABLE IF EXISTS stock; DROP TABLE IF EXISTS inbox;
            CREATE TABLE stock (sku TEXT PRIMARY KEY, free BIGINT);
            INSERT INTO stock (sku, free) VALUES ('cup', 0);
            CREATE TABLE inbox (handler TEXT NOT NULL, message_id TEXT NOT NULL,
                PRIMARY KEY (handler, message_id)) WITHOUT ROWID;";
        connection.execute(sqlx::raw_sql(set_up)).await.unwrap();
        Self(connection)
    }

    async fn unit(&mut self, id: &str) {
        let mut tx = self.0.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query(
            "INSERT INTO inbox (handler, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind("stock.take")
        .bind(id)
        .execute(&mut *tx)
        .await
        .unwrap();
        let update = sqlx::query("UPDATE stock SET free = free + 1 WHERE sku = $1").bind("cup");
        update.execute(&mut *tx).await.unwrap();
        let event = event(id);
        let outbox = "INSERT INTO stele_outbox (lane, kind, destination, key, message_id,
            content_type, headers, body, created_at, due_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        sqlx::query(outbox)
            .bind(3_i64)
            .bind("topic")
            .bind(event.to.name())
            .bind(&event.key)
            .bind(&event.message_id)
            .bind(&event.content_type)
            .bind("[]")
            .bind(event.body.to_vec())
            .bind(0_i64)
            .bind(0_i64)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

/// How fast the relay sends and deletes what has piled up.
async fn relay(db: &Db) {
    let events: Vec<Outgoing> = (0..ROWS).map(|n| event(&format!("piled-{n:06}"))).collect();
    let mut tx = db.begin().await.unwrap();
    tx.send(&events).await.unwrap();
    tx.commit().await.unwrap();
    let begin = SystemClock.now();
    let relay = tokio::spawn(Relay::new(db.clone(), Arc::new(Sink::default())).run());
    while db.outbox_status().await.unwrap().waiting > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = SystemClock.now().since(begin);
    relay.abort();
    println!("relay: {:.0} rows/s", ROWS as f64 / took.as_secs_f64());
}

/// From the end of the commit to the transport, with a unit of work every 5 ms.
async fn hand_over(db: &Db) {
    let sink = Sink::default();
    let relay = tokio::spawn(Relay::new(db.clone(), Arc::new(sink.clone())).run());
    let mut committed = HashMap::new();
    for number in 0..HANDED_OVER {
        let id = format!("{}-{number}", SystemClock.now().as_micros());
        unit(db, &id).await;
        committed.insert(id, SystemClock.now());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while sink.0.lock().unwrap().len() < HANDED_OVER {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    relay.abort();
    let came = sink.0.lock().unwrap();
    let mut delays: Vec<Duration> = committed
        .iter()
        .map(|(id, at)| came[id.as_str()].since(*at))
        .collect();
    let (p50, p99) = (percentile(&mut delays, 50), percentile(&mut delays, 99));
    println!("from commit to transport: p50 {p50:?}, p99 {p99:?}");
}

fn percentile(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort();
    let at = durations.len() * percent / 100;
    durations.get(at).copied().unwrap_or_default()
}

/// Notes when each message came.
#[derive(Clone, Debug, Default)]
struct Sink(Arc<Mutex<HashMap<String, Timestamp>>>);

#[async_trait]
impl Transport for Sink {
    fn name(&self) -> &'static str {
        "sink"
    }

    fn caps(&self) -> Caps {
        Caps {
            ordering: Ordering::ByKey,
            fan_out: FanOut::Broker,
            replay: false,
            delay_max: Duration::ZERO,
            counts_deliveries: false,
            release: Release::Message,
            release_max: Duration::ZERO,
            deduplicates_for: Duration::ZERO,
            batch_max: usize::MAX,
            body_bytes_max: usize::MAX,
            single_active: false,
        }
    }

    async fn declare(&self, _topology: &Topology) -> Result<(), TransportError> {
        Ok(())
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let (now, mut came) = (SystemClock.now(), self.0.lock().unwrap());
        for message in batch {
            came.entry(message.message_id.clone()).or_insert(now);
        }
        batch.iter().map(|_| Ok(())).collect()
    }

    async fn subscribe(
        &self,
        _subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        Err(TransportError::Closed)
    }

    async fn depth(&self, _subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        Ok(Vec::new())
    }
}
