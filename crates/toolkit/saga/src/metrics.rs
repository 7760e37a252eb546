//! Sagas in numbers.
//!
//! | metric | labels | |
//! |---|---|---|
//! | `saga_started_total` | saga | instances that began |
//! | `saga_ended_total` | saga, outcome | instances that ended: `done` or `undone` |
//! | `saga_replies_late_total` | saga | messages that came too late, or for the second time |
//! | `saga_alerts_total` | saga | what a person was told of instances that don't get further |
//! | `saga_open` | saga | instances that haven't ended |
//! | `saga_stuck` | saga | those of them that don't get further: somebody has to look at them |
//! | `saga_timer_lateness_seconds` | – | how late deadlines were told |

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
use stele_toolkit_sql::{
    Db,
    sqlx::{self, Row as _},
};

use crate::{Entry, Handled, SagaError};

/// The metrics of sagas. Clones are the same metrics.
#[derive(Clone, Debug)]
pub struct SagaMetrics {
    started: Family<SagaLabels, Counter>,
    ended: Family<OutcomeLabels, Counter>,
    late: Family<SagaLabels, Counter>,
    alerts: Family<SagaLabels, Counter>,
    open: Family<SagaLabels, Gauge>,
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
        let help = "Instances that don't get further";
        registry.register("saga_stuck", help, self.stuck.clone());
        let help = "How late deadlines were told";
        registry.register("saga_timer_lateness_seconds", help, self.lateness.clone());
    }

    /// Asks the database how many instances are open, and how many don't get further. To be called
    /// before the registry is read.
    pub async fn update(&self, db: &Db) -> Result<(), SagaError> {
        let count = "SELECT name, CAST(COALESCE(SUM(CASE WHEN status IN ('running', 'undoing')
                THEN 1 ELSE 0 END), 0) AS BIGINT), CAST(SUM(is_stuck) AS BIGINT)
            FROM {p}sagas GROUP BY name";
        let mut reader = db.reader().await?;
        for row in sqlx::query(db.sql(count)).fetch_all(&mut *reader).await? {
            let labels = SagaLabels {
                saga: row.try_get(0)?,
            };
            self.open.get_or_create(&labels).set(row.try_get(1)?);
            self.stuck.get_or_create(&labels).set(row.try_get(2)?);
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
