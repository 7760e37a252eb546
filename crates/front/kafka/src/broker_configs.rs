//! The broker's configurations, under Kafka's names.
//!
//! Includes Kafka's configurations that have a meaning here: Stele's settings, values that are the
//! same on every broker of Stele, and defaults of topics. Clients can't alter any of them.
//! Configurations of missing parts of Kafka are left out: TLS, SASL, controllers, followers, tiered
//! storage, share and streams groups, its threads and purgatories.

use stele_core_broker::Kind as MemoryKind;
use stele_core_engine::limits::{
    GROUP_MEMBERS_MAX, GROUP_RETENTION_MS, GROUP_SESSION_TIMEOUT_MS, OFFSET_METADATA_BYTES_MAX,
    PRODUCER_EXPIRY_MS,
};

use crate::{
    limits::{FETCH_SIZE_BYTES_MAX, IDLE},
    session::Session,
    topic_configs::{Source, Synonym},
    topics::NODE_ID,
};

/// The type of a configuration, numbered as in DescribeConfigs (`ConfigType`, KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
}

/// A configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BrokerConfig {
    pub(crate) name: &'static str,
    pub(crate) of_type: Type,
    /// Kafka's default; `None` is null.
    pub(crate) default: Option<&'static str>,
    role: Role,
}

#[derive(Clone, Copy, Debug)]
enum Role {
    /// The value is Stele's setting, or a constant of Stele.
    Told,
    /// The value is Kafka's default, because it has no effect here.
    Idle,
}

impl BrokerConfig {
    pub(crate) fn documentation(&self) -> &'static str {
        match self.role {
            Role::Told => "Set in Stele's own configuration, or fixed.",
            Role::Idle => "No effect: Stele's storage tunes itself.",
        }
    }

    /// The effective value; `None` is null.
    pub(crate) fn value(&self, session: &Session) -> Option<String> {
        told(self.name, session).unwrap_or_else(|| self.default.map(str::to_owned))
    }

    /// The value if it isn't Kafka's default, then that default.
    pub(crate) fn synonyms(&self, session: &Session) -> Vec<Synonym> {
        let value = self.value(session);
        let synonym = |value, source| Synonym {
            name: self.name,
            value,
            source,
        };
        let default = self.default.map(str::to_owned);
        let set = value.filter(|value| Some(value) != default.as_ref());
        let set = set.map(|value| synonym(value, Source::Broker));
        let default = default.map(|value| synonym(value, Source::Default));
        set.into_iter().chain(default).collect()
    }

    /// The source of its value.
    pub(crate) fn source(&self, session: &Session) -> Source {
        let synonyms = self.synonyms(session);
        synonyms.first().map_or(Source::Default, |it| it.source)
    }
}

/// The configuration `name`.
pub(crate) fn find(name: &str) -> Option<&'static BrokerConfig> {
    BROKER_CONFIGS.iter().find(|config| config.name == name)
}

/// The value of configurations that can differ from Kafka's default; `Some(None)` is null.
fn told(name: &str, session: &Session) -> Option<Option<String>> {
    let settings = &session.settings;
    let endpoint = &session.endpoint;
    let retention = settings.retention_default;
    Some(Some(match name {
        "advertised.listeners" => match endpoint.host.contains(':') {
            true => format!("PLAINTEXT://[{}]:{}", endpoint.host, endpoint.port),
            false => format!("PLAINTEXT://{}:{}", endpoint.host, endpoint.port),
        },
        "auto.create.topics.enable" => settings.auto_create_topics.to_string(),
        "broker.id" | "node.id" => NODE_ID.to_string(),
        "connections.max.idle.ms" => IDLE.as_millis().to_string(),
        "fetch.max.bytes" => FETCH_SIZE_BYTES_MAX.to_string(),
        "group.coordinator.rebalance.protocols" => "classic".to_owned(),
        "group.initial.rebalance.delay.ms" => settings.group_gathering_ms.to_string(),
        "group.max.session.timeout.ms" => GROUP_SESSION_TIMEOUT_MS.end().to_string(),
        "group.max.size" => GROUP_MEMBERS_MAX.to_string(),
        "group.min.session.timeout.ms" => GROUP_SESSION_TIMEOUT_MS.start().to_string(),
        "listener.security.protocol.map" => "PLAINTEXT:PLAINTEXT".to_owned(),
        "listeners" => {
            let listeners = settings.listeners.iter();
            let listeners = listeners.map(|address| format!("PLAINTEXT://{address}"));
            listeners.collect::<Vec<_>>().join(",")
        }
        "log.cleaner.enable" => false.to_string(),
        "log.dirs" => settings.log_dir.clone(),
        "log.retention.bytes" => bound(retention.size_bytes),
        // Kafka uses hours unless this is set.
        "log.retention.ms" if retention.time_ms == Some(KAFKAS_RETENTION_MS) => return None,
        "log.retention.ms" => bound(retention.time_ms),
        "max.connections" => settings.connections_max.to_string(),
        "message.max.bytes" => settings.batch_size_bytes_max.to_string(),
        "num.partitions" => settings.partitions_default.to_string(),
        "offset.metadata.max.bytes" => OFFSET_METADATA_BYTES_MAX.to_string(),
        "offsets.retention.minutes" => (GROUP_RETENTION_MS / 60_000).to_string(),
        "offsets.topic.replication.factor" | "transaction.state.log.replication.factor" => {
            1.to_string()
        }
        "process.roles" => "broker,controller".to_owned(),
        "producer.id.expiration.ms" => PRODUCER_EXPIRY_MS.to_string(),
        "queued.max.request.bytes" => {
            let memory = session.broker.memory();
            memory.max_bytes(MemoryKind::Requests).to_string()
        }
        "sasl.enabled.mechanisms" => String::new(),
        "socket.request.max.bytes" => settings.request_size_bytes_max.to_string(),
        "transaction.state.log.min.isr" => 1.to_string(),
        _ => return None,
    }))
}

/// Kafka's `log.retention.hours`.
const KAFKAS_RETENTION_MS: u64 = 168 * 60 * 60 * 1000;

fn bound(limit: Option<u64>) -> String {
    limit.map_or("-1".to_owned(), |limit| limit.to_string())
}

macro_rules! broker_configs {
    ($($role:ident $of_type:ident $name:literal $(= $default:literal)?;)+) => {
        /// All returned configurations of the broker, by name.
        pub(crate) const BROKER_CONFIGS: &[BrokerConfig] = &[$(BrokerConfig {
            name: $name,
            of_type: Type::$of_type,
            default: broker_configs!(@ $($default)?),
            role: Role::$role,
        }),+];
    };
    (@) => { None };
    (@ $default:literal) => { Some($default) };
}

broker_configs! {
    Told List "advertised.listeners";
    Told String "authorizer.class.name" = "";
    Told Boolean "auto.create.topics.enable" = "true";
    Told Int "broker.id" = "-1";
    Told String "broker.rack";
    Idle Int "compression.gzip.level" = "-1";
    Idle Int "compression.lz4.level" = "9";
    Idle String "compression.type" = "producer";
    Idle Int "compression.zstd.level" = "3";
    Told Long "connections.max.idle.ms" = "600000";
    Told Int "default.replication.factor" = "1";
    Told Boolean "delete.topic.enable" = "true";
    Told Int "fetch.max.bytes" = "57671680";
    Told List "group.coordinator.rebalance.protocols" = "classic,consumer,streams";
    Told Int "group.initial.rebalance.delay.ms" = "3000";
    Told Int "group.max.session.timeout.ms" = "1800000";
    Told Int "group.max.size" = "2147483647";
    Told Int "group.min.session.timeout.ms" = "6000";
    Told String "inter.broker.listener.name";
    Told String "listener.security.protocol.map" =
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT";
    Told List "listeners" = "PLAINTEXT://:9092";
    Idle Long "log.cleaner.delete.retention.ms" = "86400000";
    Told Boolean "log.cleaner.enable" = "true";
    Idle Long "log.cleaner.max.compaction.lag.ms" = "9223372036854775807";
    Idle Double "log.cleaner.min.cleanable.ratio" = "0.5";
    Idle Long "log.cleaner.min.compaction.lag.ms" = "0";
    Told List "log.cleanup.policy" = "delete";
    Told List "log.dirs";
    Idle Long "log.flush.interval.messages" = "9223372036854775807";
    Idle Long "log.flush.interval.ms";
    Idle Int "log.index.interval.bytes" = "4096";
    Idle Int "log.index.size.max.bytes" = "10485760";
    Idle Long "log.local.retention.bytes" = "-2";
    Idle Long "log.local.retention.ms" = "-2";
    Told Long "log.message.timestamp.after.max.ms" = "3600000";
    Told Long "log.message.timestamp.before.max.ms" = "9223372036854775807";
    Told String "log.message.timestamp.type" = "CreateTime";
    Idle Boolean "log.preallocate" = "false";
    Told Long "log.retention.bytes" = "-1";
    Told Int "log.retention.hours" = "168";
    Told Int "log.retention.minutes";
    Told Long "log.retention.ms";
    Idle Int "log.roll.hours" = "168";
    Idle Int "log.roll.jitter.hours" = "0";
    Idle Long "log.roll.jitter.ms";
    Idle Long "log.roll.ms";
    Idle Int "log.segment.bytes" = "1073741824";
    Idle Long "log.segment.delete.delay.ms" = "60000";
    Told Int "max.connections" = "2147483647";
    Told Int "message.max.bytes" = "1048588";
    Told Int "min.insync.replicas" = "1";
    Told Int "node.id";
    Told Int "num.partitions" = "1";
    Told Int "offset.metadata.max.bytes" = "4096";
    Told Int "offsets.retention.minutes" = "10080";
    Told Short "offsets.topic.replication.factor" = "3";
    Told List "process.roles";
    Told Int "producer.id.expiration.ms" = "86400000";
    Told Long "queued.max.request.bytes" = "-1";
    Told Boolean "remote.log.storage.system.enable" = "false";
    Told List "sasl.enabled.mechanisms" = "GSSAPI";
    Told String "security.inter.broker.protocol" = "PLAINTEXT";
    Told Int "socket.request.max.bytes" = "104857600";
    Told Int "transaction.state.log.min.isr" = "2";
    Told Short "transaction.state.log.replication.factor" = "3";
    Told Boolean "unclean.leader.election.enable" = "false";
}
