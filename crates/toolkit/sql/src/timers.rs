//! Timers: what is to happen at a time, as rows that are committed with what they belong to.

use std::time::Duration;

use sqlx::Row;
use stele_toolkit_envelope::Timestamp;

use crate::{Db, Error, Tx};

/// Something that is to happen at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// Whose timer it is: who asks for due ones.
    pub queue: String,
    /// Identifies it in its queue.
    pub id: String,
    /// When it is due.
    pub due: Timestamp,
    /// What belongs to it, usually JSON.
    pub payload: String,
}

impl Tx {
    /// Sets a timer. One of the same queue and id is replaced.
    pub async fn set_timer(&mut self, timer: &Timer) -> Result<(), Error> {
        let set = "INSERT INTO {p}timers (queue, id, due_at, payload) VALUES ($1, $2, $3, $4)
            ON CONFLICT (queue, id) DO UPDATE SET due_at = excluded.due_at,
                payload = excluded.payload";
        sqlx::query(self.db().sql(set))
            .bind(&timer.queue)
            .bind(&timer.id)
            .bind(timer.due.as_micros())
            .bind(&timer.payload)
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Removes a timer, and tells whether it was there. Where it is being run, this waits for it.
    pub async fn cancel_timer(&mut self, queue: &str, id: &str) -> Result<bool, Error> {
        let cancel = "DELETE FROM {p}timers WHERE queue = $1 AND id = $2";
        let cancel = sqlx::query(self.db().sql(cancel)).bind(queue).bind(id);
        Ok(cancel.execute(&mut **self).await?.rows_affected() > 0)
    }
}

impl Db {
    /// The earliest timer that is due, taken out in a transaction of its own: committing that makes
    /// it done, with all that was done because of it. Undoing it, or a crash, leaves it due.
    ///
    /// The transaction is its lease: nobody else gets the timer while it is open, and somebody else
    /// gets it at once when its process has died. However late it is, it comes once.
    pub async fn take_timer(&self, queue: &str) -> Result<Option<(Tx, Timer)>, Error> {
        // A look without the write lock first: most of the time there is none.
        let now = self.now();
        if self.next_timer(queue).await?.is_none_or(|next| next > now) {
            return Ok(None);
        }
        let skip = self.dialect().pick("", "FOR UPDATE SKIP LOCKED");
        let take = format!(
            "DELETE FROM {{p}}timers WHERE queue = $1 AND id = (
                SELECT id FROM {{p}}timers WHERE queue = $1 AND due_at <= $2
                ORDER BY due_at, id LIMIT 1 {skip})
            RETURNING id, due_at, payload"
        );
        let mut tx = self.begin().await?;
        let take = sqlx::query(self.sql(&take))
            .bind(queue)
            .bind(now.as_micros());
        let Some(row) = take.fetch_optional(&mut *tx).await? else {
            return Ok(None);
        };
        let timer = Timer {
            queue: queue.to_owned(),
            id: row.try_get(0)?,
            due: Timestamp::from_micros(row.try_get(1)?),
            payload: row.try_get(2)?,
        };
        Ok(Some((tx, timer)))
    }

    /// When the next timer is due; `None` if there is none.
    pub async fn next_timer(&self, queue: &str) -> Result<Option<Timestamp>, Error> {
        let next = "SELECT MIN(due_at) FROM {p}timers WHERE queue = $1";
        let mut reader = self.reader().await?;
        let next = sqlx::query_scalar(self.sql(next)).bind(queue);
        let next: Option<i64> = next.fetch_one(&mut *reader).await?;
        Ok(next.map(Timestamp::from_micros))
    }

    /// How long the timer has been due that is due for the longest, of all queues. Zero if none is
    /// due. The metric `timer_lateness_seconds`.
    pub async fn timer_lateness(&self) -> Result<Duration, Error> {
        let earliest = "SELECT MIN(due_at) FROM {p}timers";
        let mut reader = self.reader().await?;
        let earliest = sqlx::query_scalar(self.sql(earliest));
        let earliest: Option<i64> = earliest.fetch_one(&mut *reader).await?;
        let now = self.now();
        Ok(now.since(earliest.map_or(now, Timestamp::from_micros)))
    }

    /// Makes a timer due later, after what it stands for has failed. Not if it was set anew.
    pub async fn postpone_timer(&self, timer: &Timer, delay: Duration) -> Result<(), Error> {
        let postpone = "UPDATE {p}timers SET due_at = $1
            WHERE queue = $2 AND id = $3 AND due_at = $4";
        let mut tx = self.begin().await?;
        sqlx::query(self.sql(postpone))
            .bind((self.now() + delay).as_micros())
            .bind(&timer.queue)
            .bind(&timer.id)
            .bind(timer.due.as_micros())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}
