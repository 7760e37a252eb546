//! The configurations of topics, under Kafka's names.
//!
//! Explicitly set values are stored in the log's facet. There are three kinds:
//! - those that Stele uses: retention, maximum batch size, durability;
//! - those with only one supported value, which may be set to that value: for example
//!   `cleanup.policy=delete`, until there is compaction;
//! - those that tune Kafka's storage, which may be set to any value of their type; they are
//!   returned but have no effect: Stele's storage tunes itself, and keeps batches as they were
//!   sent.

mod kind;
mod table;

use std::collections::BTreeMap;

use stele_core_engine::{
    Durability, LogDefinition, Settings as FacetSettings, SettingsChange, Window,
};
use stele_wire_kafka::ResponseError;

pub(crate) use self::{
    kind::{Kind, elements},
    table::TOPIC_CONFIGS,
};
use crate::{Settings, broker_configs, errors::Fault, session::Session, topics::FACET};

const CLEANUP_POLICY: &str = "cleanup.policy";
pub(crate) const RETENTION_MS: &str = "retention.ms";
pub(crate) const RETENTION_BYTES: &str = "retention.bytes";
pub(crate) const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
const TIMESTAMP_BEFORE_MAX_MS: &str = "message.timestamp.before.max.ms";
const TIMESTAMP_AFTER_MAX_MS: &str = "message.timestamp.after.max.ms";
/// `synced`, `flushed` or `volatile`: what a produce request waits for. Specific to Stele.
pub(crate) const DURABILITY: &str = "stele.durability";

/// A configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    default: Default,
    pub(crate) documentation: &'static str,
}

/// The source of the value if none is set.
#[derive(Clone, Copy, Debug)]
enum Default {
    /// The broker's configuration of this name, as in Kafka.
    Broker(&'static str),
    /// The same, or this value if that is null.
    BrokerOr(&'static str, &'static str),
    /// Always this value.
    Always(&'static str),
    /// The durability setting of Stele.
    Durability,
}

impl Config {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: Default,
        documentation: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            default,
            documentation,
        }
    }

    /// A configuration of Kafka's storage.
    const fn idle(name: &'static str, kind: Kind, default: Default) -> Self {
        let documentation = "No effect: Stele's storage tunes itself.";
        Self::new(name, kind, default, documentation)
    }

    /// A configuration of Kafka's tiered storage, which Stele doesn't have.
    const fn tiered(name: &'static str, kind: Kind, default: Default) -> Self {
        let documentation = "No effect: there is no tiered storage.";
        Self::new(name, kind, default, documentation)
    }

    /// The sources of the value if none is set for the topic; the first one is effective.
    fn synonyms(&self, session: &Session) -> Vec<Synonym> {
        match self.default {
            Default::Broker(name) | Default::BrokerOr(name, _) => {
                let config = broker_configs::find(name);
                config.map_or_else(Vec::new, |config| config.synonyms(session))
            }
            Default::Always(_) | Default::Durability => Vec::new(),
        }
    }

    /// The value if none is set for the topic or the broker.
    fn fallback(&self, session: &Session) -> &'static str {
        match self.default {
            Default::Broker(_) => "",
            Default::BrokerOr(_, value) | Default::Always(value) => value,
            Default::Durability => durability_name(session.settings.durability_default),
        }
    }

    fn check(&self, value: &str) -> Result<(), Fault> {
        if self.kind.allows(value) {
            return Ok(());
        }
        let message = format!(
            "invalid value {value} for configuration {}: {}",
            self.name,
            self.kind.expectation()
        );
        Err(Fault::new(ResponseError::InvalidConfig, message))
    }
}

/// The source of a value, numbered as in responses (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Set for the topic.
    Topic,
    /// Set for the broker.
    Broker,
    /// Not set.
    Default,
}

impl Source {
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::Topic => 1,
            Self::Broker => 4,
            Self::Default => 5,
        }
    }
}

/// A value that a configuration has, or would have without the values before it.
#[derive(Clone, Debug)]
pub(crate) struct Synonym {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) source: Source,
}

/// A configuration with its value.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) config: &'static Config,
    pub(crate) value: String,
    pub(crate) source: Source,
    /// The values set for the topic and for the broker, and the default, as far as they exist.
    pub(crate) synonyms: Vec<Synonym>,
}

/// All configurations of a topic with these settings.
pub(crate) fn describe_settings(facet: &FacetSettings, session: &Session) -> Vec<Described> {
    let all = TOPIC_CONFIGS.iter();
    all.map(|config| describe_one(config, facet.get(config.name).map(AsRef::as_ref), session))
        .collect()
}

/// One configuration, if `set` is set for the topic.
pub(crate) fn describe_one(
    config: &'static Config,
    set: Option<&str>,
    session: &Session,
) -> Described {
    let set = set.map(|value| Synonym {
        name: config.name,
        value: value.to_owned(),
        source: Source::Topic,
    });
    let synonyms: Vec<_> = set.into_iter().chain(config.synonyms(session)).collect();
    let (value, source) = match synonyms.first() {
        Some(first) => (first.value.clone(), first.source),
        None => (config.fallback(session).to_owned(), Source::Default),
    };
    Described {
        config,
        value,
        source,
        synonyms,
    }
}

/// All configurations of an existing topic.
pub(crate) fn describe(definition: &LogDefinition, session: &Session) -> Vec<Described> {
    let none = FacetSettings::new();
    let facet = definition.facets.get(FACET).unwrap_or(&none);
    let mut described = describe_settings(facet, session);
    for it in &mut described {
        // Another protocol may have created the log and chosen its durability.
        if it.config.name == DURABILITY {
            it.value = durability_name(definition.config.durability).to_owned();
        }
    }
    described
}

/// The configuration `name` of a topic.
pub(crate) fn find(name: &str) -> Option<&'static Config> {
    TOPIC_CONFIGS.iter().find(|config| config.name == name)
}

/// Checks configurations that a client sets. A null value means the default, and isn't stored.
pub(crate) fn check<'a>(
    configs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<FacetSettings, Fault> {
    let mut settings = BTreeMap::new();
    for (name, value) in configs {
        let config = find(name).ok_or_else(|| {
            let message = format!("Unknown topic config name: {name}");
            Fault::new(ResponseError::InvalidConfig, message)
        })?;
        if let Some(value) = value {
            config.check(value)?;
            settings.insert(name.into(), value.into());
        }
    }
    Ok(settings)
}

/// The change that gives a topic exactly the given configurations.
pub(crate) fn replacing<'a>(
    configs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<SettingsChange, Fault> {
    let mut given = check(configs)?;
    let all = TOPIC_CONFIGS.iter();
    Ok(all
        .map(|config| (config.name.into(), given.remove(config.name)))
        .collect())
}

/// The retention from a topic's settings.
pub(crate) fn window(facet: &FacetSettings, settings: &Settings) -> Window {
    let bound = |name: &str, default: Option<u64>| match facet.get(name) {
        // Of the values that pass the check, only -1 fails to parse; it means no limit.
        Some(value) => value.parse().ok(),
        None => default,
    };
    Window {
        time_ms: bound(RETENTION_MS, settings.retention_default.time_ms),
        size_bytes: bound(RETENTION_BYTES, settings.retention_default.size_bytes),
    }
}

/// The maximum batch size, if a topic's settings have one.
pub(crate) fn batch_size_bytes_max(facet: &FacetSettings) -> Option<u32> {
    facet.get(MAX_MESSAGE_BYTES)?.parse().ok()
}

/// The acceptable timestamps of a topic's records, relative to the broker's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeBounds {
    pub(crate) before_ms_max: u64,
    pub(crate) after_ms_max: u64,
}

impl TimeBounds {
    /// The bounds from a topic's settings.
    pub(crate) fn of(facet: Option<&FacetSettings>) -> Self {
        let bound = |name, default| {
            let value = facet.and_then(|facet| facet.get(name)?.parse().ok());
            value.unwrap_or(default)
        };
        Self {
            before_ms_max: bound(TIMESTAMP_BEFORE_MAX_MS, i64::MAX as u64),
            after_ms_max: bound(TIMESTAMP_AFTER_MAX_MS, 60 * 60_000),
        }
    }
}

/// The durability from a topic's settings.
pub(crate) fn durability(facet: &FacetSettings, settings: &Settings) -> Durability {
    match facet.get(DURABILITY).map(AsRef::as_ref) {
        Some("synced") => Durability::Synced,
        Some("flushed") => Durability::Flushed,
        Some("volatile") => Durability::Volatile,
        _ => settings.durability_default,
    }
}

/// A durability in the form of [`DURABILITY`].
pub(crate) fn durability_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Synced => "synced",
        Durability::Flushed => "flushed",
        Durability::Volatile => "volatile",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str, value: &str) -> Result<FacetSettings, Fault> {
        check([(name, Some(value))].into_iter())
    }

    #[test]
    fn values_that_their_configuration_allows_are_kept_as_written() {
        for (name, value) in [
            ("retention.ms", "-1"),
            ("retention.bytes", "1048576"),
            ("cleanup.policy", "delete"),
            ("max.message.bytes", "10"),
            ("segment.ms", "1000"),
            ("compression.type", "zstd"),
            ("stele.durability", "flushed"),
            ("min.insync.replicas", "2"),
            ("compression.gzip.level", "-1"),
            ("compression.gzip.level", "9"),
            ("compression.lz4.level", "17"),
            ("compression.zstd.level", "-131072"),
            ("remote.storage.enable", "false"),
            ("leader.replication.throttled.replicas", "*"),
            ("leader.replication.throttled.replicas", "0:1, 1:1"),
            ("follower.replication.throttled.replicas", ""),
        ] {
            let kept = checked(name, value).unwrap();
            assert_eq!(kept.get(name).map(AsRef::as_ref), Some(value));
        }
    }

    #[test]
    fn unknown_names_and_values_out_of_range_are_invalid() {
        for (name, value) in [
            ("retention.msec", "1"),
            ("retention.ms", "-2"),
            ("retention.ms", "soon"),
            ("cleanup.policy", "compact"),
            ("compression.type", "brotli"),
            ("max.message.bytes", "2147483648"),
            ("message.timestamp.type", "LogAppendTime"),
            ("min.insync.replicas", "0"),
            ("cleanup.policy", ""),
            ("cleanup.policy", "delete,compact"),
            ("compression.gzip.level", "0"),
            ("compression.gzip.level", "10"),
            ("compression.lz4.level", "18"),
            ("compression.zstd.level", "23"),
            ("remote.storage.enable", "true"),
            ("leader.replication.throttled.replicas", "*,0:1"),
            ("follower.replication.throttled.replicas", "0"),
        ] {
            let fault = checked(name, value).unwrap_err();
            assert_eq!(fault.error, ResponseError::InvalidConfig, "{name}={value}");
        }
    }

    #[test]
    fn a_topic_takes_the_times_that_it_is_set_to_take() {
        let closer = TimeBounds::of(Some(&checked(TIMESTAMP_AFTER_MAX_MS, "5").unwrap()));
        assert_eq!(closer.after_ms_max, 5);
        let later = TimeBounds::of(Some(&checked(TIMESTAMP_BEFORE_MAX_MS, "7").unwrap()));
        assert_eq!(later.before_ms_max, 7);
    }
}
