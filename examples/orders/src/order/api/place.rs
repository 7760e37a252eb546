//! Placing an order.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use stele_toolkit_es::Position;
use stele_toolkit_sql::{
    Error, Point, Tx,
    sqlx::{self, Row as _},
};

use super::context;
use crate::{
    messages::{Item, OrderCreated},
    money::Cents,
    order::{aggregate::Action, orders::Orders},
    problem::Problem,
};

/// The most items of an order.
const ITEMS_MAX: usize = 100;

/// The longest text of an order.
const TEXT_BYTES_MAX: usize = 200;

/// The body of `POST /orders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrder {
    /// Who orders.
    pub customer_id: String,
    /// The customer's name.
    pub customer_name: String,
    /// Where mails go.
    pub email: String,
    /// What is ordered: 1 to 100 items.
    pub items: Vec<Item>,
    /// The card to charge.
    pub card: String,
}

/// The answer to it: the order will be worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The order's id.
    pub order_id: String,
    /// For `GET /orders?after=`: an answer that has seen the order.
    pub position: Position,
}

impl NewOrder {
    /// The total in cents, if the order makes sense.
    fn total(&self) -> Result<Cents, Problem> {
        let texts = [
            ("customerId", &self.customer_id),
            ("customerName", &self.customer_name),
            ("email", &self.email),
            ("card", &self.card),
        ];
        for (name, text) in texts {
            if text.is_empty() || text.len() > TEXT_BYTES_MAX {
                let detail = format!("`{name}` has 1 to {TEXT_BYTES_MAX} bytes");
                return Err(Problem::invalid(detail));
            }
        }
        if self.email.parse::<lettre::Address>().is_err() {
            return Err(Problem::invalid("`email` isn't an address"));
        }
        if self.items.is_empty() || self.items.len() > ITEMS_MAX {
            let detail = format!("an order has 1 to {ITEMS_MAX} items");
            return Err(Problem::invalid(detail));
        }
        let mut total = Cents(0);
        for item in &self.items {
            if item.sku.is_empty() || item.quantity < 1 || item.price.0 < 1 {
                let detail = "an item has a `sku`, and a `quantity` and `price` of 1 or more";
                return Err(Problem::invalid(detail));
            }
            let price = item.price.times(item.quantity);
            let sum = price.and_then(|price| total.plus(price));
            total = sum.ok_or_else(|| Problem::invalid("the total is too large"))?;
        }
        Ok(total)
    }

    fn into_created(self, order_id: String, total: Cents) -> OrderCreated {
        OrderCreated {
            order_id,
            customer_id: self.customer_id,
            customer_name: self.customer_name,
            email: self.email,
            items: self.items,
            total,
            card: self.card,
        }
    }
}

/// `POST /orders`. The same `Idempotency-Key` with the same body is the same order.
pub(super) async fn place(
    State(orders): State<Orders>,
    headers: HeaderMap,
    order: Result<Json<NewOrder>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(order) = order?;
    let total = order.total()?;
    let key = match headers.get("idempotency-key") {
        None => None,
        Some(key) => Some(key.to_str().map_err(Problem::malformed)?.to_owned()),
    };
    let mut context = context(&headers);
    if context.user_id.is_none() {
        context.user_id = Some(order.customer_id.clone());
    }
    let request = serde_json::to_string(&order).map_err(Problem::fault)?;
    let mut tx = orders.db().begin().await?;
    let order_id = format!("order-{}", context.ids.message_id(context.ids.now()));
    if let Some(key) = &key
        && let Some(before) = known(&mut tx, key, &request, &order_id).await?
    {
        tx.rollback().await?;
        return Ok(accepted(before?));
    }
    let create = Action::Create(order.into_created(order_id.clone(), total));
    let position = orders
        .execute(&mut tx, &order_id, &create, &context)
        .await?;
    if let Some(key) = &key {
        remember(&mut tx, key, &position).await?;
    }
    orders.db().reach(Point::BeforeCommit).await;
    tx.commit().await?;
    orders.db().reach(Point::AfterCommit).await;
    Ok(accepted(Accepted { order_id, position }))
}

fn accepted(accepted: Accepted) -> Response {
    let location = format!("/orders/{}", accepted.order_id);
    let head = [(LOCATION, location)];
    (StatusCode::ACCEPTED, head, Json(accepted)).into_response()
}

/// What the key was used for before, if it was. Of two requests at the same time one waits here
/// until the other is committed or undone.
async fn known(
    tx: &mut Tx,
    key: &str,
    request: &str,
    order_id: &str,
) -> Result<Option<Result<Accepted, Problem>>, Problem> {
    let claim = "INSERT INTO order_requests (idempotency_key, request, order_id, position)
        VALUES ($1, $2, $3, '') ON CONFLICT DO NOTHING";
    let claim = sqlx::query(claim)
        .bind(key.to_owned())
        .bind(request.to_owned())
        .bind(order_id.to_owned());
    if claim.execute(&mut **tx).await?.rows_affected() == 1 {
        return Ok(None);
    }
    let read = "SELECT request, order_id, position FROM order_requests WHERE idempotency_key = $1";
    let read = sqlx::query(read).bind(key.to_owned());
    let row = read.fetch_one(&mut **tx).await?;
    let (before, position): (String, String) = (row.try_get(0)?, row.try_get(2)?);
    if before != request {
        let detail = "this `Idempotency-Key` was used for another order";
        return Ok(Some(Err(Problem::invalid(detail))));
    }
    Ok(Some(Ok(Accepted {
        order_id: row.try_get(1)?,
        position: position.parse().map_err(Problem::fault)?,
    })))
}

async fn remember(tx: &mut Tx, key: &str, position: &Position) -> Result<(), Error> {
    let note = "UPDATE order_requests SET position = $1 WHERE idempotency_key = $2";
    let note = sqlx::query(note)
        .bind(position.to_string())
        .bind(key.to_owned());
    note.execute(&mut **tx).await?;
    Ok(())
}
