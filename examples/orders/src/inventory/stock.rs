//! The stock, as rows.
//!
//! For each article `start = free + reserved + sold`, and nothing of it is ever negative.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_toolkit_sql::{
    Db, Error, Migration, Tx,
    sqlx::{self, Row as _},
};

use crate::messages::{Item, Reserved};

const MIGRATIONS: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE stock (
        sku TEXT PRIMARY KEY,
        start BIGINT NOT NULL,
        free BIGINT NOT NULL CHECK (free >= 0),
        reserved BIGINT NOT NULL CHECK (reserved >= 0),
        sold BIGINT NOT NULL
    );
    CREATE TABLE reservations (
        order_id TEXT NOT NULL,
        sku TEXT NOT NULL,
        quantity BIGINT NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (order_id, sku)
    )",
)];

/// An article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// The article.
    pub sku: String,
    /// How many pieces there were at the beginning.
    pub start: i64,
    /// How many can be reserved.
    pub free: i64,
    /// How many are set aside for orders that aren't confirmed yet.
    pub reserved: i64,
    /// How many belong to confirmed orders.
    pub sold: i64,
}

/// `SKU=PIECES`.
pub(super) fn parse(text: &str) -> Result<(String, i64), String> {
    let (sku, pieces) = text.split_once('=').ok_or("not SKU=PIECES")?;
    match pieces.parse() {
        Ok(pieces) if pieces >= 0 => Ok((sku.to_owned(), pieces)),
        _ => Err(format!("{pieces:?} isn't a number of pieces")),
    }
}

/// Makes the tables, and adds the articles that aren't known yet.
pub(super) async fn open(db: &Db, articles: &[(String, i64)]) -> Result<(), Error> {
    db.migrate("inventory", MIGRATIONS).await?;
    let mut tx = db.begin().await?;
    for (sku, pieces) in articles {
        let insert = "INSERT INTO stock (sku, start, free, reserved, sold)
            VALUES ($1, $2, $2, 0, 0) ON CONFLICT DO NOTHING";
        let insert = sqlx::query(insert).bind(sku).bind(*pieces);
        insert.execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Sets aside what an order needs: all of it, or nothing with the reason.
pub(super) async fn take(
    tx: &mut Tx,
    order_id: &str,
    items: &[Item],
) -> Result<Result<Vec<Reserved>, String>, Error> {
    let mut taken: Vec<Reserved> = Vec::new();
    for (sku, quantity) in by_article(items) {
        let take = "UPDATE stock SET free = free - $1, reserved = reserved + $1
            WHERE sku = $2 AND free >= $1 RETURNING free";
        let take = sqlx::query(take).bind(quantity).bind(&sku);
        let Some(row) = take.fetch_optional(&mut **tx).await? else {
            for item in taken {
                put_back(tx, &item.sku, item.quantity).await?;
            }
            return Ok(Err(format!("{sku} is out of stock")));
        };
        let free = row.try_get(0)?;
        taken.push(Reserved {
            sku,
            quantity,
            free,
        });
    }
    for item in &taken {
        let insert = "INSERT INTO reservations (order_id, sku, quantity, state)
            VALUES ($1, $2, $3, 'reserved')";
        sqlx::query(insert)
            .bind(order_id)
            .bind(&item.sku)
            .bind(item.quantity)
            .execute(&mut **tx)
            .await?;
    }
    Ok(Ok(taken))
}

/// The quantities, each article once, in an order that is the same for all: two transactions that
/// need the same rows can't wait for each other in a circle.
fn by_article(items: &[Item]) -> BTreeMap<String, i64> {
    let mut quantities = BTreeMap::new();
    for item in items {
        let quantity: &mut i64 = quantities.entry(item.sku.clone()).or_default();
        *quantity = quantity.saturating_add(item.quantity);
    }
    quantities
}

async fn put_back(tx: &mut Tx, sku: &str, quantity: i64) -> Result<i64, Error> {
    let put_back = "UPDATE stock SET free = free + $1, reserved = reserved - $1
        WHERE sku = $2 RETURNING free";
    let put_back = sqlx::query(put_back).bind(quantity).bind(sku);
    Ok(put_back.fetch_one(&mut **tx).await?.try_get(0)?)
}

/// What is set aside for an order, or sold by it.
pub(super) async fn taken(tx: &mut Tx, order_id: &str) -> Result<Vec<Reserved>, Error> {
    let read = "SELECT r.sku, r.quantity, s.free FROM reservations r JOIN stock s ON s.sku = r.sku
        WHERE r.order_id = $1 AND r.state <> 'released' ORDER BY r.sku";
    let rows = sqlx::query(read)
        .bind(order_id)
        .fetch_all(&mut **tx)
        .await?;
    let reserved = |row: &sqlx::any::AnyRow| {
        Ok(Reserved {
            sku: row.try_get(0)?,
            quantity: row.try_get(1)?,
            free: row.try_get(2)?,
        })
    };
    rows.iter().map(reserved).collect()
}

/// Frees what is set aside for an order.
pub(super) async fn give_back(tx: &mut Tx, order_id: &str) -> Result<Vec<Reserved>, Error> {
    let mut given = Vec::new();
    for (sku, quantity) in leave(tx, order_id, "released").await? {
        let free = put_back(tx, &sku, quantity).await?;
        given.push(Reserved {
            sku,
            quantity,
            free,
        });
    }
    Ok(given)
}

/// What is set aside for an order is sold.
pub(super) async fn sell(tx: &mut Tx, order_id: &str) -> Result<(), Error> {
    for (sku, quantity) in leave(tx, order_id, "sold").await? {
        let sell = "UPDATE stock SET reserved = reserved - $1, sold = sold + $1 WHERE sku = $2";
        let sell = sqlx::query(sell).bind(quantity).bind(&sku);
        sell.execute(&mut **tx).await?;
    }
    Ok(())
}

/// Takes reservations out of the state `reserved`, and tells what they were.
async fn leave(
    tx: &mut Tx,
    order_id: &str,
    state: &'static str,
) -> Result<Vec<(String, i64)>, Error> {
    let leave = "UPDATE reservations SET state = $1 WHERE order_id = $2 AND state = 'reserved'
        RETURNING sku, quantity";
    let rows = sqlx::query(leave)
        .bind(state)
        .bind(order_id)
        .fetch_all(&mut **tx)
        .await?;
    let mut left: Vec<(String, i64)> = Vec::new();
    for row in &rows {
        left.push((row.try_get(0)?, row.try_get(1)?));
    }
    left.sort();
    Ok(left)
}

/// All articles.
pub(super) async fn all(db: &Db) -> Result<Vec<Stock>, Error> {
    let read = "SELECT sku, start, free, reserved, sold FROM stock ORDER BY sku";
    let mut reader = db.reader().await?;
    let rows = sqlx::query(read).fetch_all(&mut *reader).await?;
    let article = |row: &sqlx::any::AnyRow| {
        Ok(Stock {
            sku: row.try_get(0)?,
            start: row.try_get(1)?,
            free: row.try_get(2)?,
            reserved: row.try_get(3)?,
            sold: row.try_get(4)?,
        })
    };
    rows.iter().map(article).collect()
}
