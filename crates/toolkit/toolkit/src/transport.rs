//! A transport by its URL, as a service's environment names it.
//!
//! | URL | feature | |
//! |---|---|---|
//! | `kafka://HOST:PORT,HOST:PORT` | `kafka` | Kafka, Stele |
//! | `amqp://USER:PASSWORD@HOST:PORT/VHOST` | `amqp` | RabbitMQ, Stele; `amqps` with lapin's TLS |
//! | `sqs://HOST:PORT`, `sqs+https://HOST` | `sqs` | Stele, or another endpoint |
//! | `sqs:` | `sqs` | Amazon SQS, in the region |
//! | `memory:`, `memory:NAME` | `memory` | in this process: the same broker for the same name |
//!
//! What differs from the defaults follows as a query, `?NAME=VALUE&NAME=VALUE`:
//!
//! | | | |
//! |---|---|---|
//! | Kafka | `partitions`, `replicas` | of topics that are made |
//! | | others | properties of librdkafka: `security.protocol=ssl` |
//! | AMQP | `namespace` | prefix of the exchanges |
//! | | `queues` | `quorum`, the default, or `classic` |
//! | | others | lapin's |
//! | SQS | `region` | by default that of `AWS_REGION`, or `us-east-1` |
//! | | `order` | `key`, the default, or `none` for standard queues |
//! | | `topic.NAME` | who gets the topic's events besides services of this process: `a,b` |
//!
//! SQS takes its keys from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, or
//! from the URL of a broker for tests: `sqs://KEY:SECRET@localhost:9324`. Whoever needs other
//! credentials makes the transport by its settings.

#[cfg(feature = "amqp")]
mod amqp;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "sqs")]
mod sqs;

use std::sync::Arc;

use stele_toolkit_bus::{Transport, TransportError};

#[cfg(feature = "amqp")]
pub use stele_toolkit_amqp::{Amqp, Settings as AmqpSettings};
#[cfg(feature = "kafka")]
pub use stele_toolkit_kafka::{Kafka, Settings as KafkaSettings};
#[cfg(feature = "sqs")]
pub use stele_toolkit_sqs::{Settings as SqsSettings, Sqs};

/// The variable that names the broker.
pub const VARIABLE: &str = "BROKER_URL";

/// Why there is no transport for a URL. The texts never show what may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The variable isn't set.
    #[error("set {name}, to {example} for example")]
    NotSet {
        /// The variable's name.
        name: &'static str,
        /// A value.
        example: &'static str,
    },
    /// No transport has this scheme.
    #[error("{0:?} isn't a scheme: kafka, amqp, amqps, sqs, sqs+https, memory")]
    Scheme(String),
    /// The program is built without the transport. Add the feature to its `Cargo.toml`.
    #[error("this program is built without the feature `{0}` of stele-toolkit")]
    NotBuilt(&'static str),
    /// A part of the URL is missing or wrong.
    #[error("a {scheme} URL: {reason}")]
    Url {
        /// Its scheme.
        scheme: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The transport doesn't take it.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// The transport that `BROKER_URL` names.
pub fn from_env() -> Result<Arc<dyn Transport>, ConnectError> {
    connect(&variable(
        VARIABLE,
        "amqp://guest:guest@localhost:5672/%2f",
    )?)
}

/// The transport of a URL. It connects when it is first used.
pub fn connect(url: &str) -> Result<Arc<dyn Transport>, ConnectError> {
    let (scheme, _) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        #[cfg(feature = "kafka")]
        "kafka" => kafka::connect(Parts::of("kafka", url)),
        #[cfg(not(feature = "kafka"))]
        "kafka" => Err(ConnectError::NotBuilt("kafka")),
        #[cfg(feature = "amqp")]
        "amqp" | "amqps" => amqp::connect(url),
        #[cfg(not(feature = "amqp"))]
        "amqp" | "amqps" => Err(ConnectError::NotBuilt("amqp")),
        #[cfg(feature = "sqs")]
        "sqs" => sqs::connect(Parts::of("sqs", url), "http"),
        #[cfg(feature = "sqs")]
        "sqs+https" => sqs::connect(Parts::of("sqs+https", url), "https"),
        #[cfg(not(feature = "sqs"))]
        "sqs" | "sqs+https" => Err(ConnectError::NotBuilt("sqs")),
        #[cfg(feature = "memory")]
        "memory" => Ok(memory::connect(url)),
        #[cfg(not(feature = "memory"))]
        "memory" => Err(ConnectError::NotBuilt("memory")),
        other => Err(ConnectError::Scheme(other.to_owned())),
    }
}

pub(crate) fn variable(name: &'static str, example: &'static str) -> Result<String, ConnectError> {
    let set = std::env::var(name).ok().filter(|value| !value.is_empty());
    set.ok_or(ConnectError::NotSet { name, example })
}

/// A URL's parts.
#[cfg(any(feature = "kafka", feature = "sqs"))]
#[derive(Debug)]
struct Parts {
    scheme: &'static str,
    /// What stands behind `//`, up to a `/` or the query, without the user.
    host: String,
    /// The user and its password, if they are told.
    #[cfg_attr(
        not(feature = "sqs"),
        expect(dead_code, reason = "Kafka has them elsewhere")
    )]
    user: Option<(String, String)>,
    query: Vec<(String, String)>,
}

#[cfg(any(feature = "kafka", feature = "sqs"))]
impl Parts {
    fn of(scheme: &'static str, url: &str) -> Self {
        let (before, query) = url.split_once('?').unwrap_or((url, ""));
        let rest = before.get(scheme.len() + 1..).unwrap_or_default();
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let host = rest.split('/').next().unwrap_or_default();
        let (user, host) = match host.rsplit_once('@') {
            Some((user, host)) => (user.split_once(':'), host),
            None => (None, host),
        };
        let query = form_urlencoded::parse(query.as_bytes()).into_owned();
        Self {
            scheme,
            host: host.to_owned(),
            user: user.map(|(name, password)| (name.to_owned(), password.to_owned())),
            query: query.collect(),
        }
    }

    fn wrong(&self, reason: impl Into<String>) -> ConnectError {
        ConnectError::Url {
            scheme: self.scheme,
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests;
