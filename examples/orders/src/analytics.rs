//! The analytics service: counts what is ordered and sold.
//!
//! It adds one for each event, and knows nothing of the orders that it has counted. So only the
//! inbox keeps an event that is delivered twice from being counted twice.

use axum::{Json, Router, extract::State as AppState, routing::get};
use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{Event, Failure, Policy, Service};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{
    Db, Migration, Tx,
    sqlx::{self, Row as _},
};

use crate::{
    messages::{OrderCancelled, OrderConfirmed, OrderCreated},
    money::Cents,
    problem::Problem,
    process::{Failed, Process, pass_over},
    settings::ServiceSettings,
    topology::ANALYTICS,
};

const MIGRATIONS: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE sales (
        day BIGINT PRIMARY KEY,
        placed BIGINT NOT NULL,
        sold BIGINT NOT NULL,
        revenue BIGINT NOT NULL
    )",
)];

const MILLIS_PER_DAY: i64 = 86_400_000;

/// What was ordered and sold on a day, by the time at which it was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sales {
    /// The beginning of the day (UTC).
    pub day: Timestamp,
    /// Orders that were placed.
    pub placed: i64,
    /// Orders that were confirmed.
    pub sold: i64,
    /// The sum of their totals, in cents.
    pub revenue: Cents,
}

/// Runs the service until the process is asked to end.
pub async fn serve(settings: ServiceSettings) -> Result<(), Failed> {
    let process = Process::open(&settings, ANALYTICS).await?;
    process.db.migrate("analytics", MIGRATIONS).await?;
    let router = Router::new()
        .route("/sales", get(show))
        .with_state(process.db.clone());
    let service = Service::new(ANALYTICS)
        .policy(Policy::attempts(5))
        .on(on_created)
        .on(on_confirmed)
        .on(pass_over::<OrderCancelled>);
    process.run(vec![service], router).await
}

async fn on_created(_: Event<OrderCreated>, mut tx: Tx) -> Result<(), Failure> {
    count(&mut tx, 1, 0, Cents(0)).await
}

async fn on_confirmed(Event(order): Event<OrderConfirmed>, mut tx: Tx) -> Result<(), Failure> {
    count(&mut tx, 0, 1, order.total).await
}

async fn count(tx: &mut Tx, placed: i64, sold: i64, revenue: Cents) -> Result<(), Failure> {
    let count = "INSERT INTO sales (day, placed, sold, revenue) VALUES ($1, $2, $3, $4)
        ON CONFLICT (day) DO UPDATE SET placed = sales.placed + excluded.placed,
            sold = sales.sold + excluded.sold, revenue = sales.revenue + excluded.revenue";
    let day = tx.now().as_millis().div_euclid(MILLIS_PER_DAY);
    sqlx::query(count)
        .bind(day)
        .bind(placed)
        .bind(sold)
        .bind(revenue.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn show(AppState(db): AppState<Db>) -> Result<Json<Vec<Sales>>, Problem> {
    let mut reader = db.reader().await?;
    let read = sqlx::query("SELECT day, placed, sold, revenue FROM sales ORDER BY day");
    let rows = read.fetch_all(&mut *reader).await?;
    let mut all = Vec::new();
    for row in &rows {
        let day: i64 = row.try_get(0)?;
        all.push(Sales {
            day: Timestamp::from_millis(day.saturating_mul(MILLIS_PER_DAY)),
            placed: row.try_get(1)?,
            sold: row.try_get(2)?,
            revenue: Cents(row.try_get(3)?),
        });
    }
    Ok(Json(all))
}
