//! Payments, as rows: one for each order that anybody has asked to charge or to pay back; and the
//! books, an entry for each amount that was taken or paid back.

use stele_toolkit_sql::{
    Dialect, Error, Migration, Tx,
    sqlx::{self, Row as _},
};

use super::charging::Order;
use crate::money::Cents;

pub(super) const MIGRATIONS: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE payments (
        order_id TEXT PRIMARY KEY,
        amount BIGINT NOT NULL,
        refunded BIGINT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE TABLE books (
        order_id TEXT NOT NULL,
        at BIGINT NOT NULL,
        cents BIGINT NOT NULL
    );
    CREATE INDEX books_by_order ON books (order_id)",
)];

/// Where a payment is.
///
/// ```text
/// Charging ──► Processed ──► Refunding ──► Refunded
///    │  └───────────────────────▲             ▲
///    └──► Failed                              └── given up before the charge came
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Charging,
    Processed,
    Failed,
    Refunding,
    Refunded,
}

impl Phase {
    const ALL: [Self; 5] = [
        Self::Charging,
        Self::Processed,
        Self::Failed,
        Self::Refunding,
        Self::Refunded,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Charging => "charging",
            Self::Processed => "processed",
            Self::Failed => "failed",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }
}

/// A payment.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) amount: Cents,
    /// What was paid back.
    pub(super) refunded: Cents,
    pub(super) phase: Phase,
    /// Why it failed or was paid back.
    pub(super) reason: String,
}

/// Notes a payment; `false` if the order's is known.
pub(super) async fn insert(tx: &mut Tx, order: &Order, phase: Phase) -> Result<bool, Error> {
    let insert = "INSERT INTO payments (order_id, amount, refunded, state, reason)
        VALUES ($1, $2, 0, $3, '') ON CONFLICT DO NOTHING";
    let insert = sqlx::query(insert)
        .bind(&order.order_id)
        .bind(order.amount.0)
        .bind(phase.word());
    Ok(insert.execute(&mut **tx).await?.rows_affected() == 1)
}

/// Whether there is a payment of an order.
pub(super) async fn is_known(tx: &mut Tx, order_id: &str) -> Result<bool, Error> {
    let read = sqlx::query("SELECT 1 FROM payments WHERE order_id = $1");
    let read = read.bind(order_id.to_owned());
    Ok(read.fetch_optional(&mut **tx).await?.is_some())
}

/// The payment of an order, and nobody else's business until the transaction ends.
pub(super) async fn payment(tx: &mut Tx, order_id: &str) -> Result<Payment, Error> {
    let lock = match tx.db().dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => "FOR UPDATE",
    };
    let read =
        format!("SELECT amount, refunded, state, reason FROM payments WHERE order_id = $1 {lock}");
    let read = sqlx::query(sqlx::AssertSqlSafe(read)).bind(order_id.to_owned());
    let row = read.fetch_one(&mut **tx).await?;
    let state: String = row.try_get(2)?;
    let unknown = || sqlx::Error::Decode(format!("{state:?} is no state of a payment").into());
    let known = Phase::ALL.into_iter().find(|phase| phase.word() == state);
    Ok(Payment {
        amount: Cents(row.try_get(0)?),
        refunded: Cents(row.try_get(1)?),
        phase: known.ok_or_else(unknown)?,
        reason: row.try_get(3)?,
    })
}

/// Notes where a payment is now, and why.
pub(super) async fn note(
    tx: &mut Tx,
    order_id: &str,
    phase: Phase,
    reason: &str,
) -> Result<(), Error> {
    let note = "UPDATE payments SET state = $1, reason = $2 WHERE order_id = $3";
    let note = sqlx::query(note)
        .bind(phase.word())
        .bind(reason.to_owned())
        .bind(order_id.to_owned());
    note.execute(&mut **tx).await?;
    Ok(())
}

/// Notes that a payment was paid back.
pub(super) async fn note_refund(tx: &mut Tx, order_id: &str, refunded: Cents) -> Result<(), Error> {
    let note = "UPDATE payments SET state = $1, refunded = $2 WHERE order_id = $3";
    let note = sqlx::query(note)
        .bind(Phase::Refunded.word())
        .bind(refunded.0)
        .bind(order_id.to_owned());
    note.execute(&mut **tx).await?;
    Ok(())
}

/// Books what was taken for an order. An entry is never changed, and nothing here knows whether it
/// is booked already: that is left to whoever calls.
pub(super) async fn book(tx: &mut Tx, order_id: &str, taken: Cents) -> Result<(), Error> {
    let book = "INSERT INTO books (order_id, at, cents) VALUES ($1, $2, $3)";
    let now = tx.now().as_micros();
    let book = sqlx::query(book)
        .bind(order_id.to_owned())
        .bind(now)
        .bind(taken.0);
    book.execute(&mut **tx).await?;
    Ok(())
}

/// Books that everything that was taken for an order was paid back.
pub(super) async fn book_back(tx: &mut Tx, order_id: &str) -> Result<(), Error> {
    let book = "INSERT INTO books (order_id, at, cents)
        SELECT order_id, $2, -CAST(SUM(cents) AS BIGINT) FROM books WHERE order_id = $1
        GROUP BY order_id HAVING SUM(cents) <> 0";
    let now = tx.now().as_micros();
    let book = sqlx::query(book).bind(order_id.to_owned()).bind(now);
    book.execute(&mut **tx).await?;
    Ok(())
}
