//! The read side's table, kept up to date from events.

use std::fmt::Write;

use async_trait::async_trait;
use stele_toolkit_es::{AggregateEvent, Projection, Recorded, Rows, Types, projection::ApplyError};
use stele_toolkit_sql::sqlx;

use crate::order::{OrderCancelled, OrderCreated, OrderEvent, OrderUpdated};

/// Keeps `order_summaries(id, customer_name, total, status)`. `total` is in cents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderProjection;

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
            status TEXT NOT NULL
        );
        CREATE INDEX {order_summaries}_by_customer ON {order_summaries} (customer_name);
    ";

    fn types() -> Types {
        OrderEvent::types()
    }

    async fn apply(&self, event: &Recorded, rows: &mut Rows<'_>) -> Result<(), ApplyError> {
        match OrderEvent::open(&event.event)? {
            OrderEvent::OrderCreated(created) => insert(rows, &[created]).await,
            OrderEvent::OrderUpdated(updated) => update(rows, updated).await,
            OrderEvent::OrderCancelled(cancelled) => cancel(rows, cancelled).await,
        }
    }

    /// New orders that follow each other are one statement.
    async fn apply_all(&self, events: &[Recorded], rows: &mut Rows<'_>) -> Result<(), ApplyError> {
        let mut created = Vec::new();
        for event in events {
            match OrderEvent::open(&event.event)? {
                OrderEvent::OrderCreated(event) => created.push(event),
                OrderEvent::OrderUpdated(event) => {
                    insert(rows, &std::mem::take(&mut created)).await?;
                    update(rows, event).await?;
                }
                OrderEvent::OrderCancelled(event) => {
                    insert(rows, &std::mem::take(&mut created)).await?;
                    cancel(rows, event).await?;
                }
            }
        }
        insert(rows, &created).await
    }
}

/// The most rows of one statement.
const ROWS_MAX: usize = 500;

async fn insert(rows: &mut Rows<'_>, all: &[OrderCreated]) -> Result<(), ApplyError> {
    for created in all.chunks(ROWS_MAX) {
        let mut statement = String::from(
            "INSERT INTO {order_summaries} (id, customer_name, total, status) VALUES ",
        );
        for row in 0..created.len() {
            let comma = if row == 0 { "" } else { "," };
            let at = row * 3;
            write!(
                statement,
                "{comma}(${},${},${},'created')",
                at + 1,
                at + 2,
                at + 3
            )?;
        }
        let mut query = sqlx::query(rows.sql(&statement));
        for order in created {
            query = query
                .bind(order.order_id.as_str())
                .bind(order.customer_name.as_str())
                .bind(order.total_cents);
        }
        query.execute(&mut **rows).await?;
    }
    Ok(())
}

async fn update(rows: &mut Rows<'_>, updated: OrderUpdated) -> Result<(), ApplyError> {
    let update = "UPDATE {order_summaries} SET total = $1, status = 'updated' WHERE id = $2";
    sqlx::query(rows.sql(update))
        .bind(updated.total_cents)
        .bind(updated.order_id)
        .execute(&mut **rows)
        .await?;
    Ok(())
}

async fn cancel(rows: &mut Rows<'_>, cancelled: OrderCancelled) -> Result<(), ApplyError> {
    let update = "UPDATE {order_summaries} SET status = 'cancelled' WHERE id = $1";
    sqlx::query(rows.sql(update))
        .bind(cancelled.order_id)
        .execute(&mut **rows)
        .await?;
    Ok(())
}
