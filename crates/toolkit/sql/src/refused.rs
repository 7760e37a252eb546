//! Messages of the outbox that the broker refused, for whoever mends them.

use sqlx::{Row, any::AnyRow};
use stele_toolkit_bus::Outgoing;
use stele_toolkit_envelope::Timestamp;

use crate::{
    Db, Dialect, Error, Tx,
    outbox::{self, Sending},
};

/// A message of the outbox that the broker refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedMessage {
    /// Its number: its place in the outbox.
    pub number: i64,
    /// The message.
    pub message: Outgoing,
    /// The broker's words.
    pub reason: String,
    /// When it was refused.
    pub refused_at: Timestamp,
}

impl Db {
    /// Messages of the outbox that the broker refused for good, the oldest first, up to 100 behind
    /// the one of this number.
    pub async fn refused(&self, after: i64) -> Result<Vec<RefusedMessage>, Error> {
        let find = format!(
            "SELECT {}, reason, refused_at FROM {{p}}refused WHERE seq > $1
            ORDER BY seq LIMIT 100",
            outbox::COLUMNS
        );
        let mut reader = self.reader().await?;
        let find = sqlx::query(self.sql(&find)).bind(after);
        let rows = find.fetch_all(&mut *reader).await?;
        rows.iter().map(RefusedMessage::read).collect()
    }

    /// Sends a refused message again, in its old place among those of its key that are still here.
    /// Returns whether there is such a message.
    pub async fn retry_refused(&self, number: i64) -> Result<bool, Error> {
        // What comes before it in order is gone already, so it needn't wait for open transactions.
        // If it did, those behind it, which are older, would overtake it.
        let (xid, oldest) = match self.dialect() {
            Dialect::Sqlite => ("", ""),
            Dialect::Postgres => (", xid", ", '0'::xid8"),
        };
        let copy = format!(
            "INSERT INTO {{p}}outbox (seq, lane, kind, destination, key, message_id,
                content_type, headers, body, created_at, due_at{xid})
            SELECT seq, lane, kind, destination, key, message_id, content_type, headers, body,
                created_at, 0{oldest} FROM {{p}}refused WHERE seq = $1"
        );
        let mut tx = self.begin().await?;
        let copy = sqlx::query(self.sql(&copy)).bind(number);
        copy.execute(&mut *tx).await?;
        tx.open_mut().sends = true;
        self.remove_refused(tx, number).await
    }

    /// Gives a refused message up. Returns whether there is such a message.
    pub async fn drop_refused(&self, number: i64) -> Result<bool, Error> {
        let tx = self.begin().await?;
        self.remove_refused(tx, number).await
    }

    async fn remove_refused(&self, mut tx: Tx, number: i64) -> Result<bool, Error> {
        let remove = "DELETE FROM {p}refused WHERE seq = $1";
        let remove = sqlx::query(self.sql(remove)).bind(number);
        let removed = remove.execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        Ok(removed > 0)
    }
}

impl RefusedMessage {
    fn read(row: &AnyRow) -> Result<Self, Error> {
        let sending = Sending::read(row)?;
        Ok(Self {
            number: sending.seq,
            message: sending.message,
            reason: row.try_get("reason")?,
            refused_at: Timestamp::from_micros(row.try_get("refused_at")?),
        })
    }
}
