//! Appending events.

use std::fmt::Write;

use sqlx::Row;
use stele_toolkit_bus::StoreError;
use stele_toolkit_envelope::{Envelope, Timestamp};
use stele_toolkit_sql::{Dialect, Tx, sqlx};

use super::{current_xid, failed, number, placeholders, time, unsigned};
use crate::{AppendError, Appended, Expected, Position, StreamId};

/// What came of an append.
pub(super) enum Outcome {
    Appended(Appended),
    /// The stream has another version. Nothing was written.
    Unexpected,
    /// An event's id is there already. The transaction has to be rolled back.
    IdInUse,
}

/// A stream's row after it was changed.
struct Head {
    version: u64,
    recorded_at: Timestamp,
    xid: u64,
}

/// Appends events, which the caller has encoded.
pub(super) async fn append(
    tx: &mut Tx,
    stream: &StreamId,
    expected: Expected,
    events: &[Envelope],
    encoded: Vec<Vec<u8>>,
) -> Result<Outcome, AppendError> {
    let Some(head) = advance(tx, stream, expected, events).await? else {
        return Ok(Outcome::Unexpected);
    };
    let mut version = head.version - events.len() as u64;
    let mut last_id = 0;
    let mut encoded = encoded.into_iter();
    for chunk in events.chunks(ROWS_MAX) {
        let texts = encoded.by_ref().take(chunk.len());
        let texts = texts.map(|json| String::from_utf8(json).expect("JSON is UTF-8"));
        let inserted = insert(tx, stream, &head, version, chunk, texts).await?;
        let Some(id) = inserted else {
            return Ok(Outcome::IdInUse);
        };
        last_id = id;
        version += chunk.len() as u64;
    }
    let (xid, id) = (head.xid, last_id);
    Ok(Outcome::Appended(Appended {
        version: head.version,
        position: Position::Row { xid, id },
        is_repeated: false,
    }))
}

/// Moves a stream's row forward by these events, and so locks it. `None` if it has another version
/// than expected.
async fn advance(
    tx: &mut Tx,
    stream: &StreamId,
    expected: Expected,
    events: &[Envelope],
) -> Result<Option<Head>, StoreError> {
    let latest = events.iter().map(|event| event.timestamp).max();
    let (xid, greatest) = match tx.db().dialect() {
        Dialect::Sqlite => (current_xid(Dialect::Sqlite), "MAX"),
        Dialect::Postgres => (current_xid(Dialect::Postgres), "GREATEST"),
    };
    let insert = format!(
        "INSERT INTO {{p}}streams AS s (stream, version, recorded_at, xid)
         VALUES ($1, $2, $3, {xid}) ON CONFLICT (stream)"
    );
    let changes = format!(
        "SET version = s.version + $2, recorded_at = {greatest}(s.recorded_at, $3),
         xid = {greatest}(s.xid, {xid})"
    );
    let (statement, version) = match expected {
        Expected::Any => (format!("{insert} DO UPDATE {changes}"), None),
        Expected::NoStream | Expected::Version(0) => (format!("{insert} DO NOTHING"), None),
        Expected::Version(version) => (
            format!("UPDATE {{p}}streams AS s {changes} WHERE stream = $1 AND version = $4"),
            Some(version),
        ),
    };
    let statement = format!("{statement} RETURNING version, recorded_at, xid");
    let mut query = sqlx::query(tx.db().sql(&statement))
        .bind(stream.as_str())
        .bind(number(events.len() as u64))
        .bind(latest.unwrap_or(Timestamp::MIN).as_micros());
    if let Some(version) = version {
        query = query.bind(number(version));
    }
    let row = query.fetch_optional(&mut **tx).await.map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Head {
        version: unsigned(&row, 0)?,
        recorded_at: time(&row, 1)?,
        xid: unsigned(&row, 2)?,
    }))
}

/// The most rows of one statement: PostgreSQL's protocol counts parameters in 16 bits, SQLite takes
/// 32,766 by default.
const ROWS_MAX: usize = 100;

const COLUMNS: usize = 7;

/// Inserts rows behind a version, and returns the last one's number; `None` if an id is there
/// already.
async fn insert(
    tx: &mut Tx,
    stream: &StreamId,
    head: &Head,
    after: u64,
    events: &[Envelope],
    texts: impl Iterator<Item = String>,
) -> Result<Option<u64>, StoreError> {
    let mut statement = String::from(
        "INSERT INTO {p}events (xid, stream, version, event_id, type, recorded_at, event) VALUES ",
    );
    for row in 0..events.len() {
        let comma = if row == 0 { "" } else { "," };
        // Writing to a string can't fail.
        let _ = write!(
            statement,
            "{comma}({})",
            placeholders(1 + row * COLUMNS, COLUMNS)
        );
    }
    statement.push_str(" ON CONFLICT (event_id) DO NOTHING RETURNING id");
    let mut query = sqlx::query(tx.db().sql(&statement)).persistent(events.len() == 1);
    for ((version, event), text) in (after + 1..).zip(events).zip(texts) {
        query = query
            .bind(number(head.xid))
            .bind(stream.as_str())
            .bind(number(version))
            .bind(event.message_id.as_str())
            .bind(event.message_type.as_str())
            .bind(head.recorded_at.as_micros())
            .bind(text);
    }
    let rows = query.fetch_all(&mut **tx).await.map_err(failed)?;
    if rows.len() < events.len() {
        return Ok(None);
    }
    let mut ids = rows.iter().map(|row| unsigned(row, 0));
    ids.try_fold(None, |last, id| Ok(last.max(Some(id?))))
}

/// Where these events are, if they are there already: all of them, in this stream, one behind the
/// other. An error if only some are, or elsewhere.
pub(super) async fn repeated(
    tx: &mut Tx,
    stream: &StreamId,
    events: &[Envelope],
) -> Result<Option<Appended>, AppendError> {
    let list = placeholders(1, events.len());
    let statement = format!(
        "SELECT event_id, stream, version, xid, id FROM {{p}}events
         WHERE event_id IN ({list}) ORDER BY version"
    );
    let mut query = sqlx::query(tx.db().sql(&statement)).persistent(events.len() == 1);
    for event in events {
        query = query.bind(event.message_id.as_str());
    }
    let rows = query.fetch_all(&mut **tx).await.map_err(failed)?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(None);
    };
    let mut is_same = rows.len() == events.len();
    for ((row, event), version) in rows.iter().zip(events).zip(unsigned(first, 2)?..) {
        let id: String = row.try_get(0).map_err(failed)?;
        let of: String = row.try_get(1).map_err(failed)?;
        is_same &= id == event.message_id && of == stream.as_str();
        is_same &= unsigned(row, 2)? == version;
    }
    if !is_same {
        return Err(in_use(events));
    }
    Ok(Some(Appended {
        version: unsigned(last, 2)?,
        position: Position::Row {
            xid: unsigned(last, 3)?,
            id: unsigned(last, 4)?,
        },
        is_repeated: true,
    }))
}

/// What is to be said of a stream with another version than expected: that these events are there
/// already, or that there are others.
pub(super) async fn unexpected(
    tx: &mut Tx,
    stream: &StreamId,
    events: &[Envelope],
) -> Result<Appended, AppendError> {
    if let Some(repeated) = repeated(tx, stream, events).await? {
        return Ok(repeated);
    }
    let statement = "SELECT version FROM {p}streams WHERE stream = $1";
    let query = sqlx::query(tx.db().sql(statement)).bind(stream.as_str());
    let row = query.fetch_optional(&mut **tx).await.map_err(failed)?;
    let actual = row.map_or(Ok(0), |row| unsigned(&row, 0))?;
    let stream = stream.clone();
    Err(AppendError::Conflict { stream, actual })
}

pub(super) fn in_use(events: &[Envelope]) -> AppendError {
    let first = events.first().map(|event| event.message_id.clone());
    let id = first.unwrap_or_default();
    AppendError::IdInUse { id }
}
