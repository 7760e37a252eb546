//! The table of topic configurations.

use super::{
    CLEANUP_POLICY, Config, DURABILITY, Default, Kind, MAX_MESSAGE_BYTES, RETENTION_BYTES,
    RETENTION_MS, TIMESTAMP_AFTER_MAX_MS, TIMESTAMP_BEFORE_MAX_MS,
};

const INT_MAX: i64 = i32::MAX as i64;

/// All configurations of a topic.
pub(crate) const TOPIC_CONFIGS: &[Config] = &[
    Config::new(
        CLEANUP_POLICY,
        Kind::SomeOf(&["delete"]),
        Default::Broker("log.cleanup.policy"),
        "Records are deleted by age and size. Compaction isn't supported yet.",
    ),
    Config::new(
        "compression.gzip.level",
        Kind::GzipLevel,
        Default::Broker("compression.gzip.level"),
        AS_COMPRESSED,
    ),
    Config::new(
        "compression.lz4.level",
        Kind::Int { min: 1, max: 17 },
        Default::Broker("compression.lz4.level"),
        AS_COMPRESSED,
    ),
    Config::new(
        "compression.type",
        Kind::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        Default::Broker("compression.type"),
        AS_COMPRESSED,
    ),
    Config::new(
        "compression.zstd.level",
        Kind::Int {
            min: -131_072,
            max: 22,
        },
        Default::Broker("compression.zstd.level"),
        AS_COMPRESSED,
    ),
    Config::idle(
        "delete.retention.ms",
        Kind::Long { min: 0 },
        Default::Broker("log.cleaner.delete.retention.ms"),
    ),
    Config::idle(
        "file.delete.delay.ms",
        Kind::Long { min: 0 },
        Default::Broker("log.segment.delete.delay.ms"),
    ),
    Config::idle(
        "flush.messages",
        Kind::Long { min: 1 },
        Default::Broker("log.flush.interval.messages"),
    ),
    Config::idle(
        "flush.ms",
        Kind::Long { min: 0 },
        Default::BrokerOr("log.flush.interval.ms", "9223372036854775807"),
    ),
    Config::idle(
        "follower.replication.throttled.replicas",
        Kind::Replicas,
        Default::Always(""),
    ),
    Config::idle(
        "index.interval.bytes",
        Kind::Int {
            min: 0,
            max: INT_MAX,
        },
        Default::Broker("log.index.interval.bytes"),
    ),
    Config::idle(
        "leader.replication.throttled.replicas",
        Kind::Replicas,
        Default::Always(""),
    ),
    Config::tiered(
        "local.retention.bytes",
        Kind::Long { min: -2 },
        Default::Broker("log.local.retention.bytes"),
    ),
    Config::tiered(
        "local.retention.ms",
        Kind::Long { min: -2 },
        Default::Broker("log.local.retention.ms"),
    ),
    Config::idle(
        "max.compaction.lag.ms",
        Kind::Long { min: 1 },
        Default::Broker("log.cleaner.max.compaction.lag.ms"),
    ),
    Config::new(
        MAX_MESSAGE_BYTES,
        Kind::Int {
            min: 0,
            max: INT_MAX,
        },
        Default::Broker("message.max.bytes"),
        "Maximum size of a batch.",
    ),
    Config::new(
        TIMESTAMP_AFTER_MAX_MS,
        Kind::Long { min: 0 },
        Default::Broker("log.message.timestamp.after.max.ms"),
        "How far a record's timestamp may be ahead of the broker's time.",
    ),
    Config::new(
        TIMESTAMP_BEFORE_MAX_MS,
        Kind::Long { min: 0 },
        Default::Broker("log.message.timestamp.before.max.ms"),
        "How far a record's timestamp may be behind the broker's time.",
    ),
    Config::new(
        "message.timestamp.type",
        Kind::OneOf(&["CreateTime"]),
        Default::Broker("log.message.timestamp.type"),
        "Records keep their producer's timestamp.",
    ),
    Config::idle(
        "min.cleanable.dirty.ratio",
        Kind::Double,
        Default::Broker("log.cleaner.min.cleanable.ratio"),
    ),
    Config::idle(
        "min.compaction.lag.ms",
        Kind::Long { min: 0 },
        Default::Broker("log.cleaner.min.compaction.lag.ms"),
    ),
    Config::new(
        "min.insync.replicas",
        Kind::Int {
            min: 1,
            max: INT_MAX,
        },
        Default::Broker("min.insync.replicas"),
        "No effect: there is one replica.",
    ),
    Config::idle(
        "preallocate",
        Kind::Boolean,
        Default::Broker("log.preallocate"),
    ),
    Config::tiered(
        "remote.log.copy.disable",
        Kind::Boolean,
        Default::Always("false"),
    ),
    Config::tiered(
        "remote.log.delete.on.disable",
        Kind::Boolean,
        Default::Always("false"),
    ),
    Config::tiered(
        "remote.storage.enable",
        Kind::False,
        Default::Always("false"),
    ),
    Config::new(
        RETENTION_BYTES,
        Kind::Long { min: -1 },
        Default::Broker("log.retention.bytes"),
        "Maximum size of a partition; -1 means no limit.",
    ),
    Config::new(
        RETENTION_MS,
        Kind::Long { min: -1 },
        Default::BrokerOr("log.retention.ms", "604800000"),
        "Maximum age of a record; -1 means no limit.",
    ),
    Config::idle(
        "segment.bytes",
        Kind::Int {
            min: 14,
            max: INT_MAX,
        },
        Default::Broker("log.segment.bytes"),
    ),
    Config::idle(
        "segment.index.bytes",
        Kind::Int {
            min: 4,
            max: INT_MAX,
        },
        Default::Broker("log.index.size.max.bytes"),
    ),
    Config::idle(
        "segment.jitter.ms",
        Kind::Long { min: 0 },
        Default::BrokerOr("log.roll.jitter.ms", "0"),
    ),
    Config::idle(
        "segment.ms",
        Kind::Long { min: 1 },
        Default::BrokerOr("log.roll.ms", "604800000"),
    ),
    Config::new(
        DURABILITY,
        Kind::OneOf(&["synced", "flushed", "volatile"]),
        Default::Durability,
        "What a produce request waits for: the disk, the operating system, or nothing. Set when \
         the topic is created.",
    ),
    Config::idle(
        "unclean.leader.election.enable",
        Kind::Boolean,
        Default::Broker("unclean.leader.election.enable"),
    ),
];

const AS_COMPRESSED: &str = "No effect: batches keep their producer's compression.";
