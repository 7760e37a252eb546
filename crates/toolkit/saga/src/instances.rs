//! What operators see of instances, and ask of them. It needs no plan: tools of their own use it
//! on the database of a service.

use std::time::Duration;

use serde::Serialize;
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{
    Db,
    sqlx::{self, Row as _},
};

use crate::{
    Entry, Operator, SagaError, SagaId, Status,
    orchestrator::no_such_instance,
    requests::{self, Request},
    rows::{self, Stored},
};

/// An instance whose deadline has passed by this much stands still: no process that has its plan
/// runs.
const OVERDUE: Duration = Duration::from_secs(60);

/// The instances of sagas, processes and correlations in a database.
#[derive(Clone, Debug)]
pub struct Instances(Db);

/// Which instances to list. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of this saga.
    pub name: Option<String>,
    /// Those of this id.
    pub id: Option<SagaId>,
    /// Those in this state.
    pub status: Option<Status>,
    /// Those that don't get further: they are tried again and again, or nobody looks after their
    /// deadlines.
    pub is_stuck: bool,
}

/// An instance in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The saga's name.
    pub name: String,
    /// Its id.
    pub id: SagaId,
    /// The version of the plan that it goes by.
    pub version: u32,
    /// Where it is.
    pub status: Status,
    /// Whether it is being tried again and again.
    pub is_stuck: bool,
    /// Whether its deadline passed more than a minute ago: no process that has its plan runs.
    pub is_overdue: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When something last happened to it.
    pub changed_at: Timestamp,
    /// Its next deadline.
    pub due_at: Option<Timestamp>,
}

/// An instance with its history.
#[derive(Clone, Debug)]
pub struct History {
    /// The instance.
    pub instance: Listed,
    /// Its state, as JSON: the saga's data, and each step.
    pub body: String,
    /// What happened, and when, in order.
    pub entries: Vec<(Timestamp, Entry)>,
}

/// A plan that processes have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownPlan {
    /// The saga's name.
    pub name: String,
    /// The plan's version.
    pub version: u32,
    /// The plan as a mermaid chart.
    pub diagram: String,
    /// When a process last started with it.
    pub known_at: Timestamp,
}

impl Instances {
    /// The instances in a database.
    pub fn of(db: &Db) -> Self {
        Self(db.clone())
    }

    /// Up to `max` instances, the longest unchanged first.
    pub async fn list(&self, filter: &Filter, max: u32) -> Result<Vec<Listed>, SagaError> {
        let late = self.0.now().as_micros() - i64::try_from(OVERDUE.as_micros()).unwrap_or(0);
        let text = rows::select(
            "WHERE ($1 = '' OR name = $1) AND ($2 = '' OR status = $2) AND ($3 = '' OR id = $3)
                AND ($4 = 0 OR is_stuck = 1
                    OR (due_at < $5 AND status NOT IN ('done', 'undone')))
             ORDER BY changed_at, id LIMIT $6",
        );
        let query = sqlx::query(self.0.sql(&text))
            .bind(filter.name.clone().unwrap_or_default())
            .bind(filter.status.map_or("", Status::word))
            .bind(filter.id.clone().map(|id| id.0).unwrap_or_default())
            .bind(i64::from(filter.is_stuck))
            .bind(late)
            .bind(i64::from(max));
        let mut reader = self.0.reader().await?;
        let found = query.fetch_all(&mut *reader).await?;
        let all = found.iter().map(|row| Ok(self.listed(&Stored::read(row)?)));
        all.collect()
    }

    /// An instance with its history.
    pub async fn show(&self, name: &str, id: &SagaId) -> Result<History, SagaError> {
        let mut reader = self.0.reader().await?;
        let text = rows::select("WHERE name = $1 AND id = $2");
        let query = sqlx::query(self.0.sql(&text))
            .bind(name.to_owned())
            .bind(id.0.clone());
        let row = query.fetch_optional(&mut *reader).await?;
        let row = row.ok_or_else(|| no_such_instance(name, &id.0))?;
        let stored = Stored::read(&row)?;
        let text = "SELECT at, entry FROM {p}saga_log WHERE name = $1 AND id = $2 ORDER BY seq";
        let query = sqlx::query(self.0.sql(text))
            .bind(name.to_owned())
            .bind(id.0.clone());
        let mut entries = Vec::new();
        for row in query.fetch_all(&mut *reader).await? {
            let entry: String = row.try_get(1)?;
            let entry = serde_json::from_str(&entry)
                .map_err(|error| SagaError::unreadable(name, &id.0, error))?;
            entries.push((Timestamp::from_micros(row.try_get(0)?), entry));
        }
        Ok(History {
            instance: self.listed(&stored),
            body: stored.body,
            entries,
        })
    }

    /// Asks for an instance to be operated on, by whichever process has its plan. Such a process
    /// looks for requests every second. [`Request::outcome`] tells what came of it.
    pub async fn ask(
        &self,
        name: &str,
        id: &SagaId,
        action: Operator,
    ) -> Result<Request, SagaError> {
        let filter = Filter {
            name: Some(name.to_owned()),
            id: Some(id.clone()),
            ..Filter::default()
        };
        if self.list(&filter, 1).await?.is_empty() {
            return Err(no_such_instance(name, &id.0));
        }
        requests::add(&self.0, name, id, action).await
    }

    /// The plans that processes on this database have, or had.
    pub async fn plans(&self) -> Result<Vec<KnownPlan>, SagaError> {
        let text = "SELECT name, version, diagram, known_at FROM {p}saga_plans
            ORDER BY name, version";
        let mut reader = self.0.reader().await?;
        let found = sqlx::query(self.0.sql(text))
            .fetch_all(&mut *reader)
            .await?;
        let plan = |row: &sqlx::any::AnyRow| {
            Ok(KnownPlan {
                name: row.try_get(0)?,
                version: u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX),
                diagram: row.try_get(2)?,
                known_at: Timestamp::from_micros(row.try_get(3)?),
            })
        };
        found.iter().map(plan).collect()
    }

    fn listed(&self, stored: &Stored) -> Listed {
        let now = self.0.now();
        let late = stored.due_at.map_or(Duration::ZERO, |due| now.since(due));
        Listed {
            name: stored.name.clone(),
            id: SagaId(stored.id.clone()),
            version: stored.version,
            status: stored.status,
            is_stuck: stored.is_stuck,
            is_overdue: late > OVERDUE && !stored.status.is_ended(),
            started_at: stored.started_at,
            changed_at: stored.changed_at,
            due_at: stored.due_at,
        }
    }
}
