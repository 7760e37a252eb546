//! What is measured of projections.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use stele_toolkit_envelope::Timestamp;

use super::{Generation, Projection};
use crate::Page;

/// What is measured of projections. Clones count together.
///
/// | metric | |
/// |---|---|
/// | `projection_applied_total` | events applied |
/// | `projection_failures_total` | attempts at an event that couldn't be applied |
/// | `projection_stopped` | 1 while it stands before such an event: alert on it |
/// | `projection_lag_seconds` | age of the oldest event that isn't applied; 0 if all are |
///
/// Labels: `projection`, and `generation`, `live` or `filling`.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    applied: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
    stopped: Family<Labels, Gauge>,
    lag: Family<Labels, Gauge<f64, AtomicU64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    projection: &'static str,
    generation: &'static str,
}

impl Metrics {
    /// Metrics that a registry shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            applied,
            failures,
            stopped,
            lag,
        } = metrics.clone();
        registry.register("projection_applied", "Events applied to tables", applied);
        registry.register(
            "projection_failures",
            "Attempts at an event that can't be applied",
            failures,
        );
        registry.register(
            "projection_stopped",
            "Whether it stands before an event that can't be applied",
            stopped,
        );
        registry.register(
            "projection_lag_seconds",
            "Age of the oldest event that isn't applied",
            lag,
        );
        metrics
    }

    pub(super) fn read<P: Projection>(&self, of: &Generation, page: &Page, now: Timestamp) {
        let oldest = page.events.first();
        let lag = oldest.map_or(0.0, |event| now.since(event.time).as_secs_f64());
        self.lag.get_or_create(&labels::<P>(of)).set(lag);
    }

    pub(super) fn applied<P: Projection>(&self, of: &Generation, count: usize) {
        let labels = labels::<P>(of);
        self.applied.get_or_create(&labels).inc_by(count as u64);
        self.stopped.get_or_create(&labels).set(0);
    }

    pub(super) fn failed<P: Projection>(&self, of: &Generation) {
        let labels = labels::<P>(of);
        self.failures.get_or_create(&labels).inc();
        self.stopped.get_or_create(&labels).set(1);
    }
}

fn labels<P: Projection>(of: &Generation) -> Labels {
    Labels {
        projection: P::NAME,
        generation: if of.is_live { "live" } else { "filling" },
    }
}
