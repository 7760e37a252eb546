//! Looking orders up.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_es::{Position, Projection as _, projection::Generation};
use stele_toolkit_sql::Db;

use super::Moment;
use crate::{
    messages::Item,
    money::Cents,
    order::{
        aggregate::Status,
        orders::Orders,
        projection::OrderProjection,
        queries::{self, DayReport, OrderSummary, Search},
    },
    problem::Problem,
};

/// How long a search waits for a position.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// How often to look whether it is there.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// An order, as it is or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The order.
    pub order_id: String,
    /// Who ordered.
    pub customer_id: String,
    /// The customer's name.
    pub customer_name: String,
    /// What was ordered.
    pub items: Vec<Item>,
    /// The total, in cents.
    pub total: Cents,
    /// How far it is.
    pub status: Status,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// The number of its parcel.
    pub tracking: Option<String>,
    /// How many events it has.
    pub version: u64,
    /// When the last of them was recorded.
    pub changed_at: Option<Timestamp>,
}

/// `GET /orders/{id}`.
pub(super) async fn show(
    State(orders): State<Orders>,
    Path(id): Path<String>,
    Query(moment): Query<Moment>,
) -> Result<Json<View>, Problem> {
    let loaded = orders.orders.load_until(&id, moment.until()?).await?;
    let order = loaded.state;
    let created = order.created.ok_or_else(|| Problem::not_found(&id))?;
    Ok(Json(View {
        order_id: created.order_id,
        customer_id: created.customer_id,
        customer_name: created.customer_name,
        items: created.items,
        total: created.total,
        status: order.status,
        reason: order.reason,
        tracking: order.tracking,
        version: loaded.version,
        changed_at: loaded.time,
    }))
}

/// A position that an answer must have seen.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct After {
    after: Option<Position>,
}

/// `GET /orders`.
pub(super) async fn search(
    State(orders): State<Orders>,
    Query(search): Query<Search>,
    Query(After { after }): Query<After>,
) -> Result<Json<Vec<OrderSummary>>, Problem> {
    if let Some(position) = after {
        let waiting = seen(orders.db(), &position);
        let seen = tokio::time::timeout(WAIT_MAX, waiting).await;
        seen.map_err(|_| Problem::unavailable(format!("{position} isn't seen yet")))??;
    }
    Ok(Json(queries::search(orders.db(), search).await?))
}

/// Waits until the read model has seen a position.
async fn seen(db: &Db, position: &Position) -> Result<(), Problem> {
    loop {
        let live = Generation::live(db, OrderProjection::NAME).await;
        let live = live.map_err(Problem::unavailable)?;
        if live.is_some_and(|live| live.position.covers(position)) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// `GET /reports/daily`.
pub(super) async fn by_day(State(orders): State<Orders>) -> Result<Json<Vec<DayReport>>, Problem> {
    Ok(Json(queries::by_day(orders.db()).await?))
}
