//! The tables of the orchestrator and of participants.
//!
//! ```text
//! sagas         one row an instance: its plan's version, its state, when it is due
//! saga_commands which attempt at which step a command is, by its message id
//! saga_log      an instance's history
//! saga_actions  what a participant did or must not do, by action id
//! saga_requests what operators ask, until a process that has the plan has done it
//! saga_plans    the plans that processes have, for people
//! ```

use stele_toolkit_envelope::{Envelope, Timestamp};
use stele_toolkit_sql::{
    Db, Dialect, Migration, Tx,
    sqlx::{self, Row as _, any::AnyRow},
};

use crate::{Action, Answered, Entry, SagaError, Status, any_plan::Turned};

pub(crate) const COMPONENT: &str = "saga";

pub(crate) const MIGRATIONS: &[Migration] = &[FIRST, SECOND, THIRD];

const FIRST: Migration = Migration::portable(
    1,
    "CREATE TABLE {p}sagas (
        name TEXT NOT NULL,
        id TEXT NOT NULL,
        version BIGINT NOT NULL,
        status TEXT NOT NULL,
        is_stuck BIGINT NOT NULL,
        due_at BIGINT,
        started_at BIGINT NOT NULL,
        changed_at BIGINT NOT NULL,
        started_by TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (id, name)
    );
    CREATE INDEX {p}sagas_due ON {p}sagas (due_at) WHERE due_at IS NOT NULL;
    CREATE TABLE {p}saga_commands (
        message_id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        id TEXT NOT NULL,
        step BIGINT NOT NULL,
        attempt BIGINT NOT NULL,
        action TEXT NOT NULL
    );
    CREATE TABLE {p}saga_log (
        seq {serial},
        name TEXT NOT NULL,
        id TEXT NOT NULL,
        at BIGINT NOT NULL,
        entry TEXT NOT NULL
    );
    CREATE INDEX {p}saga_log_of ON {p}saga_log (id, name, seq);
    CREATE TABLE {p}saga_actions (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        reply TEXT,
        at BIGINT NOT NULL
    );",
);

const SECOND: Migration = Migration::portable(
    2,
    "CREATE TABLE {p}saga_requests (
        seq {serial},
        name TEXT NOT NULL,
        id TEXT NOT NULL,
        action TEXT NOT NULL,
        asked_at BIGINT NOT NULL,
        done_at BIGINT,
        problem TEXT
    );
    CREATE INDEX {p}saga_requests_open ON {p}saga_requests (seq) WHERE done_at IS NULL;
    CREATE INDEX {p}sagas_changed ON {p}sagas (changed_at);
    CREATE TABLE {p}saga_plans (
        name TEXT NOT NULL,
        version BIGINT NOT NULL,
        diagram TEXT NOT NULL,
        known_at BIGINT NOT NULL,
        PRIMARY KEY (name, version)
    );",
);

/// Ended instances are found by their age, and open and stuck ones are counted, without a look at
/// the others.
const THIRD: Migration = Migration::portable(
    3,
    "CREATE INDEX {p}sagas_ended ON {p}sagas (name, changed_at)
        WHERE status IN ('done', 'undone') AND is_stuck = 0;
    CREATE INDEX {p}sagas_open ON {p}sagas (name, started_at, status)
        WHERE status IN ('running', 'undoing');
    CREATE INDEX {p}sagas_stuck ON {p}sagas (name, is_stuck) WHERE is_stuck = 1;
    CREATE INDEX {p}saga_requests_of ON {p}saga_requests (id, name);",
);

/// A stored instance.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) status: Status,
    pub(crate) is_stuck: bool,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) started_at: Timestamp,
    pub(crate) changed_at: Timestamp,
    pub(crate) started_by: String,
    pub(crate) body: String,
}

const COLUMNS: &str =
    "name, id, version, status, is_stuck, due_at, started_at, changed_at, started_by, body";

impl Stored {
    pub(crate) fn read(row: &AnyRow) -> Result<Self, SagaError> {
        let (name, id): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let word: String = row.try_get(3)?;
        let status = Status::of_word(&word);
        let status = status.ok_or_else(|| SagaError::unreadable(&name, &id, &word))?;
        let version = u32::try_from(row.try_get::<i64, _>(2)?);
        let time = |at: usize| Ok::<_, sqlx::Error>(Timestamp::from_micros(row.try_get(at)?));
        Ok(Self {
            version: version.map_err(|error| SagaError::unreadable(&name, &id, error))?,
            status,
            is_stuck: row.try_get::<i64, _>(4)? != 0,
            due_at: row
                .try_get::<Option<i64>, _>(5)?
                .map(Timestamp::from_micros),
            started_at: time(6)?,
            changed_at: time(7)?,
            started_by: row.try_get(8)?,
            body: row.try_get(9)?,
            name,
            id,
        })
    }
}

/// The query for instances, which ends with `rest`.
pub(crate) fn select(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM {{p}}sagas sagas {rest}")
}

/// The instances of an id, kept from all others until the transaction ends.
pub(crate) async fn locked(tx: &mut Tx, id: &str) -> Result<Vec<Stored>, SagaError> {
    let text = select("WHERE id = $1 ORDER BY name") + locking(tx, " FOR UPDATE");
    let query = sqlx::query(tx.db().sql(&text)).bind(id.to_owned());
    let rows = query.fetch_all(&mut **tx).await?;
    rows.iter().map(Stored::read).collect()
}

/// Up to `max` instances of these plans, by name and version, that have a deadline by now, kept
/// from all others until the transaction ends. Those that others have are passed over.
pub(crate) async fn due(
    tx: &mut Tx,
    plans: &[(&'static str, u32)],
    max: u32,
) -> Result<Vec<Stored>, SagaError> {
    let text = format!(
        "WHERE due_at <= $1 AND {} ORDER BY due_at LIMIT $2",
        of_plans("sagas", 3, plans)
    );
    let text = select(&text) + locking(tx, " FOR UPDATE SKIP LOCKED");
    let mut query = sqlx::query(tx.db().sql(&text))
        .bind(tx.now().as_micros())
        .bind(i64::from(max));
    for (name, version) in plans {
        query = query.bind(*name).bind(i64::from(*version));
    }
    let rows = query.fetch_all(&mut **tx).await?;
    rows.iter().map(Stored::read).collect()
}

/// The first deadline of an instance of these plans.
pub(crate) async fn due_at(
    db: &Db,
    plans: &[(&'static str, u32)],
) -> Result<Option<Timestamp>, SagaError> {
    let text = "SELECT MIN(due_at) FROM {p}sagas sagas WHERE due_at IS NOT NULL AND ";
    let text = text.to_owned() + &of_plans("sagas", 1, plans);
    let mut query = sqlx::query(db.sql(&text));
    for (name, version) in plans {
        query = query.bind(*name).bind(i64::from(*version));
    }
    let mut reader = db.reader().await?;
    let first: Option<i64> = query.fetch_one(&mut *reader).await?.try_get(0)?;
    Ok(first.map(Timestamp::from_micros))
}

/// The condition that an instance, a row of `table`, goes by one of these plans. Their names and
/// versions are the parameters from `$first` on.
pub(crate) fn of_plans(table: &str, first: usize, plans: &[(&'static str, u32)]) -> String {
    let places = (first..).step_by(2).take(plans.len());
    let of_plan = places.map(|at| {
        let next = at + 1;
        format!("{table}.name = ${at} AND {table}.version = ${next}")
    });
    let any = of_plan.collect::<Vec<_>>().join(" OR ");
    format!("({})", if any.is_empty() { "1 = 0" } else { &any })
}

/// What makes a query keep its rows from others. SQLite's transactions that write wait for each
/// other anyhow.
pub(crate) fn locking(tx: &Tx, clause: &'static str) -> &'static str {
    match tx.db().dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => clause,
    }
}

/// Stores a new instance; says whether there was none.
pub(crate) async fn insert(
    tx: &mut Tx,
    name: &str,
    version: u32,
    id: &str,
    cause: &Envelope,
    turned: &Turned,
) -> Result<bool, SagaError> {
    let text = format!(
        "INSERT INTO {{p}}sagas ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)
         ON CONFLICT DO NOTHING"
    );
    let started_by = String::from_utf8_lossy(&cause.encode()).into_owned();
    let now = tx.now().as_micros();
    let query = sqlx::query(tx.db().sql(&text))
        .bind(name.to_owned())
        .bind(id.to_owned())
        .bind(i64::from(version))
        .bind(turned.status.word())
        .bind(i64::from(turned.is_stuck))
        .bind(turned.due_at.map(Timestamp::as_micros))
        .bind(now)
        .bind(started_by)
        .bind(turned.body.clone());
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

/// Stores what a decision made of an instance.
pub(crate) async fn update(
    tx: &mut Tx,
    name: &str,
    id: &str,
    turned: &Turned,
) -> Result<(), SagaError> {
    let text = "UPDATE {p}sagas SET status = $3, is_stuck = $4, due_at = $5, changed_at = $6,
        body = $7 WHERE name = $1 AND id = $2";
    let now = tx.now().as_micros();
    let query = sqlx::query(tx.db().sql(text))
        .bind(name.to_owned())
        .bind(id.to_owned())
        .bind(turned.status.word())
        .bind(i64::from(turned.is_stuck))
        .bind(turned.due_at.map(Timestamp::as_micros))
        .bind(now)
        .bind(turned.body.clone());
    query.execute(&mut **tx).await?;
    Ok(())
}

pub(crate) async fn log(tx: &mut Tx, name: &str, id: &str, entry: &Entry) -> Result<(), SagaError> {
    let entry =
        serde_json::to_string(entry).map_err(|error| SagaError::unreadable(name, id, error))?;
    let text = "INSERT INTO {p}saga_log (name, id, at, entry) VALUES ($1, $2, $3, $4)";
    let now = tx.now().as_micros();
    let query = sqlx::query(tx.db().sql(text))
        .bind(name.to_owned())
        .bind(id.to_owned())
        .bind(now)
        .bind(entry);
    query.execute(&mut **tx).await?;
    Ok(())
}

/// Notes which attempt a command is.
pub(crate) async fn note_command(
    tx: &mut Tx,
    message_id: &str,
    (name, id): (&str, &str),
    (step, attempt, action): (usize, u32, Action),
) -> Result<(), SagaError> {
    let text = "INSERT INTO {p}saga_commands (message_id, name, id, step, attempt, action)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sqlx::query(tx.db().sql(text))
        .bind(message_id.to_owned())
        .bind(name.to_owned())
        .bind(id.to_owned())
        .bind(i64::try_from(step).unwrap_or(i64::MAX))
        .bind(i64::from(attempt))
        .bind(action.word());
    query.execute(&mut **tx).await?;
    Ok(())
}

/// The command of this instance that a message is.
pub(crate) async fn command(
    tx: &mut Tx,
    message_id: &str,
    name: &str,
    id: &str,
) -> Result<Answered, SagaError> {
    let text = "SELECT step, attempt, action FROM {p}saga_commands
        WHERE message_id = $1 AND name = $2 AND id = $3";
    let query = sqlx::query(tx.db().sql(text))
        .bind(message_id.to_owned())
        .bind(name.to_owned())
        .bind(id.to_owned());
    let Some(row) = query.fetch_optional(&mut **tx).await? else {
        return Ok(Answered::Other);
    };
    let bad = |what: &str| SagaError::unreadable(name, id, what);
    let step = usize::try_from(row.try_get::<i64, _>(0)?).map_err(|_| bad("step"))?;
    let attempt = u32::try_from(row.try_get::<i64, _>(1)?).map_err(|_| bad("attempt"))?;
    let word: String = row.try_get(2)?;
    let action = Action::of_word(&word).ok_or_else(|| bad("action"))?;
    Ok(Answered::Command {
        step,
        attempt,
        action,
    })
}

/// Looks at an instance again later, whose deadline can't be told to it now.
pub(crate) async fn postpone(
    tx: &mut Tx,
    stored: &Stored,
    until: Timestamp,
) -> Result<(), SagaError> {
    let text = "UPDATE {p}sagas SET due_at = $3, is_stuck = 1 WHERE name = $1 AND id = $2";
    let query = sqlx::query(tx.db().sql(text))
        .bind(stored.name.clone())
        .bind(stored.id.clone())
        .bind(until.as_micros());
    query.execute(&mut **tx).await?;
    Ok(())
}

/// Notes a plan that this process has.
pub(crate) async fn note_plan(
    tx: &mut Tx,
    name: &str,
    version: u32,
    diagram: String,
) -> Result<(), SagaError> {
    let text = "INSERT INTO {p}saga_plans (name, version, diagram, known_at)
        VALUES ($1, $2, $3, $4) ON CONFLICT (name, version) DO UPDATE
        SET diagram = excluded.diagram, known_at = excluded.known_at";
    let now = tx.now().as_micros();
    let query = sqlx::query(tx.db().sql(text))
        .bind(name.to_owned())
        .bind(i64::from(version))
        .bind(diagram)
        .bind(now);
    query.execute(&mut **tx).await?;
    Ok(())
}

/// Forgets which commands an instance has sent: it has ended.
pub(crate) async fn forget_commands(tx: &mut Tx, name: &str, id: &str) -> Result<(), SagaError> {
    let text = "DELETE FROM {p}saga_commands WHERE name = $1 AND id = $2";
    let query = sqlx::query(tx.db().sql(text))
        .bind(name.to_owned())
        .bind(id.to_owned());
    query.execute(&mut **tx).await?;
    Ok(())
}
