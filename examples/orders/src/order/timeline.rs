//! The timeline of an order: every event that any service has published about it.

mod live;

pub(super) use live::{Changes, live};

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{Destination, Failure, Raw, Service, State};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{
    Db, Error, Migration, Tx,
    sqlx::{self, Row as _, any::AnyRow},
};

use crate::topology::{TIMELINE, TOPICS};

pub(super) const MIGRATIONS: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE timeline (
        message_id TEXT PRIMARY KEY,
        order_id TEXT NOT NULL,
        at BIGINT NOT NULL,
        type TEXT NOT NULL,
        source TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        causation_id TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        data TEXT NOT NULL
    );
    CREATE INDEX timeline_by_order ON timeline (order_id, at)",
)];

/// An event of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The message.
    pub message_id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(rename = "type")]
    pub message_type: String,
    /// The service that says so.
    pub source: String,
    /// What it belongs to.
    pub correlation_id: String,
    /// The message that it follows from, or nothing.
    pub causation_id: String,
    /// Its trace, or nothing.
    pub trace_id: String,
    /// Its number among the order service's events of the order, from 1; 0 if it has none.
    pub sequence: i64,
    /// The message's data, as JSON text.
    pub data: String,
}

pub(super) fn service(changes: Changes) -> Service {
    let service = Service::new(TIMELINE).state(changes);
    TOPICS.into_iter().fold(service, |service, topic| {
        service.on_raw(Destination::Topic(topic.to_owned()), keep)
    })
}

async fn keep(
    Raw(message): Raw,
    mut tx: Tx,
    State(changes): State<Changes>,
) -> Result<(), Failure> {
    let envelope = message.envelope.as_ref();
    let envelope = envelope.ok_or_else(|| Failure::reject("not a message of the shop"))?;
    let trace = envelope.metadata.trace.id();
    let sequence = envelope.metadata.sequence.unwrap_or_default();
    let insert = "INSERT INTO timeline (message_id, order_id, at, type, source, correlation_id,
            causation_id, trace_id, sequence, data)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
    sqlx::query(insert)
        .bind(envelope.message_id.clone())
        .bind(message.message.key.clone())
        .bind(envelope.timestamp.as_micros())
        .bind(envelope.message_type.clone())
        .bind(envelope.source.clone())
        .bind(envelope.correlation_id.clone())
        .bind(envelope.metadata.causation_id.clone().unwrap_or_default())
        .bind(trace.map(|trace| trace.to_string()).unwrap_or_default())
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .bind(envelope.data.as_str().to_owned())
        .execute(&mut *tx)
        .await?;
    let order_id = message.message.key.clone();
    tx.after_commit(move || changes.tell(order_id));
    Ok(())
}

/// What was published about an order, in the order of its times.
pub(super) async fn of(db: &Db, order_id: &str) -> Result<Vec<Entry>, Error> {
    let read = "SELECT message_id, at, type, source, correlation_id, causation_id, trace_id,
            sequence, data FROM timeline WHERE order_id = $1 ORDER BY at, message_id";
    let mut reader = db.reader().await?;
    let read = sqlx::query(read).bind(order_id.to_owned());
    let rows = read.fetch_all(&mut *reader).await?;
    Ok(rows.iter().map(entry).collect::<Result<_, _>>()?)
}

fn entry(row: &AnyRow) -> Result<Entry, sqlx::Error> {
    Ok(Entry {
        message_id: row.try_get(0)?,
        at: Timestamp::from_micros(row.try_get(1)?),
        message_type: row.try_get(2)?,
        source: row.try_get(3)?,
        correlation_id: row.try_get(4)?,
        causation_id: row.try_get(5)?,
        trace_id: row.try_get(6)?,
        sequence: row.try_get(7)?,
        data: row.try_get(8)?,
    })
}
