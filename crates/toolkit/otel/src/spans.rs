//! The spans of messages in traces.

use std::sync::Arc;

use opentelemetry::trace::Status;
use stele_toolkit_bus::{FailureClass, Received, Spans};
use stele_toolkit_envelope::Trace;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::trace;

/// Joins the spans of messages to their traces: give it to `Service::spans` and
/// `Client::with_spans`. The spans are those of `tracing`, so the process needs a subscriber with
/// the layer of `tracing-opentelemetry`, such as [`Telemetry::layer`](crate::Telemetry::layer).
///
/// The names and attributes are those of OpenTelemetry's semantic conventions for messaging: a span
/// is `process {topic or queue}`, of the kind `consumer`, with `messaging.operation.type`,
/// `messaging.destination.name` and `messaging.message.id` or `messaging.batch.message_count`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OtelSpans;

impl Spans for OtelSpans {
    fn handles(&self, span: &Span, received: &[Arc<Received>]) {
        let Some(first) = received.first() else {
            return;
        };
        if let [one] = received {
            if let Some(envelope) = &one.envelope {
                trace::join(span, &envelope.metadata.trace);
                span.set_attribute("messaging.message.id", envelope.message_id.clone());
            }
        } else {
            let envelopes = received.iter().filter_map(|it| it.envelope.as_ref());
            for sender in envelopes.filter_map(|it| trace::remote(&it.metadata.trace)) {
                span.add_link(sender);
            }
            let count = i64::try_from(received.len()).unwrap_or(i64::MAX);
            span.set_attribute("messaging.batch.message_count", count);
        }
        let destination = first.message.to.name();
        span.record("otel.name", format!("process {destination}"));
        span.record("otel.kind", "consumer");
        span.set_attribute("messaging.operation.type", "process");
        span.set_attribute("messaging.destination.name", destination.to_owned());
    }

    fn failed(&self, span: &Span, class: FailureClass, error: &str) {
        span.set_attribute("error.type", class.name());
        span.set_status(Status::error(error.to_owned()));
    }

    fn trace_of(&self, span: &Span) -> Option<Trace> {
        trace::of(span)
    }
}
