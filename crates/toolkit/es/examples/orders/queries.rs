//! The read side: queries are answered from the table alone.

use async_trait::async_trait;
use stele_toolkit_es::{Projection, Query, QueryHandler};
use stele_toolkit_sql::{
    Db, Error,
    sqlx::{self, Row, any::AnyRow},
};

use crate::projection::OrderProjection;

/// A row of `order_summaries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrderSummary {
    pub(crate) id: String,
    pub(crate) customer_name: String,
    pub(crate) total_cents: i64,
    pub(crate) status: String,
}

/// One order.
#[derive(Clone, Debug)]
pub(crate) struct OrderSummaryById(pub(crate) String);

/// The orders of a customer.
#[derive(Clone, Debug)]
pub(crate) struct OrdersOfCustomer(pub(crate) String);

/// The sum of all orders that aren't cancelled, in cents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Revenue;

impl Query for OrderSummaryById {
    const PROJECTION: &'static str = OrderProjection::NAME;
    type Answer = Option<OrderSummary>;
    type Error = Error;
}

impl Query for OrdersOfCustomer {
    const PROJECTION: &'static str = OrderProjection::NAME;
    type Answer = Vec<OrderSummary>;
    type Error = Error;
}

impl Query for Revenue {
    const PROJECTION: &'static str = OrderProjection::NAME;
    type Answer = i64;
    type Error = Error;
}

/// Answers the queries of orders.
#[derive(Clone, Debug)]
pub(crate) struct OrderQueryHandler {
    pub(crate) db: Db,
}

#[async_trait]
impl QueryHandler<OrderSummaryById> for OrderQueryHandler {
    async fn answer(&self, query: OrderSummaryById) -> Result<Option<OrderSummary>, Error> {
        let select = "SELECT id, customer_name, total, status FROM order_summaries WHERE id = $1";
        let mut reader = self.db.reader().await?;
        let row = sqlx::query(select)
            .bind(query.0)
            .fetch_optional(&mut *reader)
            .await?;
        Ok(row.as_ref().map(summary).transpose()?)
    }
}

#[async_trait]
impl QueryHandler<OrdersOfCustomer> for OrderQueryHandler {
    async fn answer(&self, query: OrdersOfCustomer) -> Result<Vec<OrderSummary>, Error> {
        let select = "SELECT id, customer_name, total, status FROM order_summaries
            WHERE customer_name = $1 ORDER BY id";
        let mut reader = self.db.reader().await?;
        let rows = sqlx::query(select)
            .bind(query.0)
            .fetch_all(&mut *reader)
            .await?;
        Ok(rows.iter().map(summary).collect::<Result<_, _>>()?)
    }
}

#[async_trait]
impl QueryHandler<Revenue> for OrderQueryHandler {
    async fn answer(&self, _: Revenue) -> Result<i64, Error> {
        let select = "SELECT CAST(COALESCE(SUM(total), 0) AS BIGINT) FROM order_summaries
            WHERE status <> 'cancelled'";
        let mut reader = self.db.reader().await?;
        let row = sqlx::query(select).fetch_one(&mut *reader).await?;
        Ok(row.try_get(0)?)
    }
}

fn summary(row: &AnyRow) -> Result<OrderSummary, sqlx::Error> {
    Ok(OrderSummary {
        id: row.try_get(0)?,
        customer_name: row.try_get(1)?,
        total_cents: row.try_get(2)?,
        status: row.try_get(3)?,
    })
}
