//! The store in a service's database.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Row, any::AnyRow};
use stele_toolkit_bus::StoreError;
use stele_toolkit_envelope::{Envelope, Timestamp};
use stele_toolkit_sql::{Db, Dialect, Tx, sqlx};
use tokio::sync::watch;

use crate::{
    AppendError, Appended, EventStore, Expected, Page, Position, ReadError, Recorded, StreamId,
    Types, Until, store,
};

mod append;
mod placeholders;
mod read;
mod schema;
mod snapshots;

use append::Outcome;
pub(crate) use placeholders::placeholders;
pub(crate) use schema::migrate;
pub use snapshots::SqlSnapshots;

/// Events in a service's database, SQLite or PostgreSQL. Clones share it.
///
/// ```text
///  streams  stream │ version │ recorded_at │ xid        one row each: its lock orders appends
///  events   id │ xid │ stream │ version │ event_id │ type │ recorded_at │ event
///           order of all: (xid, id)          unique: (stream, version), event_id
/// ```
///
/// On SQLite one transaction writes at a time, so rows appear in the order of their numbers, and
/// `xid` is 0. On PostgreSQL numbers are given before commits, and a later number may be committed
/// first. So events are ordered by their transaction's number first, and read only below the
/// lowest transaction that still runs: whatever follows commits behind it. A transaction that
/// stays open for long delays readers, and nothing else.
///
/// An append in a transaction that has written before may follow one with a higher number in the
/// same stream. It takes that number, so that a stream's events are in order everywhere.
#[derive(Clone, Debug)]
pub struct SqlStore {
    db: Db,
    changes: Arc<watch::Sender<u64>>,
}

impl SqlStore {
    /// The events in a database; makes its tables if they aren't there.
    pub async fn open(db: Db) -> Result<Self, StoreError> {
        migrate(&db).await?;
        Ok(Self {
            db,
            changes: Arc::new(watch::Sender::new(0)),
        })
    }

    /// The database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Appends events in a transaction of the caller's, together with other rows: messages to
    /// send, the id of the message that was handled.
    ///
    /// After [`AppendError::Conflict`] nothing was written, and the transaction can go on. After
    /// other errors, roll it back. After the commit, call [`SqlStore::announce`].
    pub async fn append_in(
        &self,
        tx: &mut Tx,
        stream: &StreamId,
        expected: Expected,
        events: &[Envelope],
    ) -> Result<Appended, AppendError> {
        let encoded = store::encoded(events)?;
        if expected == Expected::Any
            && let Some(repeated) = append::repeated(tx, stream, events).await?
        {
            return Ok(repeated);
        }
        match append::append(tx, stream, expected, events, encoded).await? {
            Outcome::Appended(appended) => Ok(appended),
            Outcome::Unexpected => append::unexpected(tx, stream, events).await,
            Outcome::IdInUse => Err(append::in_use(events)),
        }
    }

    /// Wakes those who wait for events in this process. Appends in a transaction of their own do
    /// it themselves.
    pub fn announce(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

#[async_trait]
impl EventStore for SqlStore {
    async fn append(
        &self,
        stream: &StreamId,
        expected: Expected,
        events: &[Envelope],
    ) -> Result<Appended, AppendError> {
        let encoded = store::encoded(events)?;
        let mut tx = self.db.begin().await.map_err(StoreError::from)?;
        match append::append(&mut tx, stream, expected, events, encoded).await? {
            Outcome::Appended(appended) => {
                tx.commit().await.map_err(StoreError::from)?;
                self.announce();
                return Ok(appended);
            }
            Outcome::Unexpected => return append::unexpected(&mut tx, stream, events).await,
            Outcome::IdInUse => tx.rollback().await.map_err(StoreError::from)?,
        }
        // Some of them are there already: all of them, if this is a second attempt.
        let mut tx = self.db.begin().await.map_err(StoreError::from)?;
        let repeated = append::repeated(&mut tx, stream, events).await?;
        repeated.ok_or_else(|| append::in_use(events))
    }

    async fn read(
        &self,
        stream: &StreamId,
        after: u64,
        until: Until,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        read::stream(&self.db, stream, after, until, limit).await
    }

    async fn read_all(
        &self,
        after: &Position,
        types: &Types,
        limit: usize,
    ) -> Result<Page, ReadError> {
        read::all(&self.db, after, types, limit).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// An error of the driver, sorted.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    stele_toolkit_sql::Error::from(error).into()
}

/// A number as the database has it.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The number in a column. Columns that hold versions, ids and transactions are never negative.
fn unsigned(row: &AnyRow, column: usize) -> Result<u64, StoreError> {
    let value: i64 = row.try_get(column).map_err(failed)?;
    Ok(value.try_into().unwrap_or(0))
}

fn time(row: &AnyRow, column: usize) -> Result<Timestamp, StoreError> {
    let micros = row.try_get(column).map_err(failed)?;
    Ok(Timestamp::from_micros(micros))
}

/// The number of the current transaction, as SQL.
fn current_xid(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "0",
        Dialect::Postgres => "pg_current_xact_id()::text::bigint",
    }
}
