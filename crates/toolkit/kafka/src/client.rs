//! Configuration of the client library, and its log lines.

use rdkafka::{
    ClientConfig, ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext,
    error::KafkaError,
};
use stele_toolkit_bus::TransportError;
use uuid::Uuid;

use crate::{Settings, errors::translate};

/// Passes the client library's log lines on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Logging;

impl ClientContext for Logging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Logging {}

/// Most of what librdkafka logs is about connections, which it opens again by itself.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, message, "librdkafka");
        }
        _ => tracing::debug!(facility, message, "librdkafka"),
    }
}

/// How the records of a group are spread over its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spreading {
    /// Over all; a member keeps what it has when another joins.
    Sticky,
    /// The first member in the order of their ids gets partition 0 of each topic.
    Range,
}

impl Settings {
    /// What clients of every kind have in common.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("reconnect.backoff.ms", "50");
        config.set("reconnect.backoff.max.ms", "1000");
        config.set("allow.auto.create.topics", "false");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        // A producer has no such property.
        config.remove("allow.auto.create.topics");
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config.set("linger.ms", "1");
        config.set("message.max.bytes", self.message_bytes_max.to_string());
        config.set("message.timeout.ms", self.timeout.as_millis().to_string());
        config
    }

    /// A client that looks at a group's offsets without being its member.
    pub(crate) fn onlooker(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config.set("group.id", group);
        config.set("enable.auto.commit", "false");
        config
    }

    /// A member of a group. Members of one process have the same `process` in each of its groups,
    /// by which they are in the same order in each.
    pub(crate) fn member(&self, group: &str, process: Uuid, spreading: Spreading) -> ClientConfig {
        let mut config = self.onlooker(group);
        let spreading = match spreading {
            Spreading::Sticky => "cooperative-sticky",
            Spreading::Range => "range",
        };
        let session_timeout_ms = self.session_timeout.as_millis();
        config.set("client.id", process.to_string());
        config.set("partition.assignment.strategy", spreading);
        config.set("session.timeout.ms", session_timeout_ms.to_string());
        let heartbeat_ms = (session_timeout_ms / 10).clamp(1, 1000);
        config.set("heartbeat.interval.ms", heartbeat_ms.to_string());
        config.set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "earliest");
        // What is fetched ahead of the handout.
        config.set("queued.min.messages", "1000");
        config.set("queued.max.messages.kbytes", "16384");
        config.set("fetch.queue.backoff.ms", "50");
        config
    }
}

/// Runs what blocks on a thread for that, and tells its errors as those of a topic or queue.
pub(crate) async fn blocking<T: Send + 'static>(
    destination: &str,
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, TransportError> {
    let result = tokio::task::spawn_blocking(work).await;
    let result = result.map_err(|_| TransportError::Closed)?;
    result.map_err(|error| translate(&error, destination))
}
