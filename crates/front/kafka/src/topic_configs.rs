//! The configurations of topics, by Kafka's names.
//!
//! What was set explicitly is kept in the log's facet. Three kinds:
//! - those that Stele acts on: retention, the largest batch, durability;
//! - those that Stele has one value for, which may be set to that value: `cleanup.policy=delete`
//!   among them, until there is compaction;
//! - those that tune Kafka's storage, which may be set to anything of their type, and are shown
//!   but do nothing: Stele's storage tunes itself, and keeps batches as they came.

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
/// `synced`, `flushed` or `volatile`: what a produce request waits for. Stele's own.
pub(crate) const DURABILITY: &str = "stele.durability";

/// A configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    default: Default,
    pub(crate) documentation: &'static str,
}

/// Where the value comes from where none is set.
#[derive(Clone, Copy, Debug)]
enum Default {
    /// The broker's configuration of this name, as in Kafka.
    Broker(&'static str),
    /// The same, or this where that is null.
    BrokerOr(&'static str, &'static str),
    /// It is always this.
    Always(&'static str),
    /// Stele's own durability.
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

    /// Of a storage that isn't Stele's.
    const fn idle(name: &'static str, kind: Kind, default: Default) -> Self {
        let documentation = "Without effect: Stele's storage tunes itself.";
        Self::new(name, kind, default, documentation)
    }

    /// What Kafka keeps elsewhere as well, and Stele doesn't.
    const fn tiered(name: &'static str, kind: Kind, default: Default) -> Self {
        let documentation = "Without effect: there is no tiered storage.";
        Self::new(name, kind, default, documentation)
    }

    /// Where the value comes from where none is set for the topic: the first is it.
    fn synonyms(&self, session: &Session) -> Vec<Synonym> {
        match self.default {
            Default::Broker(name) | Default::BrokerOr(name, _) => {
                let config = broker_configs::find(name);
                config.map_or_else(Vec::new, |config| config.synonyms(session))
            }
            Default::Always(_) | Default::Durability => Vec::new(),
        }
    }

    /// The value where none is set, and nothing of the broker's is.
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

/// Where a value comes from, as responses number it (KIP-226).
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

/// A value that a configuration has, or would have.
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
    /// What is set for the topic and for the broker, and the default, as far as there is each.
    pub(crate) synonyms: Vec<Synonym>,
}

/// Every configuration of a topic with these settings.
pub(crate) fn describe_settings(facet: &FacetSettings, session: &Session) -> Vec<Described> {
    let all = TOPIC_CONFIGS.iter();
    all.map(|config| describe_one(config, facet.get(config.name).map(AsRef::as_ref), session))
        .collect()
}

/// One of them, where `set` is set for the topic.
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

/// Every configuration of a topic that exists.
pub(crate) fn describe(definition: &LogDefinition, session: &Session) -> Vec<Described> {
    let none = FacetSettings::new();
    let facet = definition.facets.get(FACET).unwrap_or(&none);
    let mut described = describe_settings(facet, session);
    for it in &mut described {
        // Another protocol may have made the log, and chosen it.
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

/// Checks configurations that a client sets. A null value is the default, and not kept.
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

/// The change by which a topic has the configurations that a client gives, and no others.
pub(crate) fn replacing<'a>(
    configs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<SettingsChange, Fault> {
    let mut given = check(configs)?;
    let all = TOPIC_CONFIGS.iter();
    Ok(all
        .map(|config| (config.name.into(), given.remove(config.name)))
        .collect())
}

/// The retention that a topic's settings ask for.
pub(crate) fn window(facet: &FacetSettings, settings: &Settings) -> Window {
    let bound = |name: &str, default: Option<u64>| match facet.get(name) {
        // -1, and nothing else that the check lets pass, is no bound.
        Some(value) => value.parse().ok(),
        None => default,
    };
    Window {
        time_ms: bound(RETENTION_MS, settings.retention_default.time_ms),
        size_bytes: bound(RETENTION_BYTES, settings.retention_default.size_bytes),
    }
}

/// The largest batch, where a topic's settings say.
pub(crate) fn batch_size_bytes_max(facet: &FacetSettings) -> Option<u32> {
    facet.get(MAX_MESSAGE_BYTES)?.parse().ok()
}

/// The times, seen from the broker's, that a topic's records may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeBounds {
    pub(crate) before_ms_max: u64,
    pub(crate) after_ms_max: u64,
}

impl TimeBounds {
    /// Those that a topic's settings ask for.
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

/// The durability that a topic's settings ask for.
pub(crate) fn durability(facet: &FacetSettings, settings: &Settings) -> Durability {
    match facet.get(DURABILITY).map(AsRef::as_ref) {
        Some("synced") => Durability::Synced,
        Some("flushed") => Durability::Flushed,
        Some("volatile") => Durability::Volatile,
        _ => settings.durability_default,
    }
}

/// A durability as [`DURABILITY`] writes it.
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
