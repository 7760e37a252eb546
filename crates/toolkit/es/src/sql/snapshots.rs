//! Snapshots in a service's database.

use async_trait::async_trait;
use sqlx::Row;
use stele_toolkit_bus::StoreError;
use stele_toolkit_envelope::RawJson;
use stele_toolkit_sql::{Db, sqlx};

use super::{failed, migrate, number, time, unsigned};
use crate::{Kept, Snapshots, StreamId};

/// Snapshots in a table of their own.
#[derive(Clone, Debug)]
pub struct SqlSnapshots {
    db: Db,
}

impl SqlSnapshots {
    /// The snapshots in a database; makes its tables if they aren't there.
    pub async fn open(db: Db) -> Result<Self, StoreError> {
        migrate(&db).await?;
        Ok(Self { db })
    }
}

#[async_trait]
impl Snapshots for SqlSnapshots {
    async fn load(&self, stream: &StreamId, code_version: u32) -> Result<Option<Kept>, StoreError> {
        let statement = "SELECT version, recorded_at, state FROM {p}snapshots
            WHERE stream = $1 AND code_version = $2";
        let mut reader = self.db.reader().await?;
        let row = sqlx::query(self.db.sql(statement))
            .bind(stream.as_str())
            .bind(i64::from(code_version))
            .fetch_optional(&mut *reader)
            .await
            .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let state: &str = row.try_get(2).map_err(failed)?;
        Ok(Some(Kept {
            version: unsigned(&row, 0)?,
            time: time(&row, 1)?,
            state: RawJson::parse(state).map_err(|error| StoreError::Refused(error.into()))?,
        }))
    }

    async fn save(
        &self,
        stream: &StreamId,
        code_version: u32,
        snapshot: Kept,
    ) -> Result<(), StoreError> {
        let delete = "DELETE FROM {p}snapshots WHERE stream = $1 AND code_version < $2";
        let upsert = "INSERT INTO {p}snapshots AS s
            (stream, code_version, version, recorded_at, state) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (stream, code_version) DO UPDATE
            SET version = $3, recorded_at = $4, state = $5 WHERE s.version < $3";
        let mut tx = self.db.begin().await?;
        sqlx::query(self.db.sql(delete))
            .bind(stream.as_str())
            .bind(i64::from(code_version))
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        sqlx::query(self.db.sql(upsert))
            .bind(stream.as_str())
            .bind(i64::from(code_version))
            .bind(number(snapshot.version))
            .bind(snapshot.time.as_micros())
            .bind(snapshot.state.as_str())
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        Ok(tx.commit().await?)
    }
}
