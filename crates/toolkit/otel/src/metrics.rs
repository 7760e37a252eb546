//! Metrics as OTLP's messages (opentelemetry-proto, `metrics/v1/metrics.proto`).

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point::Value,
    },
    resource::v1::Resource,
};
use stele_toolkit_envelope::Timestamp;

use crate::exposition::{Family, Kind, Sample};

/// The label of a histogram's bucket: the largest value that it counts.
const BOUND: &str = "le";

/// From when to when something was counted.
#[derive(Clone, Copy, Debug)]
struct Period {
    start_time_unix_nano: u64,
    time_unix_nano: u64,
}

/// The request that takes these metrics to a collector. Counters and histograms count from
/// `started` on.
pub(crate) fn request(
    service: &str,
    scope: &str,
    families: Vec<Family>,
    started: Timestamp,
    now: Timestamp,
) -> ExportMetricsServiceRequest {
    let period = Period {
        start_time_unix_nano: nanos(started),
        time_unix_nano: nanos(now),
    };
    let metrics = families.into_iter().map(|family| metric(family, period));
    let scope_metrics = ScopeMetrics {
        scope: Some(InstrumentationScope {
            name: scope.to_owned(),
            ..InstrumentationScope::default()
        }),
        metrics: metrics.collect(),
        ..ScopeMetrics::default()
    };
    let resource = Resource {
        attributes: vec![attribute("service.name", service)],
        ..Resource::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![scope_metrics],
            ..ResourceMetrics::default()
        }],
    }
}

fn metric(family: Family, period: Period) -> Metric {
    let unit = match family.name.ends_with("_seconds") {
        true => "s",
        false => "1",
    };
    let data = match family.kind {
        Kind::Gauge => Data::Gauge(Gauge {
            data_points: family.samples.iter().map(|it| number(it, period)).collect(),
        }),
        Kind::Counter => {
            let totals = family.samples.iter().filter(|it| it.suffix == "_total");
            Data::Sum(Sum {
                data_points: totals.map(|it| number(it, period)).collect(),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            })
        }
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: histograms(&family.samples, period),
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
        }),
    };
    Metric {
        name: family.name,
        description: family.help,
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(sample: &Sample, period: Period) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: period.start_time_unix_nano,
        time_unix_nano: period.time_unix_nano,
        value: Some(Value::AsDouble(sample.value)),
        ..NumberDataPoint::default()
    }
}

/// One data point for each set of labels. In the text a bucket counts what is in those before it
/// too; in OTLP it doesn't, and the last one has no bound.
fn histograms(samples: &[Sample], period: Period) -> Vec<HistogramDataPoint> {
    let mut points: BTreeMap<Vec<(String, String)>, HistogramDataPoint> = BTreeMap::new();
    for sample in samples {
        let is_bound = |label: &&(String, String)| label.0 == BOUND;
        let bound = sample.labels.iter().find(is_bound);
        let bound: Option<f64> = bound.and_then(|(_, bound)| bound.parse().ok());
        let mut labels = sample.labels.clone();
        labels.retain(|label| label.0 != BOUND);
        let point = points.entry(labels).or_insert_with(|| HistogramDataPoint {
            attributes: attributes(sample),
            start_time_unix_nano: period.start_time_unix_nano,
            time_unix_nano: period.time_unix_nano,
            ..HistogramDataPoint::default()
        });
        match sample.suffix.as_str() {
            "_sum" => point.sum = Some(sample.value),
            "_count" => point.count = count(sample.value),
            "_bucket" => {
                let before: u64 = point.bucket_counts.iter().sum();
                let own = count(sample.value).saturating_sub(before);
                point.bucket_counts.push(own);
                let bound = bound.filter(|bound| bound.is_finite());
                point.explicit_bounds.extend(bound);
            }
            _ => {}
        }
    }
    points.into_values().collect()
}

/// The text has counts as whole numbers, which are far below what a float holds exactly.
fn count(value: f64) -> u64 {
    value as u64
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    let labels = sample.labels.iter().filter(|label| label.0 != BOUND);
    labels.map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

/// Nanoseconds since 1970; a time before that counts as 1970.
fn nanos(at: Timestamp) -> u64 {
    const NANOS_PER_MICRO: u64 = 1000;
    let micros = u64::try_from(at.as_micros()).unwrap_or(0);
    micros.saturating_mul(NANOS_PER_MICRO)
}
