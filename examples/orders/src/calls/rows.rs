//! Calls as rows.

use std::time::Duration;

use stele_toolkit_envelope::Envelope;
use stele_toolkit_sql::{
    Db, Dialect, Error, Migration, Tx,
    sqlx::{self, Row as _, any::AnyRow},
};

use super::Call;

/// The largest stored envelope that is read back.
const ENVELOPE_BYTES_MAX: usize = 16 << 20;

pub(super) const MIGRATIONS: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE calls (
        id TEXT PRIMARY KEY,
        payload TEXT NOT NULL,
        cause TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        due_at BIGINT NOT NULL,
        lease TEXT NOT NULL,
        problem TEXT NOT NULL
    );
    CREATE INDEX calls_by_due ON calls (due_at)",
)];

pub(super) async fn insert(
    tx: &mut Tx,
    id: &str,
    payload: &str,
    cause: &Envelope,
) -> Result<(), Error> {
    let insert = "INSERT INTO calls (id, payload, cause, attempts, due_at, lease, problem)
        VALUES ($1, $2, $3, 0, $4, '', '')
        ON CONFLICT (id) DO UPDATE SET cause = excluded.cause";
    let now = tx.now().as_micros();
    sqlx::query(insert)
        .bind(id)
        .bind(payload)
        .bind(String::from_utf8_lossy(&cause.encode()).into_owned())
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: &str) -> Result<(), Error> {
    let delete = sqlx::query("DELETE FROM calls WHERE id = $1").bind(id);
    delete.execute(&mut **tx).await?;
    Ok(())
}

/// Ends a call, whoever makes it.
pub(super) async fn take(tx: &mut Tx, id: &str) -> Result<Option<Call>, Error> {
    let take = "DELETE FROM calls WHERE id = $1 RETURNING id, payload, cause, attempts, lease";
    let row = sqlx::query(take).bind(id).fetch_optional(&mut **tx).await?;
    row.as_ref().map(read).transpose()
}

/// Ends a call that was claimed; `false` if another has claimed it meanwhile, or nobody wants it.
pub(super) async fn end(tx: &mut Tx, call: &Call) -> Result<bool, Error> {
    let end = sqlx::query("DELETE FROM calls WHERE id = $1 AND lease = $2")
        .bind(&call.id)
        .bind(&call.lease);
    Ok(end.execute(&mut **tx).await?.rows_affected() == 1)
}

/// Whether there is a call to make, without the lock of writers.
pub(super) async fn is_due(db: &Db) -> Result<bool, Error> {
    let mut reader = db.reader().await?;
    let due = sqlx::query("SELECT 1 FROM calls WHERE due_at <= $1 LIMIT 1");
    let due = due.bind(db.now().as_micros());
    Ok(due.fetch_optional(&mut *reader).await?.is_some())
}

/// Claims up to so many calls. Until the lease is over nobody else gets them.
pub(super) async fn claim(db: &Db, count: usize, lease: Duration) -> Result<Vec<Call>, Error> {
    let skip = match db.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => "FOR UPDATE SKIP LOCKED",
    };
    let claim = format!(
        "UPDATE calls SET attempts = attempts + 1, due_at = $1, lease = $2 WHERE id IN (
            SELECT id FROM calls WHERE due_at <= $3 ORDER BY due_at, id LIMIT $4 {skip})
        RETURNING id, payload, cause, attempts, lease"
    );
    let now = db.now();
    let mut tx = db.begin().await?;
    let rows = sqlx::query(sqlx::AssertSqlSafe(claim))
        .bind((now + lease).as_micros())
        .bind(uuid::Uuid::new_v4().to_string())
        .bind(now.as_micros())
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    rows.iter().map(read).collect()
}

/// Has the calls be due that somebody has claimed. What becomes of them there doesn't count any
/// more, once they are claimed again.
pub(super) async fn free(db: &Db) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    sqlx::query("UPDATE calls SET due_at = $1 WHERE lease <> '' AND due_at > $1")
        .bind(db.now().as_micros())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// Has a call that was claimed be made again, after a time.
pub(super) async fn postpone(
    db: &Db,
    call: &Call,
    after: Duration,
    problem: &str,
) -> Result<(), Error> {
    let postpone = "UPDATE calls SET due_at = $1, problem = $2 WHERE id = $3 AND lease = $4";
    let mut tx = db.begin().await?;
    sqlx::query(postpone)
        .bind((db.now() + after).as_micros())
        .bind(problem)
        .bind(&call.id)
        .bind(&call.lease)
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

fn read(row: &AnyRow) -> Result<Call, Error> {
    let cause: String = row.try_get(2)?;
    let cause = Envelope::decode(cause.as_bytes(), ENVELOPE_BYTES_MAX);
    let attempts: i64 = row.try_get(3)?;
    Ok(Call {
        id: row.try_get(0)?,
        payload: row.try_get(1)?,
        cause: cause.map_err(|error| sqlx::Error::Decode(error.into()))?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        lease: row.try_get(4)?,
    })
}
