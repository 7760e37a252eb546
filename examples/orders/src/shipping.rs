//! The shipping service: plans one shipment for each confirmed order.
//!
//! Choreographed, `OrderConfirmed` asks for it; orchestrated, the command `ScheduleShipping`. The
//! order's id is the row's key, so an order that is asked for twice has one shipment.
//!
//! A shipment needs a label, and the label printer may run out of paper (`PUT /printer`). Then
//! shipping fails until somebody puts some in: first it is tried again, then there are dead
//! letters.

mod printer;

use axum::{Json, Router, extract::State as AppState, routing::get};
use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{Event, Failure, Outbox, Policy, Service, State};
use stele_toolkit_sql::{
    Db, Migration, Tx,
    sqlx::{self, Row as _},
};

use crate::{
    messages::{OrderCancelled, OrderConfirmed, ScheduleShipping, ShippingScheduled},
    problem::Problem,
    process::{Failed, Process, pass_over},
    settings::{ServiceSettings, Style},
    topology::{SHIPPING, SHIPPING_COMMANDS},
};

pub use printer::Paper;

use printer::Printer;

const MIGRATIONS: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE shipments (
        order_id TEXT PRIMARY KEY,
        tracking TEXT NOT NULL
    )",
)];

/// A shipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipment {
    /// The order.
    pub order_id: String,
    /// The number by which the parcel is found.
    pub tracking: String,
}

/// Runs the service until the process is asked to end.
pub async fn serve(settings: ServiceSettings) -> Result<(), Failed> {
    let process = Process::open(&settings, SHIPPING).await?;
    process.db.migrate("shipping", MIGRATIONS).await?;
    let printer = Printer::default();
    let router = Router::new()
        .route("/shipments", get(show))
        .with_state(process.db.clone())
        .merge(printer::router(printer.clone()));
    let service = Service::new(SHIPPING)
        .policy(Policy::attempts(5))
        .state(printer);
    let service = match settings.style {
        Style::Choreographed => service.on(on_confirmed).on(pass_over::<OrderCancelled>),
        Style::Orchestrated => service.on_queue(SHIPPING_COMMANDS, on_schedule),
    };
    process.run(vec![service], router).await
}

async fn on_confirmed(
    Event(order): Event<OrderConfirmed>,
    mut tx: Tx,
    out: Outbox,
    State(printer): State<Printer>,
) -> Result<(), Failure> {
    printer.print()?;
    let (id, name, email) = (order.order_id, order.customer_name, order.email);
    schedule(&mut tx, &out, id, name, email).await
}

async fn on_schedule(
    Event(command): Event<ScheduleShipping>,
    mut tx: Tx,
    out: Outbox,
    State(printer): State<Printer>,
) -> Result<(), Failure> {
    printer.print()?;
    let (id, name, email) = (command.order_id, command.customer_name, command.email);
    schedule(&mut tx, &out, id, name, email).await
}

async fn schedule(
    tx: &mut Tx,
    out: &Outbox,
    order_id: String,
    customer_name: String,
    email: String,
) -> Result<(), Failure> {
    let insert = "INSERT INTO shipments (order_id, tracking) VALUES ($1, $2)
        ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id RETURNING tracking";
    let row = sqlx::query(insert)
        .bind(order_id.clone())
        .bind(format!("parcel-{}", uuid::Uuid::new_v4().simple()))
        .fetch_one(&mut **tx)
        .await?;
    out.publish(&ShippingScheduled {
        order_id,
        customer_name,
        email,
        tracking: row.try_get(0)?,
    });
    Ok(())
}

async fn show(AppState(db): AppState<Db>) -> Result<Json<Vec<Shipment>>, Problem> {
    let mut reader = db.reader().await?;
    let read = sqlx::query("SELECT order_id, tracking FROM shipments ORDER BY order_id");
    let rows = read.fetch_all(&mut *reader).await?;
    let mut all = Vec::new();
    for row in &rows {
        all.push(Shipment {
            order_id: row.try_get(0)?,
            tracking: row.try_get(1)?,
        });
    }
    Ok(Json(all))
}
