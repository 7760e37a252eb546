//! The configurations of topics and of the broker, by Kafka's names.
//!
//! What was set explicitly is kept in the log's facet. Three kinds:
//! - those that Stele acts on: retention, the largest batch, durability;
//! - those that Stele has one value for, which may be set to that value: `cleanup.policy=delete`
//!   among them, until there is compaction;
//! - those that tune Kafka's storage, which may be set to anything of their type, and are shown
//!   but do nothing: Stele's storage tunes itself, and keeps batches as they came.

use std::collections::BTreeMap;

use stele_core_engine::{
    Durability, LogDefinition, Settings as FacetSettings, SettingsChange, Window,
};
use stele_wire_kafka::ResponseError;

use crate::{Settings, errors::Fault, topics::FACET};

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
    /// The value where none is set; `None` where the front's settings say.
    default: Option<&'static str>,
    pub(crate) documentation: &'static str,
}

/// The type of a configuration, with what it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Int {
        min: i64,
        max: i64,
    },
    Long {
        min: i64,
    },
    Double,
    /// Any of these, or a list of them.
    OneOf(&'static [&'static str]),
    List,
}

const INT_MAX: i64 = i32::MAX as i64;

impl Config {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
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
    const fn idle(name: &'static str, kind: Kind, default: &'static str) -> Self {
        let documentation = "Without effect: Stele's storage tunes itself.";
        Self::new(name, kind, Some(default), documentation)
    }

    /// The value where none is set.
    pub(crate) fn default_value(&self, settings: &Settings) -> String {
        let bound = |it: Option<u64>| it.map_or("-1".to_owned(), |it| it.to_string());
        match self.name {
            RETENTION_MS => bound(settings.retention_default.time_ms),
            RETENTION_BYTES => bound(settings.retention_default.size_bytes),
            MAX_MESSAGE_BYTES => settings.batch_size_bytes_max.to_string(),
            DURABILITY => durability_name(settings.durability_default).to_owned(),
            _ => self.default.unwrap_or_default().to_owned(),
        }
    }

    fn check(&self, value: &str) -> Result<(), Fault> {
        let allowed = match self.kind {
            Kind::Boolean => matches!(value, "true" | "false"),
            Kind::Int { min, max } => value
                .parse::<i64>()
                .is_ok_and(|it| (min..=max).contains(&it)),
            Kind::Long { min } => value.parse::<i64>().is_ok_and(|it| it >= min),
            Kind::Double => value
                .parse::<f64>()
                .is_ok_and(|it| (0.0..=1.0).contains(&it)),
            Kind::OneOf(values) => values.contains(&value),
            Kind::List => true,
        };
        if allowed {
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

impl Kind {
    fn expectation(self) -> String {
        match self {
            Self::Boolean => "expected true or false".to_owned(),
            Self::Int { min, max } => format!("expected a number from {min} to {max}"),
            Self::Long { min } => format!("expected a number from {min}"),
            Self::Double => "expected a number from 0 to 1".to_owned(),
            Self::OneOf(values) => format!("Stele supports {}", values.join(", ")),
            Self::List => "expected a list".to_owned(),
        }
    }

    /// As DescribeConfigs numbers types (`ConfigType`, KIP-226).
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::OneOf(_) => 2,
            Self::Int { .. } => 3,
            Self::Long { .. } => 5,
            Self::Double => 6,
            Self::List => 7,
        }
    }
}

/// Every configuration of a topic.
pub(crate) const TOPIC_CONFIGS: &[Config] = &[
    Config::new(
        "cleanup.policy",
        Kind::OneOf(&["delete"]),
        Some("delete"),
        "Records go by age and size. Compaction isn't supported yet.",
    ),
    Config::new(
        "compression.type",
        Kind::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        Some("producer"),
        "Without effect: batches are kept as their producer compressed them.",
    ),
    Config::idle("delete.retention.ms", Kind::Long { min: 0 }, "86400000"),
    Config::idle("file.delete.delay.ms", Kind::Long { min: 0 }, "60000"),
    Config::idle(
        "flush.messages",
        Kind::Long { min: 1 },
        "9223372036854775807",
    ),
    Config::idle("flush.ms", Kind::Long { min: 0 }, "9223372036854775807"),
    Config::idle("follower.replication.throttled.replicas", Kind::List, ""),
    Config::idle(
        "index.interval.bytes",
        Kind::Int {
            min: 0,
            max: INT_MAX,
        },
        "4096",
    ),
    Config::idle("leader.replication.throttled.replicas", Kind::List, ""),
    Config::idle(
        "max.compaction.lag.ms",
        Kind::Long { min: 1 },
        "9223372036854775807",
    ),
    Config::new(
        MAX_MESSAGE_BYTES,
        Kind::Int {
            min: 0,
            max: INT_MAX,
        },
        None,
        "The largest batch that a producer may send.",
    ),
    Config::new(
        TIMESTAMP_AFTER_MAX_MS,
        Kind::Long { min: 0 },
        Some("3600000"),
        "How far a record's timestamp may be ahead of the broker's time.",
    ),
    Config::new(
        TIMESTAMP_BEFORE_MAX_MS,
        Kind::Long { min: 0 },
        Some("9223372036854775807"),
        "How far a record's timestamp may be behind the broker's time.",
    ),
    Config::new(
        "message.timestamp.type",
        Kind::OneOf(&["CreateTime"]),
        Some("CreateTime"),
        "Records keep the time that their producer gave them.",
    ),
    Config::idle("min.cleanable.dirty.ratio", Kind::Double, "0.5"),
    Config::idle("min.compaction.lag.ms", Kind::Long { min: 0 }, "0"),
    Config::new(
        "min.insync.replicas",
        Kind::Int { min: 1, max: 1 },
        Some("1"),
        "There is one replica.",
    ),
    Config::idle("preallocate", Kind::Boolean, "false"),
    Config::new(
        RETENTION_BYTES,
        Kind::Long { min: -1 },
        None,
        "The size to which a partition is kept; -1 keeps any.",
    ),
    Config::new(
        RETENTION_MS,
        Kind::Long { min: -1 },
        None,
        "The age to which a record is kept; -1 keeps any.",
    ),
    Config::idle(
        "segment.bytes",
        Kind::Int {
            min: 14,
            max: INT_MAX,
        },
        "1073741824",
    ),
    Config::idle(
        "segment.index.bytes",
        Kind::Int {
            min: 4,
            max: INT_MAX,
        },
        "10485760",
    ),
    Config::idle("segment.jitter.ms", Kind::Long { min: 0 }, "0"),
    Config::idle("segment.ms", Kind::Long { min: 1 }, "604800000"),
    Config::new(
        DURABILITY,
        Kind::OneOf(&["synced", "flushed", "volatile"]),
        None,
        "What a produce request waits for: the disk, the operating system, or nothing. Set when \
         the topic is created.",
    ),
    Config::idle("unclean.leader.election.enable", Kind::Boolean, "false"),
];

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

/// A configuration with its value.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) config: &'static Config,
    pub(crate) value: String,
    pub(crate) source: Source,
}

/// Every configuration of a topic with these settings.
pub(crate) fn describe_settings(facet: &FacetSettings, settings: &Settings) -> Vec<Described> {
    let described = |config: &'static Config| match facet.get(config.name) {
        Some(value) => Described {
            config,
            value: value.to_string(),
            source: Source::Topic,
        },
        None => Described {
            config,
            value: config.default_value(settings),
            source: Source::Default,
        },
    };
    TOPIC_CONFIGS.iter().map(described).collect()
}

/// Every configuration of a topic that exists.
pub(crate) fn describe(definition: &LogDefinition, settings: &Settings) -> Vec<Described> {
    let none = FacetSettings::new();
    let facet = definition.facets.get(FACET).unwrap_or(&none);
    let mut described = describe_settings(facet, settings);
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
            let message = format!("unknown topic config name: {name}");
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
            ("min.insync.replicas", "2"),
        ] {
            let fault = checked(name, value).unwrap_err();
            assert_eq!(fault.error, ResponseError::InvalidConfig, "{name}={value}");
        }
    }

    #[test]
    fn the_times_that_a_topic_takes_are_those_shown() {
        let set = |name: &str| {
            let default = find(name).unwrap().default.unwrap();
            checked(name, default).unwrap()
        };
        let (before, after) = (set(TIMESTAMP_BEFORE_MAX_MS), set(TIMESTAMP_AFTER_MAX_MS));
        let defaults = TimeBounds::of(None);
        assert_eq!(TimeBounds::of(Some(&before)), defaults);
        assert_eq!(TimeBounds::of(Some(&after)), defaults);
        let closer = TimeBounds::of(Some(&checked(TIMESTAMP_AFTER_MAX_MS, "5").unwrap()));
        assert_eq!(closer.after_ms_max, 5);
    }

    #[test]
    fn defaults_are_values_that_may_be_set() {
        for config in TOPIC_CONFIGS {
            if let Some(default) = config.default {
                assert!(config.check(default).is_ok(), "{}", config.name);
            }
        }
    }
}
