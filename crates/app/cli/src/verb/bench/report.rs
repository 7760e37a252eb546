//! The result of a benchmark.

use std::{fmt::Write as _, time::Duration};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::{Load, check::Faults};

const QUANTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];

/// One half of a run: publishing or consuming.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) messages: u64,
    pub(super) elapsed: Duration,
    /// Latency per request, in microseconds.
    pub(super) latencies: Option<Histogram<u64>>,
}

impl Phase {
    fn rate(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "messages": self.messages,
            "seconds": self.elapsed.as_secs_f64(),
            "messages_per_second": self.rate(),
        });
        if let Some(latencies) = &self.latencies {
            let mut quantiles: serde_json::Map<String, Value> = QUANTILES
                .iter()
                .map(|(name, at)| ((*name).to_owned(), latencies.value_at_quantile(*at).into()))
                .collect();
            quantiles.insert("max".to_owned(), latencies.max().into());
            value["latency_us"] = quantiles.into();
        }
        value
    }

    fn text(&self, name: &str, size_bytes: usize) -> String {
        let mib = self.rate() * size_bytes as f64 / f64::from(1 << 20);
        let mut text = format!(
            "{name:<8} {:>9} messages in {:.3} s: {:.0}/s, {mib:.1} MiB/s",
            self.messages,
            self.elapsed.as_secs_f64(),
            self.rate(),
        );
        if let Some(latencies) = &self.latencies {
            text.push_str("\n         ");
            for (name, at) in QUANTILES {
                let latency = latencies.value_at_quantile(at) as f64 / 1000.0;
                write!(text, "{name} {latency:.2} ms  ").expect("writing to a String succeeds");
            }
            let longest = latencies.max() as f64 / 1000.0;
            write!(text, "max {longest:.2} ms").expect("writing to a String succeeds");
        }
        text
    }
}

/// The whole run.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) protocol: &'static str,
    pub(super) load: Load,
    pub(super) publish: Phase,
    pub(super) consume: Phase,
    pub(super) faults: Option<Faults>,
}

impl Report {
    pub(super) fn text(&self) -> String {
        let size = self.load.size.bytes();
        let mut text = format!(
            "{}\n{}",
            self.publish.text("publish", size),
            self.consume.text("consume", size)
        );
        if let Some(faults) = self.faults {
            let verdict = if faults.any() {
                format!("{faults:?}")
            } else {
                "every message arrived exactly once".to_owned()
            };
            write!(text, "\nverify   {verdict}").expect("writing to a String succeeds");
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let load = &self.load;
        let mut value = json!({
            "protocol": self.protocol,
            "version": env!("CARGO_PKG_VERSION"),
            "clients": load.clients,
            "batch": load.batch,
            "size_bytes": load.size.0,
            "rate": load.rate,
            "publish": self.publish.json(),
            "consume": self.consume.json(),
        });
        if let Some(faults) = self.faults {
            value["verify"] = json!({
                "lost": faults.lost,
                "doubled": faults.doubled,
                "disordered": faults.disordered,
                "foreign": faults.foreign,
            });
        }
        value.to_string()
    }
}
