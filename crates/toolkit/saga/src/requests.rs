//! What operators ask of instances, as rows: the tool that asks hasn't the plan, and a process that
//! has it does what is asked.

use stele_toolkit_sql::{
    Db, Tx,
    sqlx::{self, Row as _},
};

use crate::{Operator, SagaError, SagaId, rows};

/// A request that was made.
#[derive(Clone, Debug)]
pub struct Request {
    db: Db,
    seq: i64,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// No process that has the plan has looked at it yet. It isn't forgotten.
    Open,
    /// It is done.
    Done,
    /// It was refused.
    Refused {
        /// Why.
        reason: String,
    },
}

impl Request {
    /// What has come of it by now.
    pub async fn outcome(&self) -> Result<RequestOutcome, SagaError> {
        let text = "SELECT done_at, problem FROM {p}saga_requests WHERE seq = $1";
        let mut reader = self.db.reader().await?;
        let query = sqlx::query(self.db.sql(text)).bind(self.seq);
        let row = query.fetch_one(&mut *reader).await?;
        let done_at: Option<i64> = row.try_get(0)?;
        let problem: Option<String> = row.try_get(1)?;
        Ok(match (done_at, problem) {
            (None, _) => RequestOutcome::Open,
            (Some(_), None) => RequestOutcome::Done,
            (Some(_), Some(reason)) => RequestOutcome::Refused { reason },
        })
    }
}

pub(crate) async fn add(
    db: &Db,
    name: &str,
    id: &SagaId,
    action: Operator,
) -> Result<Request, SagaError> {
    let text = "INSERT INTO {p}saga_requests (name, id, action, asked_at)
        VALUES ($1, $2, $3, $4) RETURNING seq";
    let mut tx = db.begin().await?;
    let query = sqlx::query(db.sql(text))
        .bind(name.to_owned())
        .bind(id.0.clone())
        .bind(action.word())
        .bind(db.now().as_micros());
    let seq = query.fetch_one(&mut *tx).await?.try_get(0)?;
    tx.commit().await?;
    Ok(Request {
        db: db.clone(),
        seq,
    })
}

/// A request, taken.
#[derive(Debug)]
pub(crate) struct Taken {
    seq: i64,
    pub(crate) name: String,
    pub(crate) id: SagaId,
    pub(crate) action: Option<Operator>,
}

/// Whether there is a request for an instance of these plans that nobody has looked at.
pub(crate) async fn any(db: &Db, plans: &[(&'static str, u32)]) -> Result<bool, SagaError> {
    let text = open("seq", plans) + " LIMIT 1";
    let mut query = sqlx::query(db.sql(&text));
    for (name, version) in plans {
        query = query.bind(*name).bind(i64::from(*version));
    }
    let mut reader = db.reader().await?;
    Ok(query.fetch_optional(&mut *reader).await?.is_some())
}

/// The oldest request for an instance of these plans, kept from others until the transaction ends.
pub(crate) async fn take(
    tx: &mut Tx,
    plans: &[(&'static str, u32)],
) -> Result<Option<Taken>, SagaError> {
    let text = open("seq, name, id, action", plans)
        + " ORDER BY seq LIMIT 1"
        + rows::locking(tx, " FOR UPDATE SKIP LOCKED");
    let mut query = sqlx::query(tx.db().sql(&text));
    for (name, version) in plans {
        query = query.bind(*name).bind(i64::from(*version));
    }
    let Some(row) = query.fetch_optional(&mut **tx).await? else {
        return Ok(None);
    };
    let word: String = row.try_get(3)?;
    Ok(Some(Taken {
        seq: row.try_get(0)?,
        name: row.try_get(1)?,
        id: SagaId(row.try_get(2)?),
        action: Operator::of_word(&word),
    }))
}

/// Notes what came of a request.
pub(crate) async fn answer(
    tx: &mut Tx,
    taken: &Taken,
    problem: Option<String>,
) -> Result<(), SagaError> {
    let text = "UPDATE {p}saga_requests SET done_at = $2, problem = $3 WHERE seq = $1";
    let now = tx.now().as_micros();
    let query = sqlx::query(tx.db().sql(text))
        .bind(taken.seq)
        .bind(now)
        .bind(problem);
    query.execute(&mut **tx).await?;
    Ok(())
}

/// The query for the requests to instances of these plans that nobody has looked at.
fn open(columns: &str, plans: &[(&'static str, u32)]) -> String {
    let of_plans = rows::of_plans("s", 1, plans);
    format!(
        "SELECT {columns} FROM {{p}}saga_requests r WHERE done_at IS NULL
            AND EXISTS (SELECT 1 FROM {{p}}sagas s
                WHERE s.name = r.name AND s.id = r.id AND {of_plans})"
    )
}
