//! Reading events.

use sqlx::{Row, any::AnyRow};
use stele_toolkit_bus::StoreError;
use stele_toolkit_envelope::Envelope;
use stele_toolkit_sql::{Db, Dialect, sqlx};

use super::{failed, number, placeholders, time, unsigned};
use crate::{Page, Position, ReadError, Recorded, StreamId, Types, Until};

/// What is read of a row, in this order, before its event.
const COLUMNS: &str = "xid, id, version, recorded_at, stream";

/// The column of the event, behind those.
const EVENT: usize = 5;

/// Events of a stream behind a version.
pub(super) async fn stream(
    db: &Db,
    stream: &StreamId,
    after: u64,
    until: Until,
    limit: usize,
) -> Result<Vec<Recorded>, ReadError> {
    let (condition, last) = match until {
        Until::Latest => ("$3 = $3", 0),
        Until::Version(last) => ("version <= $3", number(last)),
        // Times don't go back in a stream, so this is a beginning of it.
        Until::Time(last) => ("recorded_at <= $3", last.as_micros()),
    };
    let statement = format!(
        "SELECT {COLUMNS}, event FROM {{p}}events
         WHERE stream = $1 AND version > $2 AND {condition} ORDER BY version LIMIT $4"
    );
    let mut reader = db.reader().await.map_err(StoreError::from)?;
    let rows = sqlx::query(db.sql(&statement))
        .bind(stream.as_str())
        .bind(number(after))
        .bind(last)
        .bind(number(limit as u64))
        .fetch_all(&mut *reader)
        .await
        .map_err(failed)?;
    rows.iter().map(recorded).collect()
}

/// Events of all streams behind a position.
pub(super) async fn all(
    db: &Db,
    after: &Position,
    types: &Types,
    limit: usize,
) -> Result<Page, ReadError> {
    let (xid, id) = match after {
        Position::Start => (0, 0),
        Position::Row { xid, id } => (*xid, *id),
        Position::Log(_) => return Err(ReadError::ForeignPosition(after.clone())),
    };
    let names: &[&str] = match types {
        Types::All => &[],
        Types::Named(names) => names,
    };
    let query = db.sql(&of_all(db.dialect(), types));
    let mut query = sqlx::query(query)
        .bind(number(xid))
        .bind(number(id))
        .bind(number(limit as u64));
    for name in names {
        query = query.bind(*name);
    }
    let mut reader = db.reader().await.map_err(StoreError::from)?;
    let rows = query.fetch_all(&mut *reader).await.map_err(failed)?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<i64, _>(EVENT + 1).map_err(failed)? != 0 {
            events.push(recorded(row)?);
        }
    }
    Ok(Page {
        events,
        position: rows.last().map_or_else(|| Ok(after.clone()), position)?,
        is_end: rows.len() < limit,
    })
}

/// The statement for a page of all events. Those of other types come without their text, so that
/// their positions are seen.
fn of_all(dialect: Dialect, types: &Types) -> String {
    let is_wanted = match types {
        Types::All => "1 = 1".to_owned(),
        Types::Named(names) if names.is_empty() => "1 = 0".to_owned(),
        Types::Named(names) => format!("type IN ({})", placeholders(4, names.len())),
    };
    let condition = match dialect {
        // The number of a row says it all. The first comparison is there for its parameter.
        Dialect::Sqlite => "$1 >= 0 AND id > $2 ORDER BY id",
        Dialect::Postgres => {
            "(xid, id) > ($1, $2)
             AND xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
             ORDER BY xid, id"
        }
    };
    format!(
        "SELECT {COLUMNS}, CASE WHEN {is_wanted} THEN event END,
         CASE WHEN {is_wanted} THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END
         FROM {{p}}events WHERE {condition} LIMIT $3"
    )
}

fn position(row: &AnyRow) -> Result<Position, StoreError> {
    let (xid, id) = (unsigned(row, 0)?, unsigned(row, 1)?);
    Ok(Position::Row { xid, id })
}

fn recorded(row: &AnyRow) -> Result<Recorded, ReadError> {
    let position = position(row)?;
    let corrupt = |reason: String| ReadError::Corrupt {
        at: position.clone(),
        reason,
    };
    let stream: &str = row.try_get(4).map_err(failed)?;
    let event: &str = row.try_get(EVENT).map_err(failed)?;
    Ok(Recorded {
        stream: stream
            .parse()
            .map_err(|error| corrupt(format!("{error}")))?,
        version: unsigned(row, 2)?,
        time: time(row, 3)?,
        event: Envelope::decode(event.as_bytes(), usize::MAX)
            .map_err(|error| corrupt(error.to_string()))?,
        position,
    })
}
