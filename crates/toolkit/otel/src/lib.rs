//! Traces and metrics of services, for OpenTelemetry.
//!
//! ```text
//!  HTTP request ── join ──► span ── Client::publish ──► traceparent in the envelope
//!                                                              │
//!  Collector ◄── OTLP ── Telemetry ◄── spans ◄── message span ◄┘ OtelSpans
//!            ◄── OTLP ──── push ◄───── Registry
//! ```
//!
//! - [`OtelSpans`] joins the span in which a message is handled to the span that sent it, in
//!   whatever program, and gives what the handler sends the trace to go on with.
//! - [`Telemetry`] sends spans, and the metrics of a Prometheus registry, to a collector that
//!   speaks OTLP over HTTP. A service that has its own OpenTelemetry set-up needs [`OtelSpans`]
//!   alone.

mod exposition;
mod metrics;
mod spans;
mod telemetry;
mod trace;

pub use spans::OtelSpans;
pub use telemetry::{Telemetry, TelemetryError};
pub use trace::join;

/// The page about metrics, whose code runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/toolkit/metrics.md")]
mod page {}
