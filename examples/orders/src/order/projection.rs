//! The read side's table, kept up to date from the orders' events.

use async_trait::async_trait;
use stele_toolkit_es::{Projection, Recorded, Rows, Types, projection::ApplyError};
use stele_toolkit_sql::sqlx;

use crate::messages::{OrderCancelled, OrderConfirmed, OrderCreated};

/// Keeps `order_summaries`. `total` is in cents, `day` the number of the day since 1970 (UTC).
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderProjection;

#[async_trait]
impl Projection for OrderProjection {
    const NAME: &'static str = "order_summaries";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["order_summaries"];
    const SCHEMA: &'static str = "
        CREATE TABLE {order_summaries} (
            id TEXT PRIMARY KEY,
            customer_name TEXT NOT NULL,
            total BIGINT NOT NULL,
            status TEXT NOT NULL,
            customer_id TEXT NOT NULL,
            day BIGINT NOT NULL
        );
        CREATE INDEX {order_summaries}_by_customer ON {order_summaries} (customer_id, id);
        CREATE INDEX {order_summaries}_by_status ON {order_summaries} (status, id);
    ";

    fn types() -> Types {
        Types::of::<OrderCreated>()
            .and::<OrderConfirmed>()
            .and::<OrderCancelled>()
    }

    async fn apply(&self, event: &Recorded, rows: &mut Rows<'_>) -> Result<(), ApplyError> {
        if event.event.is::<OrderCreated>() {
            return created(event, rows).await;
        }
        let status = match event.event.is::<OrderConfirmed>() {
            true => "confirmed",
            false => "cancelled",
        };
        let update = rows.sql("UPDATE {order_summaries} SET status = $1 WHERE id = $2");
        sqlx::query(update)
            .bind(status)
            .bind(event.stream.id())
            .execute(&mut **rows)
            .await?;
        Ok(())
    }
}

async fn created(event: &Recorded, rows: &mut Rows<'_>) -> Result<(), ApplyError> {
    let order: OrderCreated = event.event.open()?;
    let insert = "INSERT INTO {order_summaries}
        (id, customer_name, total, status, customer_id, day)
        VALUES ($1, $2, $3, 'created', $4, $5)";
    sqlx::query(rows.sql(insert))
        .bind(order.order_id)
        .bind(order.customer_name)
        .bind(order.total.0)
        .bind(order.customer_id)
        .bind(event.time.as_millis().div_euclid(MILLIS_PER_DAY))
        .execute(&mut **rows)
        .await?;
    Ok(())
}

/// Milliseconds of a day.
pub(super) const MILLIS_PER_DAY: i64 = 86_400_000;
