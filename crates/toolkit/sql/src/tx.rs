//! A transaction.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use sqlx::{Any, AnyConnection};
use stele_toolkit_bus::{Call, Extensions, FromMessage, Lent, Refusal, Slot};
use stele_toolkit_envelope::Timestamp;

use crate::{Db, Dialect, Error};

/// A transaction that may write. It is a [`sqlx`] connection: `sqlx::query("…").execute(&mut **tx)`
/// for a `tx: &mut Tx`, `&mut *tx` for a `Tx`.
///
/// One from [`Db::begin`] is ended by [`Tx::commit`]; dropping it undoes it. One that was lent to a
/// handler, as one of its arguments, ends with the handler, which must not keep it.
#[derive(Debug)]
pub struct Tx(Held);

#[derive(Debug)]
enum Held {
    Own(Open),
    Lent(Lent<Open>),
}

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) db: Db,
    pub(crate) inner: sqlx::Transaction<'static, Any>,
    /// Whether it has messages to send, so that the relay is woken once they are committed.
    pub(crate) sends: bool,
    pub(crate) after: AfterCommit,
    /// Its number among those that handlers were lent.
    pub(crate) lending: Option<u64>,
}

/// What is done once the transaction is committed.
#[derive(Default)]
pub(crate) struct AfterCommit(Vec<Box<dyn FnOnce() + Send + Sync>>);

impl fmt::Debug for AfterCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AfterCommit({})", self.0.len())
    }
}

impl Tx {
    pub(crate) fn own(db: Db, inner: sqlx::Transaction<'static, Any>) -> Self {
        Self::of(Open {
            db,
            inner,
            sends: false,
            after: AfterCommit::default(),
            lending: None,
        })
    }

    pub(crate) fn of(open: Open) -> Self {
        Self(Held::Own(open))
    }

    /// Commits it. If it fails, nothing can be said of the transaction when the connection was
    /// lost; otherwise it is undone.
    pub async fn commit(self) -> Result<(), Error> {
        self.into_own()?.commit().await
    }

    /// Has something done as soon as the transaction is committed, in this process alone: to wake
    /// whoever waits for what it wrote, or to count it. It isn't done if the transaction is undone,
    /// nor if the process ends at that moment. It must not block.
    pub fn after_commit(&mut self, done: impl FnOnce() + Send + Sync + 'static) {
        self.open_mut().after.0.push(Box::new(done));
    }

    /// Undoes it, and waits until that is done.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.into_own()?.inner.rollback().await?)
    }

    /// Takes the transaction that was lent to the handler, until it is dropped. `None` if none was
    /// lent, or if it is taken already.
    pub fn take(lent: &Extensions) -> Option<Self> {
        let open = lent.of::<Slot<Open>>()?.take()?;
        if let Some(number) = open.lending {
            open.db.lendings().taken(number);
        }
        Some(Self(Held::Lent(open)))
    }

    /// The database that it belongs to.
    pub fn db(&self) -> &Db {
        &self.open().db
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.db().now()
    }

    pub(crate) fn into_own(self) -> Result<Open, Error> {
        match self.0 {
            Held::Own(open) => Ok(open),
            Held::Lent(_) => Err(Error::NotYours),
        }
    }

    fn open(&self) -> &Open {
        match &self.0 {
            Held::Own(open) => open,
            Held::Lent(guard) => guard,
        }
    }

    pub(crate) fn open_mut(&mut self) -> &mut Open {
        match &mut self.0 {
            Held::Own(open) => open,
            Held::Lent(guard) => guard,
        }
    }
}

impl Deref for Tx {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.open().inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.open_mut().inner
    }
}

impl FromMessage for Tx {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        Self::take(call.all_lent()).ok_or_else(|| {
            let why = "the service's store is no `Db`, or another argument is a `Tx` too";
            Refusal::new("no_transaction", why)
        })
    }
}

impl Open {
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        // PostgreSQL answers COMMIT with success where a statement has failed before, and undoes
        // the transaction. A statement fails there, so a failure that nobody heeded is found here.
        if self.db.dialect() == Dialect::Postgres {
            sqlx::query("SELECT 1").execute(&mut *self.inner).await?;
        }
        self.inner.commit().await?;
        self.db.count_commit();
        if self.sends {
            self.db.outbox_has_changed();
        }
        self.after.0.into_iter().for_each(|done| done());
        Ok(())
    }
}
