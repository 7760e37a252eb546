//! Configurations of unsupported features: groups of newer protocols, and metrics pushed by
//! clients. They have Kafka's defaults, for tools that list them.

use crate::{
    broker_configs::Type,
    topic_configs::{Source, Synonym},
};

/// A configuration without effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnservedConfig {
    pub(crate) name: &'static str,
    pub(crate) of_type: Type,
    pub(crate) default: &'static str,
    /// The broker configuration that provides the default.
    broker_name: Option<&'static str>,
}

impl UnservedConfig {
    pub(crate) const DOCUMENTATION: &str = "No effect: Stele doesn't support this feature.";

    const fn group(
        name: &'static str,
        broker_name: &'static str,
        of_type: Type,
        default: &'static str,
    ) -> Self {
        Self {
            name,
            of_type,
            default,
            broker_name: Some(broker_name),
        }
    }

    const fn metrics(name: &'static str, of_type: Type, default: &'static str) -> Self {
        Self {
            name,
            of_type,
            default,
            broker_name: None,
        }
    }

    pub(crate) fn synonym(&self) -> Option<Synonym> {
        Some(Synonym {
            name: self.broker_name?,
            value: self.default.to_owned(),
            source: Source::Default,
        })
    }
}

macro_rules! group_configs {
    ($($of_type:ident $name:literal of $broker_name:literal = $default:literal;)+) => {
        /// The configurations of a group.
        pub(crate) const GROUP_CONFIGS: &[UnservedConfig] = &[$(
            UnservedConfig::group($name, $broker_name, Type::$of_type, $default)
        ),+];
    };
}

group_configs! {
    Int "consumer.heartbeat.interval.ms" of "group.consumer.heartbeat.interval.ms" = "5000";
    Int "consumer.session.timeout.ms" of "group.consumer.session.timeout.ms" = "45000";
    String "share.auto.offset.reset" of "share.auto.offset.reset" = "latest";
    Int "share.heartbeat.interval.ms" of "group.share.heartbeat.interval.ms" = "5000";
    String "share.isolation.level" of "share.isolation.level" = "read_uncommitted";
    Int "share.record.lock.duration.ms" of "group.share.record.lock.duration.ms" = "30000";
    Int "share.session.timeout.ms" of "group.share.session.timeout.ms" = "45000";
    Int "streams.heartbeat.interval.ms" of "group.streams.heartbeat.interval.ms" = "5000";
    Int "streams.num.standby.replicas" of "group.streams.num.standby.replicas" = "0";
    Int "streams.session.timeout.ms" of "group.streams.session.timeout.ms" = "45000";
}

/// The configurations of a client metrics subscription.
pub(crate) const CLIENT_METRICS_CONFIGS: &[UnservedConfig] = &[
    UnservedConfig::metrics("interval.ms", Type::Int, "300000"),
    UnservedConfig::metrics("match", Type::List, ""),
    UnservedConfig::metrics("metrics", Type::List, ""),
];
