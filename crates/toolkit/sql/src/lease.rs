//! Leases: what one process does alone, and another takes over when it is gone.

use std::time::Duration;

use sqlx::Row;

use crate::{Db, Error, Tx};

/// A lease by name. It is over at its end, or when it is released; a process that was paused beyond
/// its end finds out by [`Lease::check`] or [`Lease::renew`].
///
/// Its end is compared with the clocks of all processes that want it: their difference shortens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    name: String,
    owner: String,
    epoch: i64,
    length: Duration,
}

impl Db {
    /// Takes the lease if nobody has it, for this length of time; `None` while somebody has.
    pub async fn lease(&self, name: &str, length: Duration) -> Result<Option<Lease>, Error> {
        let now = self.now();
        let owner = self.new_owner();
        let take = "INSERT INTO {p}leases (name, owner, epoch, until_at) VALUES ($1, $2, 1, $3)
            ON CONFLICT (name) DO UPDATE SET owner = excluded.owner,
                epoch = {p}leases.epoch + 1, until_at = excluded.until_at
                WHERE {p}leases.until_at <= $4
            RETURNING epoch";
        let mut tx = self.begin().await?;
        let taken = sqlx::query(self.sql(take))
            .bind(name)
            .bind(&owner)
            .bind((now + length).as_micros())
            .bind(now.as_micros())
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        let lease = |row: sqlx::any::AnyRow| {
            Ok(Lease {
                name: name.to_owned(),
                owner,
                epoch: row.try_get(0)?,
                length,
            })
        };
        taken.map(lease).transpose()
    }
}

impl Lease {
    /// Its number: each time somebody takes the lease, it is larger.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Makes it last for its length from now.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`] if another has taken it. One that is over and that nobody has taken goes
    /// on.
    pub async fn renew(&self, db: &Db) -> Result<(), Error> {
        let mut tx = db.begin().await?;
        self.extend(&mut tx, self.length).await?;
        tx.commit().await
    }

    /// Makes sure that this transaction is committed only if the lease isn't another's: nobody can
    /// take it until the transaction ends.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`] if another has taken it: undo the transaction.
    pub async fn check(&self, tx: &mut Tx) -> Result<(), Error> {
        self.extend(tx, self.length).await
    }

    /// Ends it, if it isn't another's.
    pub async fn release(self, db: &Db) -> Result<(), Error> {
        let mut tx = db.begin().await?;
        match self.extend(&mut tx, Duration::ZERO).await {
            Err(Error::Fenced { .. }) => tx.rollback().await,
            ended => {
                ended?;
                tx.commit().await
            }
        }
    }

    async fn extend(&self, tx: &mut Tx, length: Duration) -> Result<(), Error> {
        let extend = "UPDATE {p}leases SET until_at = $1
            WHERE name = $2 AND owner = $3 AND epoch = $4";
        let until = tx.now() + length;
        let extended = sqlx::query(tx.db().sql(extend))
            .bind(until.as_micros())
            .bind(&self.name)
            .bind(&self.owner)
            .bind(self.epoch)
            .execute(&mut **tx)
            .await?;
        if extended.rows_affected() == 0 {
            return Err(Error::Fenced {
                name: self.name.clone(),
            });
        }
        Ok(())
    }
}
