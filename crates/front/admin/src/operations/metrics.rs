//! `GET /metrics`: metrics in OpenMetrics text format, for Prometheus.
//!
//! There is no global registry: each scrape reads the broker's counters. No label contains message
//! data or a log's name, so the size of the page is bounded.

use std::fmt;

use hyper::StatusCode;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeCounterValue, text::encode},
    metrics::MetricType,
    registry::{Registry, Unit},
};
use stele_core_broker::{
    DURATION_BUCKETS_US, Durations, FrontCounts, ShardCounts, ShardStatus, Use, name_of,
};
use stele_core_engine::DeathReason;
use tokio::time::timeout;

use crate::{
    errors::Error,
    limits::PROBE_TIMEOUT,
    process,
    router::{self, Answer},
    state::{Phase, State},
};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The response.
pub(crate) async fn answer(state: &State) -> Result<Answer, Error> {
    let mut figures = Figures {
        is_ready: state.phase() == Phase::Ready,
        ..Figures::default()
    };
    if let Ok(serving) = state.serving() {
        figures.fronts = serving.broker.front_counts();
        figures.journals = serving.broker.shard_counts();
        figures.unreadable_batches = serving.broker.unreadable_batches();
        figures.dead_letters = DeathReason::ALL
            .map(|reason| (name_of(reason), serving.broker.dead_count(reason)))
            .to_vec();
        figures.memory = serving.broker.memory().uses().collect();
        figures.shards = timeout(PROBE_TIMEOUT, serving.broker.shard_statuses())
            .await
            .map_err(|_| Error::Stuck)??;
    }
    let mut registry = Registry::with_prefix("stele");
    registry.register_collector(Box::new(figures));
    let mut page = String::new();
    encode(&mut page, &registry).expect("writing to a String succeeds");
    Ok(router::whole(StatusCode::OK, CONTENT_TYPE, page))
}

/// The figures of one scrape.
#[derive(Debug, Default)]
struct Figures {
    is_ready: bool,
    fronts: Vec<FrontCounts>,
    shards: Vec<ShardStatus>,
    journals: Vec<ShardCounts>,
    unreadable_batches: u64,
    /// By reason.
    dead_letters: Vec<(&'static str, u64)>,
    memory: Vec<Use>,
}

/// A value with its labels: one line of a family.
type Line<N> = (Vec<(&'static str, String)>, N);

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.gauge(
            "ready",
            "1 while the process is ready",
            None,
            one(i64::from(self.is_ready)),
        )?;
        self.process(&mut page)?;
        self.memory(&mut page)?;
        self.fronts(&mut page)?;
        self.shards(&mut page)?;
        self.journals(&mut page)?;
        let dead = self.dead_letters.iter();
        let dead = dead.map(|(reason, count)| (vec![("reason", (*reason).to_owned())], *count));
        page.counter(
            "dead_letters",
            "Messages that left their queues as dead letters",
            None,
            dead.collect(),
        )?;
        page.counter(
            "unreadable_batches",
            "Batches that queue consumers couldn't read completely",
            None,
            one(self.unreadable_batches),
        )
    }
}

impl Figures {
    fn process(&self, page: &mut Page<'_>) -> fmt::Result {
        let resident = one(process::resident_bytes().map_or(0, signed));
        page.gauge(
            "process_resident",
            "Resident memory",
            Some(Unit::Bytes),
            resident,
        )?;
        let spent = one(process::processor_seconds().unwrap_or(0.0));
        page.counter("process_cpu", "CPU time used", Some(Unit::Seconds), spent)
    }

    fn memory(&self, page: &mut Page<'_>) -> fmt::Result {
        let each = |value: fn(&Use) -> usize| -> Vec<Line<i64>> {
            let line = |it: &Use| (vec![("kind", it.kind.to_owned())], signed(value(it) as u64));
            self.memory.iter().map(line).collect()
        };
        let mut used = each(|it| it.used_bytes);
        let shards = |value: fn(&ShardStatus) -> u64| self.shards.iter().map(value).sum();
        let cache = shards(|it| it.usage.cache_size_bytes as u64);
        let groups = shards(|it| it.groups_bytes);
        let definitions = shards(|it| it.state_bytes.definitions as u64);
        let records = shards(|it| it.state_bytes.records as u64);
        for (kind, bytes) in [
            ("cache", cache),
            ("groups", groups),
            ("definitions", definitions),
            ("records", records),
        ] {
            used.push((vec![("kind", kind.to_owned())], signed(bytes)));
        }
        let help = "Memory used for clients";
        page.gauge("memory", help, Some(Unit::Bytes), used)?;
        let mut limits = each(|it| it.max_bytes);
        // Definitions are all on one shard, whichever has the bound.
        let definitions = self.shards.iter().map(|it| it.state_bytes_max.definitions);
        let definitions = definitions.max().unwrap_or(0) as u64;
        let records = shards(|it| it.state_bytes_max.records as u64);
        for (kind, bytes) in [("definitions", definitions), ("records", records)] {
            limits.push((vec![("kind", kind.to_owned())], signed(bytes)));
        }
        let help = "Memory for clients, beyond which requests wait or are refused";
        page.gauge("memory_limit", help, Some(Unit::Bytes), limits)?;
        let waiting = each(|it| it.waiting);
        page.gauge(
            "memory_waiting",
            "Requests waiting for memory",
            None,
            waiting,
        )
    }

    fn fronts(&self, page: &mut Page<'_>) -> fmt::Result {
        let each = |value: fn(&FrontCounts) -> u64| -> Vec<Line<u64>> {
            let label = |counts: &FrontCounts| vec![("front", counts.front.to_owned())];
            self.fronts
                .iter()
                .map(|counts| (label(counts), value(counts)))
                .collect()
        };
        let open = each(|counts| counts.connections).into_iter();
        let open = open
            .map(|(labels, count)| (labels, signed(count)))
            .collect();
        page.gauge("connections_open", "Open connections", None, open)?;
        let accepted = each(|counts| counts.connections_total);
        page.counter("connections", "Connections accepted", None, accepted)?;
        let received = each(|counts| counts.received_bytes);
        page.counter(
            "received",
            "Bytes received from clients",
            Some(Unit::Bytes),
            received,
        )?;
        let sent = each(|counts| counts.sent_bytes);
        page.counter("sent", "Bytes sent to clients", Some(Unit::Bytes), sent)?;
        let failed = each(|counts| counts.connection_errors);
        let help = "Connections closed or refused because of client errors";
        page.counter("connection_errors", help, None, failed)?;
        let requests = self.by_operation(|counts| &counts.requests);
        page.counter("requests", "Requests by operation", None, requests)?;
        let errors = self.by_operation(|counts| &counts.errors);
        page.counter(
            "request_errors",
            "Requests answered with an error",
            None,
            errors,
        )
    }

    /// Counts by operation, without zeros, which would only make the page long.
    fn by_operation(&self, counted: fn(&FrontCounts) -> &[(&'static str, u64)]) -> Vec<Line<u64>> {
        let of_front = |counts: &FrontCounts| {
            let front = counts.front;
            let asked = counted(counts).iter().filter(|(_, count)| *count > 0);
            let line = |(operation, count): &(&'static str, u64)| {
                let labels = vec![
                    ("front", front.to_owned()),
                    ("operation", (*operation).to_owned()),
                ];
                (labels, *count)
            };
            asked.map(line).collect::<Vec<_>>()
        };
        self.fronts.iter().flat_map(of_front).collect()
    }

    fn shards(&self, page: &mut Page<'_>) -> fmt::Result {
        let each = |value: fn(&ShardStatus) -> u64| -> Vec<Line<u64>> {
            self.shards
                .iter()
                .enumerate()
                .map(|(at, shard)| (shard_label(at), value(shard)))
                .collect()
        };
        let level = |value: fn(&ShardStatus) -> u64| -> Vec<Line<i64>> {
            each(value)
                .into_iter()
                .map(|(labels, count)| (labels, signed(count)))
                .collect()
        };
        let appended = each(|shard| shard.appended_records);
        page.counter("appended_records", "Records appended", None, appended)?;
        let appended = each(|shard| shard.appended_bytes);
        page.counter("appended", "Bytes appended", Some(Unit::Bytes), appended)?;
        page.gauge("logs", "Queues and topics", None, level(|shard| shard.logs))?;
        page.gauge("sessions", "Sessions", None, level(|shard| shard.sessions))?;
        page.gauge(
            "ready_messages",
            "Messages ready for delivery",
            None,
            level(|shard| shard.ready),
        )?;
        page.gauge(
            "leased_messages",
            "Messages delivered but not settled",
            None,
            level(|shard| shard.leased),
        )?;
        page.gauge(
            "delayed_messages",
            "Messages hidden until a later time",
            None,
            level(|shard| shard.delayed),
        )?;
        let blocked = level(|shard| u64::from(shard.is_blocked));
        page.gauge(
            "blocked",
            "1 while publishing is refused because of low disk space",
            None,
            blocked,
        )?;
        let backlog = level(|shard| shard.backlog_bytes);
        page.gauge(
            "backlog",
            "Bytes waiting for the journal writer",
            Some(Unit::Bytes),
            backlog,
        )?;
        let journal = level(|shard| shard.usage.journal_size_bytes);
        page.gauge("journal", "Journal size", Some(Unit::Bytes), journal)?;
        let segments = level(|shard| shard.usage.segments_size_bytes);
        page.gauge("segments", "Segments size", Some(Unit::Bytes), segments)?;
        let cache = level(|shard| u64::try_from(shard.usage.cache_size_bytes).unwrap_or(u64::MAX));
        page.gauge("cache", "Cache size", Some(Unit::Bytes), cache)
    }

    fn journals(&self, page: &mut Page<'_>) -> fmt::Result {
        let each = |value: fn(&ShardCounts) -> u64| -> Vec<Line<u64>> {
            self.journals
                .iter()
                .enumerate()
                .map(|(at, counts)| (shard_label(at), value(counts)))
                .collect()
        };
        page.counter(
            "journal_blocks",
            "Group commits",
            None,
            each(|counts| counts.blocks),
        )?;
        let written = each(|counts| counts.written_bytes);
        page.counter(
            "journal_written",
            "Bytes written to journals",
            Some(Unit::Bytes),
            written,
        )?;
        let syncs = self.journals.iter().map(|counts| &counts.syncs);
        page.durations(
            "journal_sync_duration",
            "Duration of an fdatasync of a journal",
            syncs,
        )?;
        let turns = self.journals.iter().map(|counts| &counts.turns);
        page.durations(
            "shard_turn_duration",
            "Time that a shard works before it checks for new requests",
            turns,
        )?;
        let pauses = self.journals.iter().map(|counts| &counts.checkpoint_pauses);
        page.durations(
            "checkpoint_pause_duration",
            "Time that a piece of a checkpoint blocks a shard",
            pauses,
        )
    }
}

fn shard_label(at: usize) -> Vec<(&'static str, String)> {
    vec![("shard", at.to_string())]
}

fn one<N>(value: N) -> Vec<Line<N>> {
    vec![(Vec::new(), value)]
}

/// A count as the type of a gauge.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Writes families.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        lines: Vec<Line<i64>>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        for (labels, value) in lines {
            if labels.is_empty() {
                family.encode_gauge(&value)?;
            } else {
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    fn counter<N: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        lines: Vec<Line<N>>,
    ) -> fmt::Result {
        let mut family =
            self.0
                .encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        for (labels, value) in lines {
            if labels.is_empty() {
                family.encode_counter::<NoLabels, _, f64>(&value, None)?;
            } else {
                let mut line = family.encode_family(&labels)?;
                line.encode_counter::<NoLabels, _, f64>(&value, None)?;
            }
        }
        Ok(())
    }

    /// A histogram with one line per shard.
    fn durations<'d>(
        &mut self,
        name: &str,
        help: &str,
        shards: impl Iterator<Item = &'d Durations>,
    ) -> fmt::Result {
        let unit = Some(&Unit::Seconds);
        let mut family = self
            .0
            .encode_descriptor(name, help, unit, MetricType::Histogram)?;
        for (at, durations) in shards.enumerate() {
            let bounds = DURATION_BUCKETS_US.iter().map(|bound| seconds(*bound));
            let buckets: Vec<(f64, u64)> = bounds
                .chain([f64::INFINITY])
                .zip(durations.counts.iter().copied())
                .collect();
            let total = durations.counts.iter().sum();
            let labels = shard_label(at);
            let mut line = family.encode_family(&labels)?;
            let sum = seconds(durations.total_us);
            line.encode_histogram::<NoLabels>(sum, total, &buckets, None)?;
        }
        Ok(())
    }
}

/// For exemplars, which aren't used.
type NoLabels = [(&'static str, &'static str); 0];

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use stele_core_broker::Memory;
    use stele_core_engine::StateBytes;

    use super::*;

    #[test]
    fn a_page_has_every_family_once_and_ends_as_open_metrics_wants() {
        let figures = Figures {
            is_ready: true,
            fronts: vec![FrontCounts {
                front: "kafka",
                requests: vec![("Produce", 3), ("Fetch", 0)],
                errors: vec![("Produce", 1), ("Fetch", 0)],
                connections: 1,
                connections_total: 2,
                connection_errors: 4,
                received_bytes: 10,
                sent_bytes: 20,
            }],
            shards: vec![ShardStatus {
                state_bytes: StateBytes {
                    definitions: 0,
                    records: 7,
                },
                state_bytes_max: StateBytes {
                    definitions: 8,
                    records: 9,
                },
                ..ShardStatus::default()
            }],
            journals: vec![ShardCounts {
                syncs: Durations {
                    total_us: 150,
                    ..Durations::default()
                },
                ..ShardCounts::default()
            }],
            unreadable_batches: 5,
            dead_letters: vec![("rejected", 2)],
            memory: Memory::new(1_000_000).uses().collect(),
        };
        let mut registry = Registry::with_prefix("stele");
        registry.register_collector(Box::new(figures));
        let mut page = String::new();
        encode(&mut page, &registry).expect("written");
        for line in [
            "stele_ready 1",
            "stele_requests_total{front=\"kafka\",operation=\"Produce\"} 3",
            "stele_request_errors_total{front=\"kafka\",operation=\"Produce\"} 1",
            "stele_connections_open{front=\"kafka\"} 1",
            "stele_connection_errors_total{front=\"kafka\"} 4",
            "stele_received_bytes_total{front=\"kafka\"} 10",
            "stele_ready_messages{shard=\"0\"} 0",
            "stele_journal_sync_duration_seconds_sum{shard=\"0\"} 0.00015",
            "stele_shard_turn_duration_seconds_count{shard=\"0\"} 0",
            "stele_checkpoint_pause_duration_seconds_count{shard=\"0\"} 0",
            "stele_unreadable_batches_total 5",
            "stele_dead_letters_total{reason=\"rejected\"} 2",
            "stele_memory_bytes{kind=\"requests\"} 0",
            "stele_memory_bytes{kind=\"cache\"} 0",
            "stele_memory_bytes{kind=\"groups\"} 0",
            "stele_memory_bytes{kind=\"definitions\"} 0",
            "stele_memory_bytes{kind=\"records\"} 7",
            "stele_memory_limit_bytes{kind=\"requests\"} 140000",
            "stele_memory_limit_bytes{kind=\"records\"} 9",
            "stele_memory_waiting{kind=\"requests\"} 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
        }
        assert!(!page.contains("operation=\"Fetch\""));
        assert!(page.ends_with("# EOF\n"));
    }
}
