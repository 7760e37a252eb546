//! Counters for operators. They are atomics, so that reading them delays nobody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;
use stele_core_engine::DeathReason;

/// The counters of a front. Counting is cheap: no lock, no lookup.
#[derive(Debug)]
pub struct FrontMeter {
    front: &'static str,
    operations: &'static [&'static str],
    requests: Box<[AtomicU64]>,
    errors: Box<[AtomicU64]>,
    connections: AtomicU64,
    connections_total: AtomicU64,
    connection_errors: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

/// A snapshot of a front's counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontCounts {
    /// The front's name.
    pub front: &'static str,
    /// Requests since the start, by operation.
    pub requests: Vec<(&'static str, u64)>,
    /// Requests answered with an error since the start, by operation.
    pub errors: Vec<(&'static str, u64)>,
    /// Open connections.
    pub connections: u64,
    /// Connections since the start.
    pub connections_total: u64,
    /// Connections since the start that the server closed or rejected because of what the client
    /// did.
    pub connection_errors: u64,
    /// Bytes received since the start.
    pub received_bytes: u64,
    /// Bytes sent since the start.
    pub sent_bytes: u64,
}

/// Counts a connection as open until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Arc<FrontMeter>);

impl FrontMeter {
    fn new(front: &'static str, operations: &'static [&'static str]) -> Self {
        let zeros = || operations.iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            front,
            operations,
            requests: zeros(),
            errors: zeros(),
            connections: AtomicU64::new(0),
            connections_total: AtomicU64::new(0),
            connection_errors: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
        }
    }

    /// Counts a connection, which is open until the guard is dropped.
    pub fn connect(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.connections_total.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(self))
    }

    /// Counts requests of an operation, given by its index among those that the front was
    /// registered with. Does nothing for any other index.
    pub fn request(&self, operation: usize, count: u64) {
        if let Some(requests) = self.requests.get(operation) {
            requests.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts requests of an operation that were answered with an error. They are counted as
    /// requests too.
    pub fn error(&self, operation: usize, count: u64) {
        if let Some(errors) = self.errors.get(operation) {
            errors.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts a connection that the server closes or rejects because of what the client did.
    pub fn connection_error(&self) {
        self.connection_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts received bytes.
    pub fn received(&self, size_bytes: u64) {
        self.received_bytes.fetch_add(size_bytes, Ordering::Relaxed);
    }

    /// Counts sent bytes.
    pub fn sent(&self, size_bytes: u64) {
        self.sent_bytes.fetch_add(size_bytes, Ordering::Relaxed);
    }

    fn counts(&self) -> FrontCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let by_operation = |counts: &[AtomicU64]| {
            let operations = self.operations.iter().copied();
            operations.zip(counts.iter().map(read)).collect()
        };
        FrontCounts {
            front: self.front,
            requests: by_operation(&self.requests),
            errors: by_operation(&self.errors),
            connections: read(&self.connections),
            connections_total: read(&self.connections_total),
            connection_errors: read(&self.connection_errors),
            received_bytes: read(&self.received_bytes),
            sent_bytes: read(&self.sent_bytes),
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All meters.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    fronts: RwLock<Vec<Arc<FrontMeter>>>,
    journals: Vec<Arc<ShardMeter>>,
    /// Dead-lettered messages by reason.
    dead: [AtomicU64; DeathReason::ALL.len()],
}

impl Meters {
    pub(crate) fn count_dead(&self, reason: DeathReason, more: u64) {
        if let Some(count) = self.dead.get(reason as usize) {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub(crate) fn dead_count(&self, reason: DeathReason) -> u64 {
        let count = self.dead.get(reason as usize);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Returns the meter of `front`, creating it on first use.
    pub(crate) fn front(
        &self,
        front: &'static str,
        operations: &'static [&'static str],
    ) -> Arc<FrontMeter> {
        let mut meters = self.fronts.write();
        if let Some(meter) = meters.iter().find(|meter| meter.front == front) {
            return Arc::clone(meter);
        }
        let meter = Arc::new(FrontMeter::new(front, operations));
        meters.push(Arc::clone(&meter));
        meter
    }

    /// Creates the meter of the next shard's journal.
    pub(crate) fn journal(&mut self) -> Arc<ShardMeter> {
        let meter = Arc::<ShardMeter>::default();
        self.journals.push(Arc::clone(&meter));
        meter
    }

    pub(crate) fn front_counts(&self) -> Vec<FrontCounts> {
        self.fronts
            .read()
            .iter()
            .map(|meter| meter.counts())
            .collect()
    }

    pub(crate) fn shard_counts(&self) -> Vec<ShardCounts> {
        self.journals.iter().map(|meter| meter.counts()).collect()
    }
}

/// Upper bounds of the duration buckets, in microseconds.
pub const DURATION_BUCKETS_US: [u64; 10] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 200_000, 1_000_000,
];

/// A histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many fell into each bucket of [`DURATION_BUCKETS_US`]; the last count is for all that
    /// took longer.
    pub counts: [u64; DURATION_BUCKETS_US.len() + 1],
    /// Their sum, in microseconds.
    pub total_us: u64,
}

#[derive(Debug, Default)]
struct DurationMeter {
    counts: [AtomicU64; DURATION_BUCKETS_US.len() + 1],
    total_us: AtomicU64,
}

impl DurationMeter {
    fn count(&self, duration: Duration) {
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = DURATION_BUCKETS_US.partition_point(|bound| *bound < duration_us);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.total_us.fetch_add(duration_us, Ordering::Relaxed);
    }

    fn durations(&self) -> Durations {
        Durations {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed)),
            total_us: self.total_us.load(Ordering::Relaxed),
        }
    }
}

/// The counters of a shard and its journal.
#[derive(Debug, Default)]
pub(crate) struct ShardMeter {
    syncs: DurationMeter,
    turns: DurationMeter,
    checkpoint_pauses: DurationMeter,
    blocks: AtomicU64,
    written_bytes: AtomicU64,
}

/// A snapshot of a shard's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardCounts {
    /// The durations of its syncs.
    pub syncs: Durations,
    /// How long its thread worked before it looked at its requests again.
    pub turns: Durations,
    /// How long checkpoints, including their snapshots, held up the shard's own thread.
    pub checkpoint_pauses: Durations,
    /// Blocks written.
    pub blocks: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

impl ShardMeter {
    pub(crate) fn wrote(&self, size_bytes: u64) {
        self.blocks.fetch_add(1, Ordering::Relaxed);
        self.written_bytes.fetch_add(size_bytes, Ordering::Relaxed);
    }

    pub(crate) fn synced(&self, duration: Duration) {
        self.syncs.count(duration);
    }

    pub(crate) fn took_turn(&self, duration: Duration) {
        self.turns.count(duration);
    }

    pub(crate) fn paused_to_checkpoint(&self, duration: Duration) {
        self.checkpoint_pauses.count(duration);
    }

    fn counts(&self) -> ShardCounts {
        ShardCounts {
            syncs: self.syncs.durations(),
            turns: self.turns.durations(),
            checkpoint_pauses: self.checkpoint_pauses.durations(),
            blocks: self.blocks.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_open_until_its_guard_goes() {
        let meters = Meters::default();
        let meter = meters.front("kafka", &["Produce", "Fetch"]);
        let open = meter.connect();
        meter.request(1, 3);
        meter.request(9, 1);
        meter.error(0, 1);
        meter.error(9, 1);
        let counts = meters.front_counts();
        assert_eq!((counts[0].connections, counts[0].connections_total), (1, 1));
        assert_eq!(counts[0].requests, [("Produce", 0), ("Fetch", 3)]);
        assert_eq!(counts[0].errors, [("Produce", 1), ("Fetch", 0)]);
        drop(open);
        assert_eq!(meters.front_counts()[0].connections, 0);
    }

    #[test]
    fn a_front_has_one_meter() {
        let meters = Meters::default();
        let first = meters.front("amqp", &[]);
        assert!(Arc::ptr_eq(&first, &meters.front("amqp", &[])));
    }

    #[test]
    fn a_duration_falls_into_the_bucket_that_bounds_it() {
        let meter = ShardMeter::default();
        for micros in [1, 100, 101, 2_000_000] {
            meter.synced(Duration::from_micros(micros));
        }
        meter.paused_to_checkpoint(Duration::from_micros(5_000));
        let counts = meter.counts();
        assert_eq!(counts.syncs.counts[..2], [2, 1]);
        assert_eq!(counts.syncs.counts[DURATION_BUCKETS_US.len()], 1);
        assert_eq!(counts.syncs.total_us, 2_000_202);
        assert_eq!(counts.checkpoint_pauses.counts[5], 1);
        assert_eq!(counts.checkpoint_pauses.total_us, 5_000);
    }
}
