//! All configuration keys, in display order.

use crate::key::{Key, Kind};

const fn key(
    path: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    about: &'static str,
) -> Key {
    Key {
        path,
        kind,
        default,
        about,
    }
}

/// All keys.
pub const KEYS: &[Key] = &[
    // kafka
    key(
        "kafka.host",
        Kind::Text,
        Some("localhost"),
        "The address to listen on for Kafka clients; `localhost` is 127.0.0.1 and ::1. An address \
         other than loopback requires `auth.insecure`, because this port has no authentication.",
    ),
    key(
        "kafka.port",
        Kind::Port,
        Some("9092"),
        "The port; 0 picks a free port.",
    ),
    key(
        "kafka.advertised_host",
        Kind::Text,
        None,
        "The host name given to clients in metadata. Default: the address the client connected to.",
    ),
    key(
        "kafka.advertised_port",
        Kind::Port,
        None,
        "The port given to clients in metadata. Default: the bound port.",
    ),
    key(
        "kafka.auto_create",
        Kind::Switch,
        Some("true"),
        "Create missing topics on first use.",
    ),
    key(
        "kafka.partitions",
        Kind::Integer {
            min: 1,
            max: 10_000,
        },
        Some("1"),
        "Number of partitions of a topic that is created without one.",
    ),
    key(
        "kafka.strict_replication",
        Kind::Switch,
        Some("false"),
        "Refuse topics with a replication factor over 1, as a single Kafka broker does. Otherwise \
         they are created with one replica.",
    ),
    key(
        "kafka.retention",
        Kind::Span,
        Some("7d"),
        "How long topics without `retention.ms` keep records, and how long a queue keeps records \
         that a consumer group with a position on it hasn't read.",
    ),
    key(
        "kafka.group_gathering",
        Kind::Span,
        Some("3s"),
        "How long an empty consumer group waits for more members after the first one joins \
         (`group.initial.rebalance.delay.ms`). Use `0s` for tests with a single consumer.",
    ),
    key(
        "kafka.batch_max",
        Kind::SizeIn {
            min: 1024,
            max: 1 << 30,
        },
        Some("1048588B"),
        "Maximum batch size of topics without `max.message.bytes`.",
    ),
    key(
        "kafka.request_max",
        Kind::SizeIn {
            min: 1024,
            max: 1 << 30,
        },
        Some("100MiB"),
        "Maximum request size.",
    ),
    // amqp
    key(
        "amqp.host",
        Kind::Text,
        Some("localhost"),
        "The address to listen on for AMQP clients; `localhost` is 127.0.0.1 and ::1. An address \
         other than loopback requires `auth.users` or `auth.insecure`.",
    ),
    key(
        "amqp.port",
        Kind::Port,
        Some("5672"),
        "The port; 0 picks a free port.",
    ),
    key(
        "amqp.heartbeat",
        Kind::Seconds { max: 65_535 },
        Some("60s"),
        "The heartbeat interval that the server proposes; a client may choose a shorter one, or \
         none.",
    ),
    key(
        "amqp.frame_max",
        // The specification requires every peer to accept 4096; the field is 32 bits.
        Kind::SizeIn {
            min: 4096,
            max: 1 << 30,
        },
        Some("128KiB"),
        "Maximum frame size.",
    ),
    key(
        "amqp.channel_max",
        Kind::Integer {
            min: 1,
            max: 65_535,
        },
        Some("2047"),
        "Maximum number of channels per connection.",
    ),
    key(
        "amqp.body_max",
        // A message with its properties fits one block of the journal. RabbitMQ's maximum, too.
        Kind::SizeIn {
            min: 1,
            max: 512 << 20,
        },
        None,
        "Maximum size of a message body. A message is in memory up to three times while it is \
         published, so `limits.memory` must be three times as large. Default: 128 MiB as in \
         RabbitMQ up to 3.13, or a fifth of `limits.memory` if that is less.",
    ),
    key(
        "amqp.consumer_timeout",
        Kind::Span,
        Some("30m"),
        "How long a delivery may be unacknowledged before its channel is closed and its messages \
         are requeued; `0s` is no limit. A queue may have its own (`x-consumer-timeout`).",
    ),
    key(
        "amqp.rabbitmq_version",
        Kind::Text,
        Some("3.10.8"),
        "The RabbitMQ version reported to clients. Some libraries choose their behaviour by it.",
    ),
    // sqs
    key(
        "sqs.host",
        Kind::Text,
        Some("localhost"),
        "The address to listen on for SQS clients; `localhost` is 127.0.0.1 and ::1. An address \
         other than loopback requires `auth.sqs_keys` or `auth.insecure`.",
    ),
    key(
        "sqs.port",
        Kind::Port,
        Some("9324"),
        "The port; 0 picks a free port.",
    ),
    key(
        "sqs.alias_port",
        Kind::Port,
        None,
        "A second port for SQS, for example 4566, the port of other emulators. Default: no second \
         port.",
    ),
    key(
        "sqs.region",
        Kind::Text,
        Some("us-east-1"),
        "The region in queue ARNs.",
    ),
    key(
        "sqs.account",
        Kind::Text,
        Some("000000000000"),
        "The account in queue URLs and ARNs.",
    ),
    key(
        "sqs.purge_interval",
        Kind::Span,
        Some("60s"),
        "Minimum time between two purges of a queue, as in AWS; `0s` removes the limit.",
    ),
    key(
        "sqs.in_flight_max",
        Kind::Integer {
            min: 1,
            max: 1_000_000_000,
        },
        Some("120000"),
        "Maximum number of in-flight messages per queue. Beyond it, a receive returns no messages \
         or fails with `OverLimit`, as in AWS.",
    ),
    // admin
    key(
        "admin.host",
        Kind::Text,
        Some("localhost"),
        "The address to listen on for health checks, metrics and the admin API; `localhost` is \
         127.0.0.1 and ::1. On an address other than loopback, everything but health checks \
         requires a user name and password.",
    ),
    key(
        "admin.port",
        Kind::Port,
        Some("15672"),
        "The port; 0 picks a free port.",
    ),
    // storage
    key(
        "storage.dir",
        Kind::Text,
        Some("./stele-data"),
        "The data directory. Only one process can use it at a time.",
    ),
    key(
        "storage.durability",
        Kind::Choice(&["synced", "flushed"]),
        Some("synced"),
        "When a write is acknowledged, for logs that don't configure it: `synced`, after it is on \
         disk; `flushed`, after it is handed to the operating system.",
    ),
    key(
        "storage.reserve",
        Kind::Size,
        Some("256MiB"),
        "Free disk space that publishing doesn't use, so that reading, acknowledging and deleting \
         still work on a full disk. Half of it is for queues, topics and bindings.",
    ),
    key(
        "storage.journal_file",
        Kind::Size,
        Some("64MiB"),
        "A journal file is closed at this size. The sizes and ages in this section are per shard.",
    ),
    key(
        "storage.journal",
        Kind::Size,
        Some("256MiB"),
        "When the journal grows beyond this size, records that are still retained move to \
         segments. Publishing waits while the journal is four times as large, so that recovery \
         time is bounded.",
    ),
    key(
        "storage.journal_age",
        Kind::Span,
        Some("1h"),
        "Records older than this also move to segments, so that recovery stays short.",
    ),
    key(
        "storage.segment",
        Kind::Size,
        Some("64MiB"),
        "A segment is closed at this size.",
    ),
    key(
        "storage.cache",
        Kind::Size,
        Some("16MiB"),
        "Size of the cache of the most recent records.",
    ),
    // engine
    key(
        "engine.shards",
        Kind::Integer { min: 1, max: 64 },
        None,
        "Number of threads that the logs are distributed over. Default: one per processor, at \
         most 8. A data directory keeps the number it was created with.",
    ),
    // auth
    key(
        "auth.users",
        Kind::Credentials,
        Some("guest:guest"),
        "Users of AMQP and the admin API, with their passwords.",
    ),
    key(
        "auth.sqs_keys",
        Kind::Credentials,
        None,
        "SQS access keys with their secrets; requests must be signed with one of them. Default: \
         any key pair is accepted.",
    ),
    key(
        "auth.hosts",
        Kind::Text,
        None,
        "Comma-separated host names that requests to SQS and the admin port may use while these \
         ports require no authentication; `*` allows any. Always allowed: IP addresses, \
         `localhost`, names without a dot, and the names set by other keys.",
    ),
    key(
        "auth.insecure",
        Kind::Switch,
        Some("false"),
        "Allow unauthenticated listeners on non-loopback addresses.",
    ),
    // limits
    key(
        "limits.connections",
        Kind::Integer {
            min: 1,
            max: 1_000_000,
        },
        Some("10000"),
        "Maximum number of connections per client port; further connections are closed \
         immediately.",
    ),
    key(
        "limits.memory",
        Kind::SizeIn {
            min: 64 << 20,
            max: 1 << 50,
        },
        None,
        "The memory limit of the process. Two thirds of it are for client requests and responses, \
         which wait when no memory is free. Default: a quarter of the memory of the machine or of \
         the process's control group.",
    ),
    // log
    key(
        "logging.level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        Some("info"),
        "Minimum severity of log lines.",
    ),
    key(
        "logging.format",
        Kind::Choice(&["auto", "text", "json"]),
        Some("auto"),
        "Format of log lines: `auto` is text on a terminal and JSON otherwise.",
    ),
];

/// The key at `path`.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The key with the most similar path, if one is similar enough.
pub(crate) fn nearest(path: &str) -> Option<&'static str> {
    most_similar(path, KEYS.iter().map(|key| key.path))
}

/// The most similar of the `known` names, if at least half of it is the same: otherwise it is a
/// misleading suggestion.
pub(crate) fn most_similar<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    const LEAST_SIMILARITY: f64 = 0.75;
    let is_half = |it: &str| 2 * strsim::osa_distance(it, name) <= it.len().max(name.len());
    known
        .filter(|it| is_half(it))
        .map(|it| (strsim::jaro_winkler(it, name), it))
        .filter(|(similarity, _)| *similarity >= LEAST_SIMILARITY)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_of_its_kind() {
        for key in KEYS {
            let read = key.default.map(|text| key.kind.read(text));
            assert!(!matches!(read, Some(Err(_))), "{}", key.path);
        }
    }

    #[test]
    fn a_mistyped_key_has_a_nearest_one() {
        assert_eq!(nearest("kafka.prot"), Some("kafka.port"));
        assert_eq!(nearest("storage.directory"), Some("storage.dir"));
        assert_eq!(nearest("zzz"), None);
    }
}
