//! How fast events are folded, and a projection is filled.
//!
//! ```sh
//! cargo run --release -p stele-toolkit-es --example figures
//! ```

#![expect(clippy::print_stdout, reason = "this program shows figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "this program measures the system's time"
)]

use std::{error::Error, hint::black_box, sync::Arc, time::Instant};

use stele_toolkit_envelope::{Context, Envelope};
use stele_toolkit_es::{
    Aggregate, AggregateEvent, EventStore, Expected, MemoryStore, Projection, Repository, Runner,
    SqlStore, StreamId, projection::Generation,
};
use stele_toolkit_sql::Db;

#[path = "../bank/account.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod account;
#[path = "../orders/order.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod order;
#[path = "../orders/projection.rs"]
mod projection;

use account::{AccountEvent, BankAccount, Cents, Deposited};
use order::{OrderCreated, OrderEvent};
use projection::OrderProjection;

const EVENTS: usize = 100_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    fold()?;
    load().await?;
    fill().await?;
    Ok(())
}

fn rate(what: &str, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    let per_second = EVENTS as f64 / seconds;
    println!("{what:<48} {per_second:>12.0} events/s");
}

fn deposits() -> Result<Vec<Envelope>, Box<dyn Error>> {
    let context = Context::new("figures");
    let deposit = |cents| {
        let (account_id, amount) = ("12345".to_owned(), Cents(cents));
        AccountEvent::from(Deposited { account_id, amount }).wrap(&context)
    };
    Ok((0..EVENTS as i64).map(deposit).collect::<Result<_, _>>()?)
}

/// Of events in memory: as JSON in their envelopes, and as values.
fn fold() -> Result<(), Box<dyn Error>> {
    let envelopes = deposits()?;
    let start = Instant::now();
    let mut account = BankAccount::default();
    for envelope in &envelopes {
        account.evolve(&AccountEvent::open(envelope)?);
    }
    black_box(account.balance());
    rate("fold, data read from JSON", start);
    let events: Vec<AccountEvent> = envelopes
        .iter()
        .map(AccountEvent::open)
        .collect::<Result<_, _>>()?;
    let start = Instant::now();
    let mut account = BankAccount::default();
    for event in &events {
        account.evolve(black_box(event));
    }
    black_box(account.balance());
    rate("fold, owned events", start);
    Ok(())
}

/// Of one stream, through a repository.
async fn load() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(MemoryStore::new());
    let stream = StreamId::new(BankAccount::NAME, "12345")?;
    for events in deposits()?.chunks(1_000) {
        store.append(&stream, Expected::Any, events).await?;
    }
    let accounts = Repository::<BankAccount, _>::new(store);
    let start = Instant::now();
    black_box(accounts.load("12345").await?);
    rate("load from memory", start);
    Ok(())
}

/// `order_summaries` on SQLite, in a file, with every commit synced.
async fn fill() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("figures.db");
    let db = Db::open(&format!("sqlite:{}", path.display())).await?;
    let store = Arc::new(SqlStore::open(db.clone()).await?);
    let context = Context::new("figures");
    let start = Instant::now();
    for first in (0..EVENTS).step_by(500) {
        let created = |number| {
            let created = OrderCreated {
                order_id: format!("order-{number}"),
                customer_name: "Ada".to_owned(),
                total_cents: 9_999,
            };
            OrderEvent::from(created).wrap(&context)
        };
        let events: Vec<Envelope> = (first..first + 500)
            .map(created)
            .collect::<Result<_, _>>()?;
        let stream = StreamId::new("Order", &format!("batch-{first}"))?;
        store.append(&stream, Expected::NoStream, &events).await?;
    }
    rate("append to SQLite, 500 a transaction", start);
    let mut runner = Runner::open(db.clone(), store.clone(), OrderProjection).await?;
    filled(
        &db,
        &mut runner,
        "fill order_summaries, several rows a statement",
    )
    .await?;
    let mut runner = Runner::open(db.clone(), store, OneByOne).await?;
    filled(&db, &mut runner, "fill it, a statement for each event").await
}

async fn filled<P: Projection>(
    db: &Db,
    runner: &mut Runner<P>,
    what: &str,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let is_filled = |live: Option<Generation>| live.is_some_and(|it| it.code_version == P::VERSION);
    while !is_filled(Generation::live(db, P::NAME).await?) {
        runner.step().await?;
    }
    rate(what, start);
    Ok(())
}

/// The next version of the projection, without `apply_all`.
struct OneByOne;

#[async_trait::async_trait]
impl Projection for OneByOne {
    const NAME: &'static str = OrderProjection::NAME;
    const VERSION: u32 = OrderProjection::VERSION + 1;
    const TABLES: &'static [&'static str] = OrderProjection::TABLES;
    const SCHEMA: &'static str = OrderProjection::SCHEMA;

    fn types() -> stele_toolkit_es::Types {
        OrderProjection::types()
    }

    async fn apply(
        &self,
        event: &stele_toolkit_es::Recorded,
        rows: &mut stele_toolkit_es::Rows<'_>,
    ) -> Result<(), stele_toolkit_es::projection::ApplyError> {
        OrderProjection.apply(event, rows).await
    }
}
