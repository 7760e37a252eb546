//! The inbox: which messages were handled, by the day of the message.
//!
//! A message's day is that of its own timestamp, so that it meets the same table whenever it is
//! delivered. A day's table is made when its first message comes, and dropped as a whole once it is
//! older than what is remembered.

use sqlx::Row;
use stele_toolkit_bus::{Claim, KeyOrder, Unclaimed};
use stele_toolkit_envelope::Timestamp;

use crate::{Db, Error, Tx, migrate};

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// Clocks of senders that are wrong by more don't get days of their own.
const DAYS_AHEAD_MAX: i64 = 366;

/// The day of a message, counted from the beginning of 1970; `None` if it is too old.
pub(crate) fn day(db: &Db, timestamp: Timestamp, now: Timestamp) -> Option<i64> {
    let today = now.as_micros().div_euclid(DAY_MICROS);
    let day = timestamp.as_micros().div_euclid(DAY_MICROS);
    let oldest = today - i64::from(db.options().inbox_days);
    (day >= oldest).then_some(day.min(today + DAYS_AHEAD_MAX))
}

/// Makes the table of a day, unless it is there, and drops those that are too old.
pub(crate) async fn open_day(db: &Db, day: i64, now: Timestamp) -> Result<(), Error> {
    if db.inbox_days().contains(&day) {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    migrate::lock(&mut tx).await?;
    make_day(&mut tx, day).await?;
    drop_old(&mut tx, now).await?;
    tx.commit().await?;
    db.inbox_days().insert(day);
    Ok(())
}

/// The same for another message of a transaction, with which the table comes or not.
pub(crate) async fn open_day_within(tx: &mut Tx, day: i64) -> Result<(), Error> {
    if !tx.db().inbox_days().contains(&day) {
        migrate::lock(tx).await?;
        make_day(tx, day).await?;
    }
    Ok(())
}

async fn make_day(tx: &mut Tx, day: i64) -> Result<(), Error> {
    let db = tx.db().clone();
    let table = format!(
        "CREATE TABLE IF NOT EXISTS {{p}}inbox_{day} (handler TEXT NOT NULL,
            message_id TEXT NOT NULL, PRIMARY KEY (handler, message_id)) {}",
        db.dialect().pick("WITHOUT ROWID", "")
    );
    sqlx::query(db.sql(&table)).execute(&mut **tx).await?;
    let note = "INSERT INTO {p}inbox_days (day) VALUES ($1) ON CONFLICT DO NOTHING";
    sqlx::query(db.sql(note))
        .bind(day)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn drop_old(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    let db = tx.db().clone();
    let today = now.as_micros().div_euclid(DAY_MICROS);
    let oldest = today - i64::from(db.options().inbox_days);
    let old = "DELETE FROM {p}inbox_days WHERE day < $1 RETURNING day";
    let old = sqlx::query(db.sql(old)).bind(oldest);
    for row in old.fetch_all(&mut **tx).await? {
        let old: i64 = row.try_get(0)?;
        let table = format!("DROP TABLE IF EXISTS {{p}}inbox_{old}");
        sqlx::query(db.sql(&table)).execute(&mut **tx).await?;
        db.inbox_days().remove(&old);
    }
    // These are few: only redelivered messages are counted.
    let attempts = "DELETE FROM {p}attempts WHERE day < $1";
    let attempts = sqlx::query(db.sql(attempts)).bind(oldest);
    attempts.execute(&mut **tx).await?;
    Ok(())
}

/// Claims a message in a transaction, whose day is open.
pub(crate) async fn claim(
    tx: &mut Tx,
    claim: &Claim<'_>,
    day: Option<i64>,
) -> Result<Option<Unclaimed>, Error> {
    let claimed = match (claim.is_parked, day) {
        (false, None) => Ok(Some(Unclaimed::TooOld)),
        (false, Some(day)) => claim_new(tx, claim, day).await,
        (true, day) => claim_parked(tx, claim, day).await,
    };
    // Nothing in these statements comes from outside but values, so a refusal isn't the message's
    // fault: another process has dropped the day, for example. The next try looks again.
    claimed.map_err(|error| {
        tx.db().inbox_days().clear();
        match error {
            Error::Refused(source) => Error::Unavailable(source),
            other => other,
        }
    })
}

async fn claim_new(tx: &mut Tx, claim: &Claim<'_>, day: i64) -> Result<Option<Unclaimed>, Error> {
    /// A reason that is gone when it is asked for leaves nothing in the way.
    const TRIES: usize = 3;
    for _ in 0..TRIES {
        if insert(tx, claim, day).await? {
            return Ok(None);
        }
        if let Some(reason) = reason(tx, claim, day).await? {
            return Ok(Some(reason));
        }
    }
    Err(Error::Unavailable(sqlx::Error::RowNotFound))
}

fn waits(claim: &Claim<'_>) -> bool {
    claim.order == KeyOrder::Strict && !claim.key.is_empty()
}

/// Notes the message as handled, unless anything is in the way: one statement for what nearly
/// always succeeds. If another transaction is claiming the same message, it waits for its end.
async fn insert(tx: &mut Tx, claim: &Claim<'_>, day: i64) -> Result<bool, Error> {
    let behind = if waits(claim) {
        "AND NOT EXISTS (SELECT 1 FROM {p}parked WHERE service = $3 AND key = $4)"
    } else {
        ""
    };
    let insert = format!(
        "INSERT INTO {{p}}inbox_{day} (handler, message_id) SELECT $1, $2
        WHERE NOT EXISTS (SELECT 1 FROM {{p}}parked WHERE handler = $1 AND message_id = $2)
        {behind} ON CONFLICT DO NOTHING"
    );
    let mut insert = sqlx::query(tx.db().sql(&insert))
        .bind(claim.handler)
        .bind(claim.message_id);
    if waits(claim) {
        insert = insert.bind(claim.service).bind(claim.key);
    }
    Ok(insert.execute(&mut **tx).await?.rows_affected() > 0)
}

async fn reason(tx: &mut Tx, claim: &Claim<'_>, day: i64) -> Result<Option<Unclaimed>, Error> {
    let reason = format!(
        "SELECT
        (SELECT COUNT(*) FROM {{p}}inbox_{day} WHERE handler = $1 AND message_id = $2),
        (SELECT COUNT(*) FROM {{p}}parked WHERE handler = $1 AND message_id = $2),
        (SELECT COUNT(*) FROM {{p}}parked WHERE service = $3 AND key = $4)"
    );
    let row = sqlx::query(tx.db().sql(&reason))
        .bind(claim.handler)
        .bind(claim.message_id)
        .bind(claim.service)
        .bind(claim.key)
        .fetch_one(&mut **tx)
        .await?;
    let is_there = |column: usize| row.try_get::<i64, _>(column).map(|count| count > 0);
    Ok(if is_there(0)? {
        Some(Unclaimed::Duplicate)
    } else if is_there(1)? {
        Some(Unclaimed::Waiting)
    } else if waits(claim) && is_there(2)? {
        Some(Unclaimed::Behind)
    } else {
        None
    })
}

/// A parked message is one row, which goes with its handling: so it is handled once, however old it
/// is.
async fn claim_parked(
    tx: &mut Tx,
    claim: &Claim<'_>,
    day: Option<i64>,
) -> Result<Option<Unclaimed>, Error> {
    let remove = "DELETE FROM {p}parked WHERE handler = $1 AND message_id = $2 AND is_dead = 0";
    let remove = sqlx::query(tx.db().sql(remove))
        .bind(claim.handler)
        .bind(claim.message_id);
    if remove.execute(&mut **tx).await?.rows_affected() == 0 {
        return Ok(Some(Unclaimed::Duplicate));
    }
    let Some(day) = day else {
        return Ok(None);
    };
    let insert = format!(
        "INSERT INTO {{p}}inbox_{day} (handler, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    );
    let insert = sqlx::query(tx.db().sql(&insert))
        .bind(claim.handler)
        .bind(claim.message_id);
    let is_new = insert.execute(&mut **tx).await?.rows_affected() > 0;
    Ok((!is_new).then_some(Unclaimed::Duplicate))
}

/// Whether it was handled.
pub(crate) async fn is_handled(tx: &mut Tx, claim: &Claim<'_>, day: i64) -> Result<bool, Error> {
    let find =
        format!("SELECT COUNT(*) FROM {{p}}inbox_{day} WHERE handler = $1 AND message_id = $2");
    let find = sqlx::query_scalar(tx.db().sql(&find))
        .bind(claim.handler)
        .bind(claim.message_id);
    let count: i64 = find.fetch_one(&mut **tx).await?;
    Ok(count > 0)
}

/// Notes a message as handled, unless it is too old to be claimed anyway.
pub(crate) async fn note(
    tx: &mut Tx,
    handler: &str,
    message_id: &str,
    timestamp: Timestamp,
) -> Result<(), Error> {
    let Some(day) = day(tx.db(), timestamp, tx.now()) else {
        return Ok(());
    };
    open_day_within(tx, day).await?;
    let note = format!(
        "INSERT INTO {{p}}inbox_{day} (handler, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    );
    let note = sqlx::query(tx.db().sql(&note))
        .bind(handler)
        .bind(message_id);
    note.execute(&mut **tx).await?;
    Ok(())
}

/// Counts an attempt at a message that isn't parked.
pub(crate) async fn count_attempt(tx: &mut Tx, claim: &Claim<'_>) -> Result<u32, Error> {
    let count = "INSERT INTO {p}attempts (handler, message_id, day, attempts)
        VALUES ($1, $2, $3, 1) ON CONFLICT (handler, message_id)
        DO UPDATE SET attempts = {p}attempts.attempts + 1 RETURNING attempts";
    let day = claim.now.as_micros().div_euclid(DAY_MICROS);
    let count = sqlx::query_scalar(tx.db().sql(count))
        .bind(claim.handler)
        .bind(claim.message_id)
        .bind(day);
    let attempts: i64 = count.fetch_one(&mut **tx).await?;
    Ok(u32::try_from(attempts).unwrap_or(u32::MAX))
}
