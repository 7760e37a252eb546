//! Sagas in numbers.
//!
//! | metric | labels | |
//! |---|---|---|
//! | `saga_started_total` | saga | instances that began |
//! | `saga_ended_total` | saga, outcome | instances that ended: `done` or `undone` |
//! | `saga_replies_late_total` | saga | messages that came too late, or for the second time |
//! | `saga_alerts_total` | saga | what a person was told of instances that don't get further |
//! | `saga_open` | saga | instances that haven't ended |
//! | `saga_oldest_seconds` | saga | the age of the oldest of them |
//! | `saga_stuck` | saga | those of them that don't get further: somebody has to look at them |
//! | `saga_timer_lateness_seconds` | – | how late deadlines were told |

use std::{collections::BTreeMap, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{
    Db,
    sqlx::{self, Row as _},
};

use crate::{Entry, Handled, SagaError};

/// The sagas of which there may be instances.
const KNOWN: &str = "SELECT DISTINCT name FROM {p}saga_plans";

const OPEN: &str = "SELECT name, COUNT(*), MIN(started_at) FROM {p}sagas
    WHERE status IN ('running', 'undoing') GROUP BY name";

const STUCK: &str = "SELECT name, COUNT(*) FROM {p}sagas WHERE is_stuck = 1 GROUP BY name";

/// What there is of a saga.
#[derive(Debug, Default)]
struct Counts {
    open: i64,
    oldest: Option<Timestamp>,
    stuck: i64,
}

/// The metrics of sagas. Clones are the same metrics.
#[derive(Clone, Debug)]
pub struct SagaMetrics {
    started: Family<SagaLabels, Counter>,
    ended: Family<OutcomeLabels, Counter>,
    late: Family<SagaLabels, Counter>,
    alerts: Family<SagaLabels, Counter>,
    open: Family<SagaLabels, Gauge>,
    oldest: Family<SagaLabels, Gauge<f64, AtomicU64>>,
    stuck: Family<SagaLabels, Gauge>,
    lateness: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SagaLabels {
    saga: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    saga: String,
    outcome: &'static str,
}

impl Default for SagaMetrics {
    fn default() -> Self {
        Self {
            started: Family::default(),
            ended: Family::default(),
            late: Family::default(),
            alerts: Family::default(),
            open: Family::default(),
            oldest: Family::default(),
            stuck: Family::default(),
            // 1 ms to 4.6 h.
            lateness: Histogram::new(exponential_buckets(0.001, 4.0, 13)),
        }
    }
}

impl SagaMetrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let started = self.started.clone();
        registry.register("saga_started", "Instances that began", started);
        registry.register("saga_ended", "Instances that ended", self.ended.clone());
        let help = "Messages that came too late, or again";
        registry.register("saga_replies_late", help, self.late.clone());
        let help = "What a person was told of instances";
        registry.register("saga_alerts", help, self.alerts.clone());
        let help = "Instances that haven't ended";
        registry.register("saga_open", help, self.open.clone());
        let help = "The age of the oldest instance that hasn't ended";
        registry.register("saga_oldest_seconds", help, self.oldest.clone());
        let help = "Instances that don't get further";
        registry.register("saga_stuck", help, self.stuck.clone());
        let help = "How late deadlines were told";
        registry.register("saga_timer_lateness_seconds", help, self.lateness.clone());
    }

    /// Asks the database how many instances are open, how old the oldest of them is, and how many
    /// don't get further. It reads as many rows of an index as there are of those, and nothing of
    /// what has ended. To be called before the registry is read.
    pub async fn update(&self, db: &Db) -> Result<(), SagaError> {
        let mut reader = db.reader().await?;
        let known = sqlx::query(db.sql(KNOWN)).fetch_all(&mut *reader).await?;
        let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
        for row in known {
            counts.entry(row.try_get(0)?).or_default();
        }
        for row in sqlx::query(db.sql(OPEN)).fetch_all(&mut *reader).await? {
            let of_saga = counts.entry(row.try_get(0)?).or_default();
            of_saga.open = row.try_get(1)?;
            of_saga.oldest = Some(Timestamp::from_micros(row.try_get(2)?));
        }
        for row in sqlx::query(db.sql(STUCK)).fetch_all(&mut *reader).await? {
            counts.entry(row.try_get(0)?).or_default().stuck = row.try_get(1)?;
        }
        let now = db.now();
        for (saga, of_saga) in counts {
            let labels = SagaLabels { saga };
            let age = of_saga.oldest.map_or(Duration::ZERO, |at| now.since(at));
            self.open.get_or_create(&labels).set(of_saga.open);
            self.oldest.get_or_create(&labels).set(age.as_secs_f64());
            self.stuck.get_or_create(&labels).set(of_saga.stuck);
        }
        Ok(())
    }

    /// Counts what is committed, and logs what came too late.
    pub(crate) fn note(&self, handled: &Handled) {
        for new in &handled.entries {
            let labels = SagaLabels {
                saga: new.name.clone(),
            };
            match &new.entry {
                Entry::Started => {
                    self.started.get_or_create(&labels).inc();
                }
                Entry::Late { reply } => {
                    self.late.get_or_create(&labels).inc();
                    let (saga, id) = (&new.name, &new.id);
                    tracing::info!(saga, %id, reply, "nobody waits for this message");
                }
                Entry::Ended { is_done } => {
                    let labels = OutcomeLabels {
                        saga: new.name.clone(),
                        outcome: if *is_done { "done" } else { "undone" },
                    };
                    self.ended.get_or_create(&labels).inc();
                }
                _ => {}
            }
        }
        for alert in &handled.alerts {
            let saga = alert.name.clone();
            self.alerts.get_or_create(&SagaLabels { saga }).inc();
        }
        for lateness in &handled.lateness {
            self.lateness.observe(lateness.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ended, rows};

    /// What the database looks at for a query, a line for each table.
    async fn looks(db: &Db, query: &str) -> Vec<String> {
        let mut reader = db.reader().await.expect("a connection");
        let explain = format!("EXPLAIN QUERY PLAN {query}");
        let explained = sqlx::query(db.sql(&explain)).fetch_all(&mut *reader).await;
        let explained = explained.expect("a query");
        let details = explained.iter().map(|row| row.get::<String, _>(3));
        details.collect()
    }

    #[tokio::test]
    async fn what_has_ended_is_not_looked_at() {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        let db = Db::open(&url).await.expect("a database");
        let migrated = db.migrate(rows::COMPONENT, rows::MIGRATIONS).await;
        migrated.expect("migrated");
        for (query, index) in [(OPEN, "sagas_open"), (STUCK, "sagas_stuck")] {
            let looks = looks(&db, query).await;
            let index = format!("USING COVERING INDEX stele_{index}");
            assert!(looks[0].contains(&index), "{looks:?}");
        }
        let ended = looks(&db, ended::OF_SAGA).await;
        let index = "USING INDEX stele_sagas_ended (name=? AND changed_at<?)";
        assert!(ended[0].contains(index), "{ended:?}");
        assert!(ended.iter().all(|look| !look.contains("SCAN")), "{ended:?}");
    }
}
