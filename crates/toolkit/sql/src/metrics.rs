//! The outbox and the timers in numbers.

use std::sync::atomic::AtomicU64;

use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

use crate::{Db, Error};

/// Gauges of an outbox.
///
/// | metric | |
/// |---|---|
/// | `outbox_depth` | messages that wait to be sent |
/// | `outbox_oldest_seconds` | how long the oldest message that is due has waited |
/// | `outbox_refused` | messages that the broker refused for good |
/// | `outbox_oldest_transaction_seconds` | PostgreSQL: the age of what holds the outbox up |
#[derive(Clone, Debug, Default)]
pub struct OutboxMetrics {
    depth: Gauge<u64, AtomicU64>,
    oldest: Gauge<f64, AtomicU64>,
    refused: Gauge<u64, AtomicU64>,
    oldest_transaction: Gauge<f64, AtomicU64>,
}

impl OutboxMetrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let depth = "Messages that wait to be sent";
        registry.register("outbox_depth", depth, self.depth.clone());
        let oldest = "How long the oldest message that is due has waited";
        registry.register("outbox_oldest_seconds", oldest, self.oldest.clone());
        let refused = "Messages that the broker refused for good";
        registry.register("outbox_refused", refused, self.refused.clone());
        registry.register(
            "outbox_oldest_transaction_seconds",
            "The age of the oldest open transaction that writes",
            self.oldest_transaction.clone(),
        );
    }

    /// Asks the database. To be called before the registry is read.
    pub async fn update(&self, db: &Db) -> Result<(), Error> {
        let status = db.outbox_status().await?;
        self.depth.set(status.waiting);
        self.oldest.set(status.oldest.as_secs_f64());
        self.refused.set(status.refused);
        let oldest_transaction = status.oldest_transaction.as_secs_f64();
        self.oldest_transaction.set(oldest_transaction);
        Ok(())
    }
}

/// The gauge of a database's timers.
///
/// | metric | |
/// |---|---|
/// | `timer_lateness_seconds` | how long the timer is due that is due for the longest |
///
/// A timer that is taken keeps counting until it is done.
#[derive(Clone, Debug, Default)]
pub struct TimerMetrics {
    lateness: Gauge<f64, AtomicU64>,
}

impl TimerMetrics {
    /// Adds it to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long the timer is due that is due for the longest";
        registry.register("timer_lateness_seconds", help, self.lateness.clone());
    }

    /// Asks the database. To be called before the registry is read.
    pub async fn update(&self, db: &Db) -> Result<(), Error> {
        let lateness = db.timer_lateness().await?;
        self.lateness.set(lateness.as_secs_f64());
        Ok(())
    }
}
