//! A transaction.

use std::ops::{Deref, DerefMut};

use sqlx::{Any, AnyConnection};
use stele_toolkit_envelope::Timestamp;

use crate::{Db, Dialect, Error, Point};

/// A transaction that may write. It is a [`sqlx`] connection: `sqlx::query("…").execute(&mut **tx)`
/// for a `tx: &mut Tx`, `&mut *tx` for a `Tx`.
///
/// One from [`Db::begin`] is ended by [`Tx::commit`]; dropping it undoes it. One that was lent to a
/// handler ends with the handler, which must not keep it.
#[derive(Debug)]
pub struct Tx(Open);

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) db: Db,
    pub(crate) inner: sqlx::Transaction<'static, Any>,
}

impl Tx {
    pub(crate) fn own(db: Db, inner: sqlx::Transaction<'static, Any>) -> Self {
        Self(Open { db, inner })
    }

    /// Commits it. If it fails, nothing can be said of the transaction when the connection was
    /// lost; otherwise it is undone.
    pub async fn commit(self) -> Result<(), Error> {
        self.0.commit().await
    }

    /// Undoes it, and waits until that is done.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.0.inner.rollback().await?)
    }

    /// The database that it belongs to.
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.db().now()
    }
}

impl Deref for Tx {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.0.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.0.inner
    }
}

impl Open {
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        // PostgreSQL answers COMMIT with success where a statement has failed before, and undoes
        // the transaction. A statement fails there, so a failure that nobody heeded is found here.
        if self.db.dialect() == Dialect::Postgres {
            sqlx::query("SELECT 1").execute(&mut *self.inner).await?;
        }
        self.db.reach(Point::BeforeCommit).await;
        self.inner.commit().await?;
        self.db.reach(Point::AfterCommit).await;
        Ok(())
    }
}
