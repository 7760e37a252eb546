//! Logs as topics: which logs are topics, their names and ids, and how a log created by another
//! protocol becomes a topic.

use std::collections::BTreeMap;

use stele_base_types::{
    LogId, Name, Offset, PartitionId, PartitionIndex, Principal, VHOST_DEFAULT,
};
pub(crate) use stele_core_broker::LEADER_EPOCH;
use stele_core_broker::{Action, Broker, Read, Resolved};
use stele_core_engine::{
    Adopt, DeclareLog, Declared, Durability, Lifetime, LogConfig, LogDefinition, Retention,
    Settings as FacetSettings,
};
use stele_wire_kafka::ResponseError;
use uuid::Uuid;

use crate::{
    Settings,
    errors::{self, Fault},
    limits::TOPIC_NAME_SIZE_BYTES_MAX,
    topic_configs::{self, TimeBounds},
};

/// The only broker.
pub const NODE_ID: i32 = 1;

/// The name of this front's facet in a log.
pub(crate) const FACET: &str = "kafka";

/// The topic data that operations need.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) log: LogId,
    pub(crate) name: Name,
    pub(crate) partitions: u32,
    /// Whether it is a FIFO queue, whose records are delivered by key.
    pub(crate) is_fifo: bool,
    /// Whether it is a queue that limits how many bytes are ready.
    pub(crate) is_sized: bool,
    /// Maximum batch size.
    pub(crate) batch_size_bytes_max: u32,
    /// The acceptable timestamps of its records.
    pub(crate) time_bounds: TimeBounds,
}

impl Topic {
    pub(crate) fn new(definition: &LogDefinition, settings: &Settings) -> Self {
        let facet = definition.facets.get(FACET);
        let batch_size_bytes_max = facet
            .and_then(topic_configs::batch_size_bytes_max)
            .unwrap_or(settings.batch_size_bytes_max);
        let queue = definition.config.queue;
        Self {
            log: definition.id,
            name: definition.name.clone(),
            partitions: definition.config.partitions,
            is_fifo: queue.is_some_and(|queue| queue.fifo),
            is_sized: queue.is_some_and(|queue| queue.ready_bytes_max.is_some()),
            batch_size_bytes_max,
            time_bounds: TimeBounds::of(facet),
        }
    }

    /// The partition `index`, if it exists.
    pub(crate) fn partition(&self, index: i32) -> Option<PartitionId> {
        let index = u32::try_from(index).ok()?;
        (index < self.partitions).then(|| PartitionId::new(self.log, PartitionIndex(index)))
    }
}

/// The partition `index` of a topic that was looked up.
pub(crate) fn partition_of(topic: &Result<Topic, Fault>, index: i32) -> Result<PartitionId, Fault> {
    let topic = topic.as_ref().map_err(Fault::clone)?;
    let partition = topic.partition(index);
    partition.ok_or_else(|| ResponseError::UnknownTopicOrPartition.into())
}

/// The topics in the broker's catalogue, for a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Topics<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) client: &'a Principal,
    pub(crate) settings: &'a Settings,
}

impl Topics<'_> {
    /// The topic `name`, for `action`.
    pub(crate) fn by_name(&self, name: &str, action: Action) -> Result<Topic, Fault> {
        let definition = self.resolve(name, action)?;
        Ok(Topic::new(&definition, self.settings))
    }

    /// The topic with the id `id`, for `action`.
    pub(crate) fn by_id(&self, id: Uuid, action: Action) -> Result<Topic, Fault> {
        let log = log_of(id, &self.settings.cluster_id).ok_or(ResponseError::UnknownTopicId)?;
        let resolved = self.broker.resolve_id(self.client, log, action);
        let definition = resolved.map_err(errors::of_resolve_id)?;
        if !is_topic(&definition) {
            return Err(ResponseError::UnknownTopicId.into());
        }
        Ok(Topic::new(&definition, self.settings))
    }

    /// The name of a topic's log, if it still exists.
    pub(crate) fn name_of(&self, log: LogId) -> Option<Name> {
        let resolved = self.broker.resolve_id(self.client, log, Action::Describe);
        let definition = resolved.ok().filter(|it| is_topic(it))?;
        Some(definition.name.clone())
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Topic> {
        let catalogue = self.broker.catalogue();
        catalogue
            .logs(VHOST_DEFAULT, None)
            .filter(|it| is_topic(it))
            .map(|it| Topic::new(it, self.settings))
            .collect()
    }

    /// The definition of the topic `name`, for `action`.
    pub(crate) fn definition(&self, name: &str, action: Action) -> Result<LogDefinition, Fault> {
        Ok(self.resolve(name, action)?.clone())
    }

    fn resolve(&self, name: &str, action: Action) -> Result<Resolved<'_>, Fault> {
        let resolved = self
            .broker
            .resolve(self.client, VHOST_DEFAULT, name, action);
        let definition = resolved.map_err(errors::of_resolve)?;
        if !is_topic(&definition) {
            return Err(ResponseError::UnknownTopicOrPartition.into());
        }
        Ok(definition)
    }

    /// The id of a topic: identifies its log and this cluster.
    pub(crate) fn id(&self, log: LogId) -> Uuid {
        id_of(log, &self.settings.cluster_id)
    }

    /// The bounds of a partition.
    pub(crate) async fn bounds(&self, partition: PartitionId) -> Result<Bounds, Fault> {
        let read = Read {
            partition,
            from: Offset::ZERO,
            bytes_max: 0,
        };
        let reply = self.broker.read(read).await?;
        Ok(Bounds {
            start: reply.start,
            committed: reply.committed,
        })
    }

    /// The topic `name`, created if there is no such log. An existing log created by another
    /// protocol keeps its retention.
    pub(crate) async fn ensure(&self, name: &str) -> Result<Topic, Fault> {
        check_name(name)?;
        if let Ok(definition) = self.resolve(name, Action::Describe) {
            return Ok(Topic::new(&definition, self.settings));
        }
        let new = NewTopic::of_defaults(name, self.settings)?;
        let declared = self.declare(new).await?;
        Ok(Topic::new(declared.definition(), self.settings))
    }

    /// Declares a topic.
    pub(crate) async fn declare(&self, new: NewTopic) -> Result<Declared, Fault> {
        let retention = Retention {
            until_acknowledged: false,
            window: Some(new.window),
        };
        let declare = DeclareLog {
            vhost: Name::vhost_default(),
            name: new.name,
            config: LogConfig {
                partitions: new.partitions,
                durability: new.durability,
                retention,
                lifetime: Lifetime::default(),
                queue: None,
            },
            // A log keeps the durability chosen by its creator, because Kafka has no setting for
            // it.
            adopt: Adopt {
                lifetime: Some(Lifetime::default()),
                ..Adopt::default()
            },
            facet: FACET.into(),
            settings: new.settings,
        };
        Ok(self.broker.declare_log(declare).await?)
    }
}

/// The bounds of a partition: from the first retained offset to the high watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) start: Offset,
    pub(crate) committed: Offset,
}

/// Checks the client's leader epoch; -1 means that the client doesn't know it (KIP-320).
pub(crate) fn check_leader_epoch(epoch: i32) -> Result<(), Fault> {
    match epoch {
        -1 | LEADER_EPOCH => Ok(()),
        ..LEADER_EPOCH => Err(ResponseError::FencedLeaderEpoch.into()),
        _ => Err(ResponseError::UnknownLeaderEpoch.into()),
    }
}

/// A topic to be created.
#[derive(Clone, Debug)]
pub(crate) struct NewTopic {
    pub(crate) name: Name,
    pub(crate) partitions: u32,
    pub(crate) durability: Durability,
    pub(crate) window: stele_core_engine::Window,
    /// Explicitly set configurations, under Kafka's names.
    pub(crate) settings: FacetSettings,
}

impl NewTopic {
    fn of_defaults(name: &str, settings: &Settings) -> Result<Self, Fault> {
        Ok(Self {
            name: topic_name(name)?,
            partitions: settings.partitions_default,
            durability: settings.durability_default,
            window: settings.retention_default,
            settings: BTreeMap::new(),
        })
    }
}

/// `name` as a name, if it is a valid topic name.
pub(crate) fn topic_name(name: &str) -> Result<Name, Fault> {
    check_name(name)?;
    Name::new(name)
        .map_err(|error| Fault::new(ResponseError::InvalidTopicException, error.to_string()))
}

/// Checks `name` as Kafka does: 1 to 249 letters, digits, dots, underscores and hyphens, but
/// neither `.` nor `..`.
pub(crate) fn check_name(name: &str) -> Result<(), Fault> {
    let invalid = |why: &str| {
        let message = format!("topic name {why}");
        Err(Fault::new(ResponseError::InvalidTopicException, message))
    };
    let is_allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-');
    match name {
        "" => invalid("is empty"),
        "." | ".." => invalid("can't be '.' or '..'"),
        _ if name.len() > TOPIC_NAME_SIZE_BYTES_MAX => invalid("is longer than 249 characters"),
        _ if !name.bytes().all(is_allowed) => {
            invalid("has characters other than ASCII letters and digits, '.', '_' and '-'")
        }
        _ => Ok(()),
    }
}

/// Whether a log is visible to Kafka clients.
fn is_topic(definition: &LogDefinition) -> bool {
    &*definition.vhost == VHOST_DEFAULT
        && definition.config.lifetime.stays()
        && check_name(&definition.name).is_ok()
}

/// The id of a log's topic: a UUID of version 8 (RFC 9562). The upper half is a hash of the cluster
/// id, the lower half is the log's id.
fn id_of(log: LogId, cluster_id: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&fnv1a(cluster_id).to_be_bytes());
    bytes[8..].copy_from_slice(&log.0.to_be_bytes());
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The log of a topic id; `None` for the id of another cluster.
fn log_of(id: Uuid, cluster_id: &str) -> Option<LogId> {
    // The variant uses the two highest bits, which no log id reaches.
    const LOG_MASK: u64 = (1 << 62) - 1;
    let log = LogId(id.as_u64_pair().1 & LOG_MASK);
    (id_of(log, cluster_id) == id).then_some(log)
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_their_log_in_the_same_cluster_alone() {
        let id = id_of(LogId(7), "cluster");
        assert_eq!(log_of(id, "cluster"), Some(LogId(7)));
        assert_eq!(log_of(id, "another"), None);
        assert_eq!(log_of(Uuid::nil(), "cluster"), None);
        assert_ne!(id, id_of(LogId(8), "cluster"));
    }

    #[test]
    fn names_follow_kafkas_grammar() {
        for allowed in ["orders", "a.b_c-D9", &"x".repeat(249), "..."] {
            assert!(check_name(allowed).is_ok(), "{allowed}");
        }
        for refused in ["", ".", "..", "a b", "é", "a/b", &"x".repeat(250)] {
            let fault = check_name(refused).unwrap_err();
            assert_eq!(fault.error, ResponseError::InvalidTopicException);
        }
    }
}
