//! Queries, answered from `order_summaries` alone.

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{
    Db, Error,
    sqlx::{self, Row as _, any::AnyRow},
};

use super::projection::MILLIS_PER_DAY;
use crate::money::Cents;

/// The most orders of one answer.
const ORDERS_MAX: i64 = 1000;

/// A row of `order_summaries`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// The order.
    pub id: String,
    /// Who ordered, for people.
    pub customer_name: String,
    /// What it costs, in cents.
    pub total: Cents,
    /// `created`, `confirmed` or `cancelled`.
    pub status: String,
    /// Who ordered.
    pub customer_id: String,
}

/// Which orders are wanted: those that match everything that is given, the newest first.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Search {
    /// The customer's id or name.
    pub(super) customer: Option<String>,
    pub(super) status: Option<String>,
    /// A part of the order's id or the customer's name.
    pub(super) q: Option<String>,
}

/// Searches the orders.
pub(super) async fn search(db: &Db, search: Search) -> Result<Vec<OrderSummary>, Error> {
    let select = r"SELECT id, customer_name, total, status, customer_id FROM order_summaries
        WHERE ($1 = '' OR customer_id = $1 OR customer_name = $1)
        AND ($2 = '' OR status = $2)
        AND ($3 = '' OR id LIKE $4 ESCAPE '\' OR customer_name LIKE $4 ESCAPE '\')
        ORDER BY id DESC LIMIT $5";
    let part = search.q.unwrap_or_default();
    let mut reader = db.reader().await?;
    let rows = sqlx::query(select)
        .bind(search.customer.unwrap_or_default())
        .bind(search.status.unwrap_or_default())
        .bind(part.clone())
        .bind(format!("%{}%", literal(&part)))
        .bind(ORDERS_MAX)
        .fetch_all(&mut *reader)
        .await?;
    Ok(rows.iter().map(summary).collect::<Result<_, _>>()?)
}

/// A text of which no character means anything to `LIKE`.
fn literal(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_")
}

fn summary(row: &AnyRow) -> Result<OrderSummary, sqlx::Error> {
    Ok(OrderSummary {
        id: row.try_get(0)?,
        customer_name: row.try_get(1)?,
        total: Cents(row.try_get(2)?),
        status: row.try_get(3)?,
        customer_id: row.try_get(4)?,
    })
}

/// The orders of a day that came to the same end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DayReport {
    /// The beginning of the day (UTC).
    pub(super) day: Timestamp,
    pub(super) status: String,
    pub(super) orders: i64,
    /// The sum of their totals, in cents.
    pub(super) total: Cents,
}

/// How many orders there were each day, and over how much.
pub(super) async fn by_day(db: &Db) -> Result<Vec<DayReport>, Error> {
    let select = "SELECT day, status, COUNT(*), CAST(SUM(total) AS BIGINT) FROM order_summaries
        GROUP BY day, status ORDER BY day DESC, status";
    let mut reader = db.reader().await?;
    let rows = sqlx::query(select).fetch_all(&mut *reader).await?;
    let report = |row: &AnyRow| {
        let day: i64 = row.try_get(0)?;
        Ok(DayReport {
            day: Timestamp::from_millis(day.saturating_mul(MILLIS_PER_DAY)),
            status: row.try_get(1)?,
            orders: row.try_get(2)?,
            total: Cents(row.try_get(3)?),
        })
    };
    rows.iter().map(report).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_no_pattern() {
        assert_eq!(literal(r"50%_\"), r"50\%\_\\");
    }
}
