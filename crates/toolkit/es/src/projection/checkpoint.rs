//! The row that says up to where a generation's events were applied.

use stele_toolkit_bus::StoreError;
use stele_toolkit_sql::{Db, Tx, sqlx};

use super::Generation;
use crate::{Position, Recorded, sql::failed};

/// Moves a checkpoint. `false` if it isn't where this process believed: another one works there.
///
/// It is the first statement of its transaction, so that the row's lock comes before those of the
/// tables everywhere.
pub(super) async fn advance(
    tx: &mut Tx,
    generation: &Generation,
    to: &Position,
) -> Result<bool, StoreError> {
    let update = "UPDATE {p}projections
        SET position = $1, failures = 0, failed_at = NULL, failed_position = NULL, failure = NULL
        WHERE name = $2 AND generation = $3 AND position = $4 AND is_live = $5";
    let done = sqlx::query(tx.db().sql(update))
        .bind(to.to_string())
        .bind(generation.name.as_str())
        .bind(number(generation))
        .bind(generation.position.to_string())
        .bind(i64::from(generation.is_live))
        .execute(&mut **tx)
        .await
        .map_err(failed)?;
    Ok(done.rows_affected() == 1)
}

/// Notes that an event can't be applied.
pub(super) async fn note_failure(
    db: &Db,
    generation: &Generation,
    event: &Recorded,
    reason: &str,
) -> Result<(), StoreError> {
    let update = "UPDATE {p}projections
        SET failures = failures + 1, failed_at = $1, failed_position = $2, failure = $3
        WHERE name = $4 AND generation = $5";
    let mut tx = db.begin().await?;
    sqlx::query(db.sql(update))
        .bind(db.now().as_micros())
        .bind(event.position.to_string())
        .bind(reason)
        .bind(generation.name.as_str())
        .bind(number(generation))
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    Ok(tx.commit().await?)
}

pub(super) fn number(generation: &Generation) -> i64 {
    i64::try_from(generation.number).unwrap_or(i64::MAX)
}
