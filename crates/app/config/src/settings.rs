//! The configuration as typed settings. The fields are described only in [`crate::KEYS`]; a test
//! checks that both match.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;
use stele_base_types::Secret;

use crate::measure::{Size, Span};

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub kafka: Kafka,
    pub amqp: Amqp,
    pub sqs: Sqs,
    pub admin: Admin,
    pub storage: Storage,
    #[serde(default)]
    pub engine: Engine,
    pub auth: Auth,
    pub limits: Limits,
    pub logging: Logging,
}

/// `[kafka]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    pub host: String,
    pub port: u16,
    pub advertised_host: Option<String>,
    pub advertised_port: Option<u16>,
    pub auto_create: bool,
    pub partitions: u32,
    pub strict_replication: bool,
    pub retention: Span,
    pub group_gathering: Span,
    pub batch_max: Size,
    pub request_max: Size,
}

/// `[amqp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amqp {
    pub host: String,
    pub port: u16,
    pub heartbeat: Span,
    pub frame_max: Size,
    pub channel_max: u16,
    pub body_max: Option<Size>,
    pub consumer_timeout: Span,
    pub rabbitmq_version: String,
}

/// `[sqs]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sqs {
    pub host: String,
    pub port: u16,
    pub alias_port: Option<u16>,
    pub region: String,
    pub account: String,
    pub purge_interval: Span,
    pub in_flight_max: u64,
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    pub host: String,
    pub port: u16,
}

/// `[storage]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    pub dir: PathBuf,
    pub durability: Durability,
    pub reserve: Size,
    pub journal_file: Size,
    pub journal: Size,
    pub journal_age: Span,
    pub segment: Size,
    pub cache: Size,
}

/// When a write is acknowledged, for a log that doesn't configure it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// After it is on disk.
    Synced,
    /// After it is handed to the operating system.
    Flushed,
}

/// `[engine]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    pub shards: Option<u16>,
}

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    pub users: BTreeMap<String, Secret>,
    #[serde(default)]
    pub sqs_keys: BTreeMap<String, Secret>,
    pub hosts: Option<String>,
    pub insecure: bool,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub connections: usize,
    pub memory: Option<Size>,
}

/// `[logging]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logging {
    pub level: String,
    pub format: LogFormat,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}
