//! Everything that can be set, in the order in which it is shown.

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

/// The keys.
pub const KEYS: &[Key] = &[
    // kafka
    key(
        "kafka.host",
        Kind::Text,
        Some("localhost"),
        "The address that Kafka clients connect to; `localhost` is 127.0.0.1 and ::1. An address \
         other than loopback needs authentication, or `auth.insecure`.",
    ),
    key(
        "kafka.port",
        Kind::Port,
        Some("9092"),
        "Its port; 0 takes any that is free.",
    ),
    key(
        "kafka.advertised_host",
        Kind::Text,
        None,
        "The host that clients are told to connect to. Left out, they are told the address that \
         they came in by.",
    ),
    key(
        "kafka.advertised_port",
        Kind::Port,
        None,
        "The port that clients are told. Left out, the one that is bound.",
    ),
    key(
        "kafka.auto_create",
        Kind::Switch,
        Some("true"),
        "Whether a topic comes to be when a client asks for one that doesn't exist.",
    ),
    key(
        "kafka.partitions",
        Kind::Integer {
            min: 1,
            max: 10_000,
        },
        Some("1"),
        "Partitions of a topic that is created without saying how many.",
    ),
    key(
        "kafka.strict_replication",
        Kind::Switch,
        Some("false"),
        "Refuse topics with a replication factor over 1, as Kafka with one broker does. Otherwise \
         they are created with one replica.",
    ),
    key(
        "kafka.retention",
        Kind::Span,
        Some("7d"),
        "How long a topic keeps records, where its `retention.ms` doesn't say; and how long a \
         queue keeps what a consumer group with a position on it hasn't read.",
    ),
    key(
        "kafka.group_gathering",
        Kind::Span,
        Some("3s"),
        "How long a consumer group without members waits for others than the first one \
         (`group.initial.rebalance.delay.ms`). Tests with a consumer each want `0s`.",
    ),
    key(
        "kafka.batch_max",
        Kind::SizeIn {
            min: 1024,
            max: 1 << 30,
        },
        Some("1048588B"),
        "The largest batch of a topic whose `max.message.bytes` doesn't say.",
    ),
    key(
        "kafka.request_max",
        Kind::SizeIn {
            min: 1024,
            max: 1 << 30,
        },
        Some("100MiB"),
        "The largest request.",
    ),
    // amqp
    key(
        "amqp.host",
        Kind::Text,
        Some("localhost"),
        "The address that AMQP clients connect to; `localhost` is 127.0.0.1 and ::1. An address \
         other than loopback needs users, or `auth.insecure`.",
    ),
    key(
        "amqp.port",
        Kind::Port,
        Some("5672"),
        "Its port; 0 takes any that is free.",
    ),
    key(
        "amqp.heartbeat",
        Kind::Seconds { max: 65_535 },
        Some("60s"),
        "The heartbeat that the server proposes; a client may ask for a shorter one, or for none.",
    ),
    key(
        "amqp.frame_max",
        // What the specification has every peer take, and what the field holds.
        Kind::SizeIn {
            min: 4096,
            max: 1 << 30,
        },
        Some("128KiB"),
        "The largest frame that the server takes.",
    ),
    key(
        "amqp.channel_max",
        Kind::Integer {
            min: 1,
            max: 65_535,
        },
        Some("2047"),
        "Channels that one connection may open.",
    ),
    key(
        "amqp.body_max",
        // A message with its properties fits one block of the journal.
        Kind::SizeIn {
            min: 1,
            max: 128 << 20,
        },
        Some("16MiB"),
        "The largest message body.",
    ),
    key(
        "amqp.rabbitmq_version",
        Kind::Text,
        Some("3.10.8"),
        "The version of RabbitMQ that clients are told. Some libraries choose by it which \
         behaviour they count on.",
    ),
    // sqs
    key(
        "sqs.host",
        Kind::Text,
        Some("localhost"),
        "The address that SQS clients connect to; `localhost` is 127.0.0.1 and ::1. An address \
         other than loopback needs `auth.sqs_keys`, or `auth.insecure`.",
    ),
    key(
        "sqs.port",
        Kind::Port,
        Some("9324"),
        "Its port; 0 takes any that is free.",
    ),
    key(
        "sqs.alias_port",
        Kind::Port,
        None,
        "A second port for the same, such as 4566, which other emulators use. Left out, there is \
         none.",
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
        "A queue can be purged once in this time, as in AWS; `0s` lets it be purged at any.",
    ),
    key(
        "sqs.in_flight_max",
        Kind::Integer {
            min: 1,
            max: 1_000_000_000,
        },
        Some("120000"),
        "Messages of a queue that may be in flight at a time. Beyond that a receive gets none, or \
         `OverLimit`, as in AWS.",
    ),
    // admin
    key(
        "admin.host",
        Kind::Text,
        Some("localhost"),
        "The address of health, metrics and the admin API; `localhost` is 127.0.0.1 and ::1. \
         Elsewhere than on loopback, all but health asks for a user's name and password.",
    ),
    key(
        "admin.port",
        Kind::Port,
        Some("15672"),
        "Its port; 0 takes any that is free.",
    ),
    // storage
    key(
        "storage.dir",
        Kind::Text,
        Some("./stele-data"),
        "The data directory. One process at a time holds it.",
    ),
    key(
        "storage.durability",
        Kind::Choice(&["synced", "flushed"]),
        Some("synced"),
        "What an acknowledgement means for a log that doesn't say: `synced`, on the disk; \
         `flushed`, with the operating system.",
    ),
    key(
        "storage.reserve",
        Kind::Size,
        Some("256MiB"),
        "Free space that messages leave alone, so that reading, acknowledging and deleting go on. \
         Half of it is for queues, topics and bindings.",
    ),
    key(
        "storage.journal_file",
        Kind::Size,
        Some("64MiB"),
        "A journal file is closed at this size. Sizes and ages of the storage are for each shard.",
    ),
    key(
        "storage.journal",
        Kind::Size,
        Some("256MiB"),
        "What is still kept moves from the journal to segments once the journal is larger. \
         Publishing waits while it is four times as large, so that a start has a bounded journal \
         to read.",
    ),
    key(
        "storage.journal_age",
        Kind::Span,
        Some("1h"),
        "It moves there too once it is older, so that recovery stays short.",
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
        "How much of what came last is served from memory.",
    ),
    // engine
    key(
        "engine.shards",
        Kind::Integer { min: 1, max: 64 },
        None,
        "Threads that the logs are spread over. Left out, one for each processor, up to 8. A data \
         directory keeps the number that it was made with.",
    ),
    // auth
    key(
        "auth.users",
        Kind::Credentials,
        Some("guest:guest"),
        "Users of AMQP and of the admin API, with their passwords.",
    ),
    key(
        "auth.sqs_keys",
        Kind::Credentials,
        None,
        "SQS access keys with their secrets; requests must be signed with one of them. Left out, \
         any key pair is taken.",
    ),
    key(
        "auth.hosts",
        Kind::Text,
        None,
        "Host names, with commas between, by which SQS and the admin port may be asked while they \
         let anybody in; `*` is any. Addresses, `localhost`, names without a dot and the names \
         that other keys set need no saying.",
    ),
    key(
        "auth.insecure",
        Kind::Switch,
        Some("false"),
        "Listen elsewhere than on loopback although anybody could connect.",
    ),
    // limits
    key(
        "limits.connections",
        Kind::Integer {
            min: 1,
            max: 1_000_000,
        },
        Some("10000"),
        "Connections of each client port at a time; one too many is closed at once.",
    ),
    key(
        "limits.memory",
        Kind::SizeIn {
            min: 64 << 20,
            max: 1 << 50,
        },
        None,
        "The memory that the process is to keep to: two thirds of it are for what clients send and \
         ask for, which waits where it doesn't fit. Left out, a quarter of what the machine has, \
         or the process's control group.",
    ),
    // log
    key(
        "logging.level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        Some("info"),
        "How much is logged.",
    ),
    key(
        "logging.format",
        Kind::Choice(&["auto", "text", "json"]),
        Some("auto"),
        "How it is logged: `auto` is text on a terminal and JSON elsewhere.",
    ),
];

/// The key at `path`.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The key whose path is nearest to `path`, if any is near.
pub(crate) fn nearest(path: &str) -> Option<&'static str> {
    most_similar(path, KEYS.iter().map(|key| key.path))
}

/// The one of `known` names that `name` resembles.
pub(crate) fn most_similar<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    const LEAST_SIMILARITY: f64 = 0.75;
    known
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
