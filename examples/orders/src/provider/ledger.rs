//! The provider's ledger: one row for each key.

use serde::{Deserialize, Serialize};
use stele_toolkit_sql::{
    Db, Error, Migration,
    sqlx::{self, Row as _, any::AnyRow},
};

use super::ChargeRequest;
use crate::money::Cents;

const MIGRATIONS: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE charges (
        key TEXT PRIMARY KEY,
        order_id TEXT NOT NULL,
        amount BIGINT NOT NULL,
        refunded BIGINT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE TABLE tries (
        key TEXT PRIMARY KEY,
        count BIGINT NOT NULL
    )",
)];

const COLUMNS: &str = "key, order_id, amount, refunded, state, reason";

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// The `Idempotency-Key`.
    pub key: String,
    /// What was charged for.
    pub order_id: String,
    /// What was taken, in cents.
    pub amount: Cents,
    /// What was paid back of it, in cents.
    pub refunded: Cents,
    /// `captured`, `declined`, `refunded`, or `voided`: refused before it came.
    pub state: String,
    /// Why it was declined.
    pub reason: String,
}

/// The ledger.
#[derive(Clone, Debug)]
pub(super) struct Ledger(Db);

impl Ledger {
    pub(super) async fn open(db: Db) -> Result<Self, Error> {
        db.migrate("provider", MIGRATIONS).await?;
        Ok(Self(db))
    }

    pub(super) async fn known(&self, key: &str) -> Result<Option<Charge>, Error> {
        let read = format!("SELECT {COLUMNS} FROM charges WHERE key = $1");
        let mut reader = self.0.reader().await?;
        let read = sqlx::query(sqlx::AssertSqlSafe(read)).bind(key.to_owned());
        let row = read.fetch_optional(&mut *reader).await?;
        row.as_ref().map(charge).transpose()
    }

    /// Counts a try, and says which it is.
    pub(super) async fn count_try(&self, key: &str) -> Result<i64, Error> {
        let count = "INSERT INTO tries (key, count) VALUES ($1, 1)
            ON CONFLICT (key) DO UPDATE SET count = tries.count + 1 RETURNING count";
        let mut tx = self.0.begin().await?;
        let row = sqlx::query(count)
            .bind(key.to_owned())
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(row.try_get(0)?)
    }

    /// Takes the money, unless something is known of the key: then that is returned.
    pub(super) async fn capture(
        &self,
        key: &str,
        request: &ChargeRequest,
    ) -> Result<Charge, Error> {
        self.enter(key, request, "captured", "").await
    }

    /// Refuses the card, unless something is known of the key.
    pub(super) async fn decline(
        &self,
        key: &str,
        request: &ChargeRequest,
        reason: &str,
    ) -> Result<Charge, Error> {
        self.enter(key, request, "declined", reason).await
    }

    async fn enter(
        &self,
        key: &str,
        request: &ChargeRequest,
        state: &'static str,
        reason: &str,
    ) -> Result<Charge, Error> {
        let enter = format!(
            "INSERT INTO charges ({COLUMNS}) VALUES ($1, $2, $3, 0, $4, $5)
            ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING {COLUMNS}"
        );
        let mut tx = self.0.begin().await?;
        let row = sqlx::query(sqlx::AssertSqlSafe(enter))
            .bind(key.to_owned())
            .bind(request.order_id.clone())
            .bind(request.amount.0)
            .bind(state)
            .bind(reason.to_owned())
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        charge(&row)
    }

    /// Pays back what was taken; has the key refused from now on if nothing was.
    pub(super) async fn refund(&self, key: &str) -> Result<Charge, Error> {
        let refund = format!(
            "INSERT INTO charges ({COLUMNS}) VALUES ($1, '', 0, 0, 'voided', '')
            ON CONFLICT (key) DO UPDATE SET
                refunded = CASE charges.state
                    WHEN 'captured' THEN charges.amount ELSE charges.refunded END,
                state = CASE charges.state WHEN 'captured' THEN 'refunded' ELSE charges.state END
            RETURNING {COLUMNS}"
        );
        let mut tx = self.0.begin().await?;
        let row = sqlx::query(sqlx::AssertSqlSafe(refund))
            .bind(key.to_owned())
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        charge(&row)
    }

    pub(super) async fn all(&self) -> Result<Vec<Charge>, Error> {
        let read = format!("SELECT {COLUMNS} FROM charges ORDER BY key");
        let mut reader = self.0.reader().await?;
        let read = sqlx::query(sqlx::AssertSqlSafe(read));
        let rows = read.fetch_all(&mut *reader).await?;
        rows.iter().map(charge).collect()
    }
}

fn charge(row: &AnyRow) -> Result<Charge, Error> {
    Ok(Charge {
        key: row.try_get(0)?,
        order_id: row.try_get(1)?,
        amount: Cents(row.try_get(2)?),
        refunded: Cents(row.try_get(3)?),
        state: row.try_get(4)?,
        reason: row.try_get(5)?,
    })
}
