//! Messages that were put aside, for another attempt or for good.

use sqlx::{Row, any::AnyRow};
use stele_toolkit_bus::{
    Backlog, Burial, Claim, Due, DueQuery, Incoming, KeyOrder, Origin, Parked, Parking, Story,
};
use stele_toolkit_envelope::Timestamp;

use crate::{Db, Error, Tx, inbox, outbox::count_of, stored};

/// What there is to keep about a message.
struct Aside<'a> {
    message: &'a Incoming,
    origin: &'a Origin,
    story: Option<&'a Story>,
    attempts: u32,
    due: Timestamp,
    letter_id: Option<&'a str>,
}

/// Of an upsert: everything but the message's place is replaced.
const REPLACE: &str = "is_strict = excluded.is_strict, is_dead = excluded.is_dead,
    due_at = excluded.due_at, leased_until = 0, attempts = excluded.attempts,
    message = excluded.message, body = excluded.body, body_edited = NULL,
    origin = excluded.origin, story = excluded.story, letter_id = excluded.letter_id";

/// Whose messages of a key before it don't keep a parked one, `p`, from another attempt.
const IS_FREE: &str = "p.is_dead = 0 AND (p.is_strict = 0 OR p.key = '' OR NOT EXISTS (
    SELECT 1 FROM {p}parked e WHERE e.service = p.service AND e.key = p.key AND e.seq < p.seq))";

pub(crate) async fn park(
    tx: &mut Tx,
    claim: &Claim<'_>,
    parking: &Parking<'_>,
    day: Option<i64>,
) -> Result<(), Error> {
    // Another delivery of it may have been handled while this one failed.
    if let Some(day) = day
        && inbox::is_handled(tx, claim, day).await?
    {
        return Ok(());
    }
    let aside = Aside {
        message: parking.message,
        origin: parking.origin,
        story: parking.story,
        attempts: parking.attempts,
        due: parking.due,
        letter_id: None,
    };
    put(tx, claim, &aside, "").await?;
    forget_attempts(tx, claim).await
}

/// Makes it dead, and sends its letter, unless it is dead already.
pub(crate) async fn bury(
    tx: &mut Tx,
    claim: &Claim<'_>,
    burial: &Burial<'_>,
    day: Option<i64>,
) -> Result<(), Error> {
    if let Some(day) = day
        && inbox::is_handled(tx, claim, day).await?
    {
        return Ok(());
    }
    let aside = Aside {
        message: burial.message,
        origin: burial.origin,
        story: Some(burial.story),
        attempts: burial.story.attempts,
        due: claim.now,
        letter_id: Some(&burial.letter.message_id),
    };
    if put(tx, claim, &aside, "WHERE {p}parked.is_dead = 0").await? {
        tx.send(std::slice::from_ref(burial.letter)).await?;
    }
    forget_attempts(tx, claim).await
}

async fn put(tx: &mut Tx, claim: &Claim<'_>, aside: &Aside<'_>, only: &str) -> Result<bool, Error> {
    let put = format!(
        "INSERT INTO {{p}}parked (service, handler, message_id, message_at, key, is_strict, is_dead,
            due_at, leased_until, attempts, message, body, origin, story, letter_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (handler, message_id) DO UPDATE SET {REPLACE} {only}"
    );
    let story = aside.story.map(serde_json::to_string).transpose();
    let story = story.map_err(|error| Error::Unreadable {
        table: "parked",
        reason: error.to_string(),
    })?;
    let put = sqlx::query(tx.db().sql(&put))
        .bind(claim.service)
        .bind(claim.handler)
        .bind(claim.message_id)
        .bind(claim.timestamp.as_micros())
        .bind(claim.key)
        .bind(i64::from(claim.order == KeyOrder::Strict))
        .bind(i64::from(aside.letter_id.is_some()))
        .bind(aside.due.as_micros())
        .bind(i64::from(aside.attempts))
        .bind(stored::incoming_to_json(aside.message).to_string())
        .bind(aside.message.body.to_vec())
        .bind(stored::origin_to_json(aside.origin).to_string())
        .bind(story)
        .bind(aside.letter_id)
        .execute(&mut **tx)
        .await?;
    Ok(put.rows_affected() > 0)
}

/// From now on they are counted in the message's row.
async fn forget_attempts(tx: &mut Tx, claim: &Claim<'_>) -> Result<(), Error> {
    let forget = "DELETE FROM {p}attempts WHERE handler = $1 AND message_id = $2";
    let forget = sqlx::query(tx.db().sql(forget))
        .bind(claim.handler)
        .bind(claim.message_id);
    forget.execute(&mut **tx).await?;
    Ok(())
}

pub(crate) async fn due(db: &Db, query: &DueQuery<'_>) -> Result<Due, Error> {
    // A look without the write lock first: most of the time there is none.
    let next = next(db, query).await?;
    if next.is_none_or(|next| next > query.now) {
        return Ok(Due {
            messages: Vec::new(),
            next,
        });
    }
    let skip = db.dialect().pick("", "FOR UPDATE SKIP LOCKED");
    let take = format!(
        "UPDATE {{p}}parked SET leased_until = $1, attempts = attempts + 1 WHERE seq IN (
            SELECT p.seq FROM {{p}}parked p
            WHERE p.service = $2 AND p.due_at <= $3 AND p.leased_until <= $3 AND {IS_FREE}
            ORDER BY p.seq LIMIT $4 {skip})
        RETURNING seq, handler, message_id, key, attempts, message,
            COALESCE(body_edited, body) AS body, origin, story"
    );
    let mut tx = db.begin().await?;
    let taken = sqlx::query(db.sql(&take))
        .bind((query.now + query.lease).as_micros())
        .bind(query.service)
        .bind(query.now.as_micros())
        .bind(i64::try_from(query.count_max).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await?;
    let mut messages = taken.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    tx.commit().await?;
    messages.sort_by_key(|(seq, _)| *seq);
    Ok(Due {
        messages: messages.into_iter().map(|(_, message)| message).collect(),
        next: self::next(db, query).await?,
    })
}

async fn next(db: &Db, query: &DueQuery<'_>) -> Result<Option<Timestamp>, Error> {
    let next = format!(
        "SELECT MIN(CASE WHEN p.leased_until > p.due_at THEN p.leased_until ELSE p.due_at END)
        FROM {{p}}parked p WHERE p.service = $1 AND {IS_FREE}"
    );
    let mut reader = db.reader().await?;
    let next = sqlx::query_scalar(db.sql(&next)).bind(query.service);
    let next: Option<i64> = next.fetch_one(&mut *reader).await?;
    Ok(next.map(Timestamp::from_micros))
}

fn read(row: &AnyRow) -> Result<(i64, Parked), Error> {
    let attempts = row.try_get::<i64, _>("attempts")?;
    let parked = Parked {
        handler: row.try_get("handler")?,
        message_id: row.try_get("message_id")?,
        message: message(row)?,
        origin: origin(row)?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        story: story(row)?,
    };
    Ok((row.try_get("seq")?, parked))
}

/// The message, of the columns `message`, `key` and `body`.
pub(crate) fn message(row: &AnyRow) -> Result<Incoming, Error> {
    let (key, body) = (row.try_get("key")?, row.try_get("body")?);
    let text = row.try_get::<&str, _>("message")?;
    stored::column("parked", text, |json| {
        stored::incoming_of_json(json, key, body)
    })
}

pub(crate) fn origin(row: &AnyRow) -> Result<Origin, Error> {
    stored::column("parked", row.try_get("origin")?, stored::origin_of_json)
}

pub(crate) fn story(row: &AnyRow) -> Result<Option<Story>, Error> {
    let Some(text) = row.try_get::<Option<&str>, _>("story")? else {
        return Ok(None);
    };
    let story = serde_json::from_str(text).map_err(|error| Error::Unreadable {
        table: "parked",
        reason: error.to_string(),
    })?;
    Ok(Some(story))
}

/// How many messages of a service are put aside.
pub(crate) async fn backlog(db: &Db, service: &str) -> Result<Backlog, Error> {
    let count = "SELECT COUNT(*), CAST(COALESCE(SUM(is_dead), 0) AS BIGINT)
        FROM {p}parked WHERE service = $1";
    let mut reader = db.reader().await?;
    let count = sqlx::query(db.sql(count)).bind(service);
    let row = count.fetch_one(&mut *reader).await?;
    let (all, dead) = (count_of(row.try_get(0)?), count_of(row.try_get(1)?));
    Ok(Backlog {
        parked: all - dead.min(all),
        dead,
    })
}
