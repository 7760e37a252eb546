//! Filling tables beside those that are read, and putting them in their place.
//!
//! ```text
//!  create   order_summaries__2, generation 2 at `start`          order_summaries is read
//!  fill     apply events, page by page                           order_summaries is read
//!  switch   one transaction: the last events are applied, order_summaries is dropped,
//!           order_summaries__2 is renamed, generation 1 is deleted, generation 2 is live
//! ```

use sqlx::Row;
use stele_toolkit_bus::StoreError;
use stele_toolkit_sql::{Dialect, Tx, sqlx};

use super::{Generation, Projection, RunError, checkpoint, generation::beside, named};
use crate::{Position, sql::failed};

/// Makes the tables of a new generation, which is filled from the start.
pub(super) async fn create<P: Projection>(tx: &mut Tx, number: u64) -> Result<(), RunError> {
    let insert = "INSERT INTO {p}projections
        (name, generation, code_version, is_live, position, failures) VALUES ($1, $2, $3, 0, $4, 0)
        ON CONFLICT (name, generation) DO NOTHING";
    let inserted = sqlx::query(tx.db().sql(insert))
        .bind(P::NAME)
        .bind(i64::try_from(number).unwrap_or(i64::MAX))
        .bind(i64::from(P::VERSION))
        .bind(Position::Start.to_string())
        .execute(&mut **tx)
        .await?;
    if inserted.rows_affected() == 0 {
        return Err(RunError::Raced { name: P::NAME });
    }
    let tables = tables::<P>(|name| beside(name, number));
    drop_tables(tx, &tables).await?;
    let schema = named(P::SCHEMA, &tables);
    sqlx::raw_sql(schema).execute(&mut **tx).await?;
    Ok(())
}

/// Deletes a generation that nobody finishes, with its tables.
pub(super) async fn abandon<P: Projection>(
    tx: &mut Tx,
    generation: &Generation,
) -> Result<(), RunError> {
    delete(tx, generation).await?;
    drop_tables(tx, &tables::<P>(|name| generation.table(name))).await
}

/// Puts a generation that has been filled up to a position in the place of the live one. `false`
/// if that is further, so that readers would see the past.
///
/// The tables of the live generation that this version of the code doesn't have stay behind.
pub(super) async fn switch<P: Projection>(
    tx: &mut Tx,
    filled: &Generation,
    position: &Position,
) -> Result<bool, RunError> {
    if let Some((number, live)) = lock_live(tx, P::NAME).await? {
        if !position.covers(&live) {
            return Ok(false);
        }
        let delete = "DELETE FROM {p}projections WHERE name = $1 AND generation = $2";
        sqlx::query(tx.db().sql(delete))
            .bind(P::NAME)
            .bind(number)
            .execute(&mut **tx)
            .await?;
    }
    drop_tables(tx, &tables::<P>(str::to_owned)).await?;
    for (name, actual) in tables::<P>(|name| filled.table(name)) {
        let rename = format!("ALTER TABLE {actual} RENAME TO {name}");
        sqlx::query(tx.db().sql(&rename)).execute(&mut **tx).await?;
    }
    let update = "UPDATE {p}projections SET is_live = 1 WHERE name = $1 AND generation = $2";
    sqlx::query(tx.db().sql(update))
        .bind(P::NAME)
        .bind(checkpoint::number(filled))
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

/// Each table's name, and the name that it has in the database.
pub(super) fn tables<P: Projection>(
    actual: impl Fn(&'static str) -> String,
) -> Vec<(&'static str, String)> {
    let names = P::TABLES.iter();
    names.map(|name| (*name, actual(name))).collect()
}

/// The number and position of the live generation, which stay as they are until the transaction
/// ends.
async fn lock_live(tx: &mut Tx, name: &str) -> Result<Option<(i64, Position)>, StoreError> {
    let lock = match tx.db().dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => "FOR UPDATE",
    };
    let select = format!(
        "SELECT generation, position FROM {{p}}projections WHERE name = $1 AND is_live = 1 {lock}"
    );
    let row = sqlx::query(tx.db().sql(&select))
        .bind(name)
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let position: String = row.try_get(1).map_err(failed)?;
    let position = position.parse::<Position>();
    let position = position.map_err(|error| StoreError::Refused(error.into()))?;
    Ok(Some((row.try_get(0).map_err(failed)?, position)))
}

async fn delete(tx: &mut Tx, generation: &Generation) -> Result<(), StoreError> {
    let delete = "DELETE FROM {p}projections WHERE name = $1 AND generation = $2";
    sqlx::query(tx.db().sql(delete))
        .bind(generation.name.as_str())
        .bind(checkpoint::number(generation))
        .execute(&mut **tx)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn drop_tables(tx: &mut Tx, tables: &[(&'static str, String)]) -> Result<(), RunError> {
    for (_, actual) in tables {
        let drop = format!("DROP TABLE IF EXISTS {actual}");
        sqlx::query(tx.db().sql(&drop)).execute(&mut **tx).await?;
    }
    Ok(())
}
