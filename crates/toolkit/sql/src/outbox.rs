//! The outbox: messages to send, committed with what they tell of.

use std::time::Duration;

use bytes::Bytes;
use sqlx::{Row, any::AnyRow};
use stele_toolkit_bus::Outgoing;
use stele_toolkit_envelope::Timestamp;

use crate::{Db, Dialect, Error, Tx, migrate::stable_hash, stored};

/// Messages of one key share a lane, and a lane is sent by one relay at a time.
pub(crate) const LANES: u64 = 16;

/// How many messages one statement inserts at most: 10 values each, of 32,766 that SQLite takes.
const ROWS_MAX: usize = 256;

impl Tx {
    /// Messages to send if and only if this transaction is committed. Those of one key are sent in
    /// this order; a delayed one is sent when it is due, whatever its key.
    pub async fn send(&mut self, messages: &[Outgoing]) -> Result<(), Error> {
        let now = self.now();
        for some in messages.chunks(ROWS_MAX) {
            insert(self, some, now).await?;
            self.open_mut().sends = true;
        }
        Ok(())
    }
}

async fn insert(tx: &mut Tx, messages: &[Outgoing], now: Timestamp) -> Result<(), Error> {
    let insert = format!(
        "INSERT INTO {{p}}outbox (lane, kind, destination, key, message_id, content_type, headers,
            body, created_at, due_at) VALUES {}",
        places(messages.len())
    );
    let mut insert = sqlx::query(tx.db().sql(&insert));
    for message in messages {
        let due = match message.delay {
            Duration::ZERO => 0,
            delay => (now + delay).as_micros(),
        };
        insert = insert
            .bind(lane(message))
            .bind(stored::kind(&message.to))
            .bind(message.to.name())
            .bind(&message.key)
            .bind(&message.message_id)
            .bind(&message.content_type)
            .bind(stored::headers_to_json(&message.headers).to_string())
            .bind(message.body.to_vec())
            .bind(now.as_micros())
            .bind(due);
    }
    insert.execute(&mut **tx).await?;
    Ok(())
}

/// `($1, …, $10), ($11, …` for this many rows.
fn places(rows: usize) -> String {
    const VALUES: usize = 10;
    let row = |row: usize| {
        let values: Vec<String> = (1..=VALUES)
            .map(|n| format!("${}", row * VALUES + n))
            .collect();
        format!("({})", values.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

fn lane(message: &Outgoing) -> i64 {
    let key = if message.key.is_empty() {
        &message.message_id
    } else {
        &message.key
    };
    (stable_hash(key.as_bytes()) % LANES).cast_signed()
}

/// A message of the outbox.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) seq: i64,
    pub(crate) lane: i64,
    pub(crate) message: Outgoing,
}

/// What [`Sending::read`] reads, from the outbox or the refused messages.
pub(crate) const COLUMNS: &str =
    "seq, lane, kind, destination, key, message_id, content_type, headers, body";

impl Sending {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, Error> {
        let headers = row.try_get::<&str, _>("headers")?;
        let message = Outgoing {
            to: stored::destination(row.try_get("kind")?, row.try_get("destination")?),
            key: row.try_get("key")?,
            message_id: row.try_get("message_id")?,
            content_type: row.try_get("content_type")?,
            headers: stored::column("outbox", headers, stored::headers_of_json)?,
            body: Bytes::from(row.try_get::<Vec<u8>, _>("body")?),
            delay: Duration::ZERO,
        };
        Ok(Self {
            seq: row.try_get("seq")?,
            lane: row.try_get("lane")?,
            message,
        })
    }
}

/// What waits in the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxStatus {
    /// Messages that wait to be sent, those that are delayed included. The metric `outbox_depth`.
    pub waiting: u64,
    /// How long the oldest message that is due has waited. The metric `outbox_oldest_seconds`.
    pub oldest: Duration,
    /// Messages that the broker refused for good.
    pub refused: u64,
    /// PostgreSQL: the age of the oldest open transaction that writes. What was committed after it
    /// had begun to write waits for it.
    pub oldest_transaction: Duration,
}

impl Db {
    /// What waits in the outbox.
    pub async fn outbox_status(&self) -> Result<OutboxStatus, Error> {
        let count = "SELECT (SELECT COUNT(*) FROM {p}outbox), (SELECT COUNT(*) FROM {p}refused),
            (SELECT MIN(CASE WHEN due_at > 0 THEN due_at ELSE created_at END) FROM {p}outbox
                WHERE due_at <= $1)";
        let now = self.now();
        let mut reader = self.reader().await?;
        let count = sqlx::query(self.sql(count)).bind(now.as_micros());
        let row = count.fetch_one(&mut *reader).await?;
        let oldest = row.try_get::<Option<i64>, _>(2)?;
        let oldest_transaction = match self.dialect() {
            Dialect::Sqlite => 0,
            Dialect::Postgres => {
                let age = "SELECT COALESCE(CAST(EXTRACT(EPOCH FROM
                    clock_timestamp() - MIN(xact_start)) * 1000000 AS BIGINT), 0)
                    FROM pg_stat_activity WHERE backend_xid IS NOT NULL";
                sqlx::query_scalar::<_, i64>(age)
                    .fetch_one(&mut *reader)
                    .await?
            }
        };
        Ok(OutboxStatus {
            waiting: count_of(row.try_get(0)?),
            refused: count_of(row.try_get(1)?),
            oldest: now.since(oldest.map_or(now, Timestamp::from_micros)),
            oldest_transaction: Duration::from_micros(count_of(oldest_transaction)),
        })
    }
}

/// What the database counts, which is never negative.
pub(crate) fn count_of(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
