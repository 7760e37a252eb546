//! What a process sends to its collector.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkError,
    trace::{SdkTracerProvider, Tracer},
};
use prometheus_client::registry::Registry;
use prost::Message as _;
use stele_toolkit_bus::{Clock as _, SystemClock};
use stele_toolkit_envelope::Timestamp;
use tokio::task::JoinError;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::{exposition::families, metrics::request};

/// The name of the instrumentation.
const SCOPE: &str = "stele-toolkit";

/// Sends a process's spans and metrics to a collector, by OTLP over HTTP, as Protocol Buffers.
///
/// Spans are sent in batches by a thread of its own, as `opentelemetry_sdk` does it: a collector
/// that is away costs spans, and holds nothing up.
#[derive(Debug)]
pub struct Telemetry {
    service: String,
    provider: SdkTracerProvider,
    client: reqwest::Client,
    metrics_url: String,
    started: Timestamp,
}

/// Telemetry couldn't be set up or sent.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The exporter can't be made. The address is wrong, most likely.
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
    /// The last spans can't be sent.
    #[error(transparent)]
    Spans(#[from] OTelSdkError),
    /// The thread that sent them panicked.
    #[error("the thread that sends spans panicked: {0}")]
    Panicked(#[from] JoinError),
    /// The registry can't be written as text.
    #[error("the metrics can't be written: {0}")]
    Format(#[from] std::fmt::Error),
    /// The collector can't be reached, or refuses. Counters go on counting: send them again later.
    #[error("the collector doesn't take the metrics: {0}")]
    Collector(#[from] reqwest::Error),
}

impl Telemetry {
    /// Telemetry of a service, for the collector at an address such as `http://localhost:4318`.
    /// What OpenTelemetry's environment variables say about the resource is added.
    pub fn new(service: &str, collector: &str) -> Result<Self, TelemetryError> {
        let collector = collector.trim_end_matches('/');
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{collector}/v1/traces"))
            .build()?;
        let resource = Resource::builder()
            .with_service_name(service.to_owned())
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_batch_exporter(exporter)
            .build();
        Ok(Self {
            service: service.to_owned(),
            provider,
            client: reqwest::Client::new(),
            metrics_url: format!("{collector}/v1/metrics"),
            started: SystemClock.now(),
        })
    }

    /// The layer for the process's subscriber, which has spans recorded.
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, Tracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer(SCOPE))
    }

    /// Sends the values of a registry as they are now. To be called every few seconds, with the
    /// gauges brought up to date before.
    pub async fn push(&self, registry: &Registry) -> Result<(), TelemetryError> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry)?;
        let families = families(&text);
        let request = request(
            &self.service,
            SCOPE,
            families,
            self.started,
            SystemClock.now(),
        );
        let response = self
            .client
            .post(&self.metrics_url)
            .header("content-type", "application/x-protobuf")
            .body(request.encode_to_vec())
            .send()
            .await?;
        response.error_for_status()?;
        Ok(())
    }

    /// Sends the last spans. Blocking work, done on a thread for that.
    pub async fn shutdown(self) -> Result<(), TelemetryError> {
        let provider = self.provider;
        tokio::task::spawn_blocking(move || provider.shutdown()).await??;
        Ok(())
    }
}
