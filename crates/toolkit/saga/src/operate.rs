//! What operators see of instances, and do with them.

use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{
    Db, Tx,
    sqlx::{self, Row as _},
};

use crate::{
    Entry, Handled, Input, Operator, Orchestrator, SagaError, SagaId, Status,
    orchestrator::no_such_instance,
    rows::{self, Stored},
};

/// Which instances to list. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of this saga.
    pub name: Option<String>,
    /// Those in this state.
    pub status: Option<Status>,
    /// Those that don't get further.
    pub is_stuck: bool,
}

/// An instance in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The saga's name.
    pub name: String,
    /// Its id.
    pub id: SagaId,
    /// The version of the plan that it goes by.
    pub version: u32,
    /// Whether this program knows that plan. Without it the instance stands still.
    pub has_plan: bool,
    /// Where it is.
    pub status: Status,
    /// Whether it is being tried again and again.
    pub is_stuck: bool,
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

impl Orchestrator {
    /// Up to `max` instances, the longest unchanged first.
    pub async fn list(&self, db: &Db, filter: &Filter, max: u32) -> Result<Vec<Listed>, SagaError> {
        let mut reader = db.reader().await?;
        let text = rows::select(
            "WHERE ($1 = '' OR name = $1) AND ($2 = '' OR status = $2) AND is_stuck >= $3
             ORDER BY changed_at, id LIMIT $4",
        );
        let query = sqlx::query(db.sql(&text))
            .bind(filter.name.clone().unwrap_or_default())
            .bind(filter.status.map_or("", Status::word))
            .bind(i64::from(filter.is_stuck))
            .bind(i64::from(max));
        let found = query.fetch_all(&mut *reader).await?;
        found
            .iter()
            .map(|row| Ok(self.listed(&Stored::read(row)?)))
            .collect()
    }

    /// The instances that stand still because this program doesn't know their plan: of up to `max`
    /// that haven't ended. Look at them when the program starts.
    pub async fn without_plan(&self, db: &Db, max: u32) -> Result<Vec<Listed>, SagaError> {
        let mut found = Vec::new();
        for status in [Status::Running, Status::Undoing] {
            let filter = Filter {
                status: Some(status),
                ..Filter::default()
            };
            found.extend(self.list(db, &filter, max).await?);
        }
        found.retain(|listed| !listed.has_plan);
        Ok(found)
    }

    /// An instance with its history.
    pub async fn show(&self, db: &Db, name: &str, id: &SagaId) -> Result<History, SagaError> {
        let mut reader = db.reader().await?;
        let text = rows::select("WHERE name = $1 AND id = $2");
        let query = sqlx::query(db.sql(&text))
            .bind(name.to_owned())
            .bind(id.0.clone());
        let row = query.fetch_optional(&mut *reader).await?;
        let row = row.ok_or_else(|| no_such_instance(name, &id.0))?;
        let stored = Stored::read(&row)?;
        let text = "SELECT at, entry FROM {p}saga_log WHERE name = $1 AND id = $2 ORDER BY seq";
        let query = sqlx::query(db.sql(text))
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

    /// Intervenes in an instance.
    pub async fn operate(
        &self,
        tx: &mut Tx,
        name: &str,
        id: &SagaId,
        action: Operator,
    ) -> Result<Handled, SagaError> {
        let mut stored = rows::locked(tx, &id.0).await?.into_iter();
        let stored = stored
            .find(|stored| stored.name == name)
            .ok_or_else(|| no_such_instance(name, &id.0))?;
        let plan = self.plan_of(&stored)?;
        let turned = plan.decide(&stored, Input::Operator(action), tx.now())?;
        let mut handled = Handled::default();
        self.keep(tx, &stored, turned, None, &mut handled).await?;
        Ok(handled)
    }

    fn listed(&self, stored: &Stored) -> Listed {
        Listed {
            name: stored.name.clone(),
            id: SagaId(stored.id.clone()),
            version: stored.version,
            has_plan: self.knows(stored),
            status: stored.status,
            is_stuck: stored.is_stuck,
            started_at: stored.started_at,
            changed_at: stored.changed_at,
            due_at: stored.due_at,
        }
    }
}
