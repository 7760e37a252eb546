//! The configuration of logs, queues and exchanges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Name, SessionId};

use crate::{
    DeathReasons,
    stored::config::{LedgerField, LogField, WindowField},
};

/// How durable a write must be before it is acknowledged and visible to consumers. Ordered from
/// weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Durability {
    /// In memory: lost by a restart (AMQP transient queues). Nothing waits for it.
    Volatile,
    /// Written to the operating system: survives a crash of the process, but not of the machine.
    Flushed,
    /// On disk.
    Synced,
}

/// When a log is deleted without a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// Only this session may use the log, and it is deleted when the session ends (AMQP
    /// `exclusive`).
    pub exclusive: Option<SessionId>,
    /// Deleted when its last consumer is gone (AMQP `auto-delete`).
    pub auto_delete: bool,
    /// Deleted when unused for this long, in milliseconds (AMQP `x-expires`). Unused means that it
    /// has no consumers, and nobody requested records or named it with [`crate::UseLog`]. `None`
    /// keeps it.
    pub unused_ms_max: Option<u64>,
}

impl Lifetime {
    /// Whether the log exists until somebody deletes it.
    pub fn stays(&self) -> bool {
        *self == Self::default()
    }
}

/// What a log was declared as. It may be both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its records are kept until they are acknowledged.
    Queue,
    /// Its records are kept for a time or up to a size.
    Topic,
}

/// Which records a log keeps: those that at least one of the parts keeps. Others may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Keep records that a ledger hasn't acknowledged (queues).
    pub until_acknowledged: bool,
    /// Keep records by age and size (topics).
    pub window: Option<Window>,
}

impl Retention {
    /// Retention of a queue: until acknowledged.
    pub const QUEUE: Self = Self {
        until_acknowledged: true,
        window: None,
    };

    /// Whether the log was declared as a queue.
    pub fn is_queue(&self) -> bool {
        self.until_acknowledged
    }

    /// Whether the log was created as a topic.
    pub fn is_topic(&self) -> bool {
        self.window.is_some()
    }

    /// Keeps the records that either keeps. Of two windows, the wider bounds apply.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            until_acknowledged: self.until_acknowledged || other.until_acknowledged,
            window: match (self.window, other.window) {
                (Some(a), Some(b)) => Some(a.union(b)),
                (a, b) => a.or(b),
            },
        }
    }
}

/// Retention by age and size, as Kafka's `retention.ms` and `retention.bytes`: a record leaves the
/// window when it exceeds either bound. `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<WindowField>", into = "Vec<WindowField>")]
pub struct Window {
    /// The age to which a record is kept, in milliseconds.
    pub time_ms: Option<u64>,
    /// The size to which a partition is kept, in bytes.
    pub size_bytes: Option<u64>,
}

impl Window {
    fn union(self, other: Self) -> Self {
        let wider = |a: Option<u64>, b: Option<u64>| Some(a?.max(b?));
        Self {
            time_ms: wider(self.time_ms, other.time_ms),
            size_bytes: wider(self.size_bytes, other.size_bytes),
        }
    }
}

/// How a log's default ledger schedules records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<LedgerField>", into = "Vec<LedgerField>")]
pub struct LedgerConfig {
    /// One message of a message group at a time, deduplication by id within the window (SQS FIFO).
    pub fifo: bool,
    /// The delay of records that are appended without their own, in milliseconds.
    pub delay_ms: u64,
    /// Unacknowledged records are dropped at this age, in milliseconds (SQS
    /// `MessageRetentionPeriod`); `None` keeps them.
    pub expiry_ms: Option<u64>,
    /// How often a record is delivered at most: when it returns after that, it leaves.
    pub deliveries_max: Option<u32>,
    /// Records that leave for one of these reasons are dead letters: they stay until they have been
    /// moved to other logs. Others are gone.
    pub dead_letters: DeathReasons,
    /// How many records may be ready.
    pub ready_max: Option<u64>,
    /// What happens to those that are too many.
    pub overflow: Overflow,
    /// Only one of its consumers gets records, until it ends and the next one takes over (AMQP
    /// `x-single-active-consumer`). Requests for records are still served.
    pub single_active: bool,
    /// Records are handed out by priority: the partition with the highest number first, instead of
    /// all in turn. In a log's queue, each record is appended to the partition of its priority.
    pub by_priority: bool,
    /// How many bytes the bodies of the ready records may have together. With it, the sizes of
    /// unsettled records are known one by one.
    pub ready_bytes_max: Option<u64>,
}

impl LedgerConfig {
    /// A plain queue.
    pub const PLAIN: Self = Self {
        fifo: false,
        delay_ms: 0,
        expiry_ms: None,
        deliveries_max: None,
        dead_letters: DeathReasons::NONE,
        ready_max: None,
        overflow: Overflow::DropOldest,
        single_active: false,
        by_priority: false,
        ready_bytes_max: None,
    };
}

/// What happens in a ledger that may have only so many ready records, or so many bytes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overflow {
    /// The oldest ready records leave.
    #[default]
    DropOldest,
    /// New records are refused.
    RefuseNew,
    /// The same, and the refused records are dead letters.
    RefuseAsDead,
}

/// The configuration of a log, as the engine needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<LogField>", into = "Vec<LogField>")]
pub struct LogConfig {
    /// The number of partitions, at least 1.
    pub partitions: u32,
    /// The durability of everything published to it.
    pub durability: Durability,
    /// Which records it keeps.
    pub retention: Retention,
    /// When it is deleted without a request.
    pub lifetime: Lifetime,
    /// Its default ledger; `None` until a queue protocol opens it, at the log's start.
    pub queue: Option<LedgerConfig>,
}

impl Default for LogConfig {
    /// The configuration of an empty stored form: one partition, the strongest durability, no
    /// retention.
    fn default() -> Self {
        Self {
            partitions: 1,
            durability: Durability::Synced,
            retention: Retention {
                until_acknowledged: false,
                window: None,
            },
            lifetime: Lifetime::default(),
            queue: None,
        }
    }
}

impl LogConfig {
    /// Whether the order of its default ledger may still be chosen: the ledger was opened by a
    /// consumer, and nobody has declared the log a queue.
    pub(crate) fn is_order_open(&self) -> bool {
        !self.retention.is_queue() && self.queue.is_none_or(|queue| !queue.fifo)
    }

    /// Whether each record belongs to the partition of its priority.
    pub fn orders_by_priority(&self) -> bool {
        self.queue.is_some_and(|queue| queue.by_priority)
    }

    /// Whether the log ends with the process, because its data is only in memory, or because it
    /// belongs to a session.
    pub fn ends_with_process(&self) -> bool {
        self.durability == Durability::Volatile || self.lifetime.exclusive.is_some()
    }
}

/// A protocol's view of a log: settings that only its front reads. They are kept here because
/// fronts hold no durable state. The key is the front's name.
pub type Facet = Box<str>;

/// A facet's settings, with the protocol's own names.
pub type Settings = BTreeMap<Box<str>, Box<str>>;

/// A change of some of a facet's settings: a new value, or `None` to remove the setting.
pub type SettingsChange = BTreeMap<Box<str>, Option<Box<str>>>;

/// Applies a change to a facet's settings.
pub fn alter_settings(settings: &mut Settings, change: &SettingsChange) {
    for (name, value) in change {
        match value {
            Some(value) => settings.insert(name.clone(), value.clone()),
            None => settings.remove(name),
        };
    }
}

/// How an exchange routes (AMQP 0-9-1, section 3.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExchangeKind {
    /// The binding key equals the routing key.
    Direct,
    /// Every binding matches.
    Fanout,
    /// The binding key is a pattern of words: `*` matches one word, `#` any number.
    Topic,
    /// The binding arguments match the message's headers.
    Headers,
    /// A hash of the message selects one target. Binding keys are the targets' weights.
    ConsistentHash,
    /// A hash of the routing key, modulo the number of bindings, selects one of them.
    ModulusHash,
    /// One of the bindings, at random.
    Random,
    /// The same. In RabbitMQ only for queues on the client's node, which here are all.
    LocalRandom,
    /// Delays messages that ask for it. Otherwise like the kind that its argument
    /// [`DELAYED_TYPE`] names.
    Delayed,
}

/// The argument of a [`ExchangeKind::Delayed`] exchange that names the kind by which it routes.
pub const DELAYED_TYPE: &str = "x-delayed-type";

impl ExchangeKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Direct,
        Self::Fanout,
        Self::Topic,
        Self::Headers,
        Self::ConsistentHash,
        Self::ModulusHash,
        Self::Random,
        Self::LocalRandom,
        Self::Delayed,
    ];

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name by which clients declare it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
            Self::ConsistentHash => "x-consistent-hash",
            Self::ModulusHash => "x-modulus-hash",
            Self::Random => "x-random",
            Self::LocalRandom => "x-local-random",
            Self::Delayed => "x-delayed-message",
        }
    }
}

/// The target of a binding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BindingTarget {
    /// A log.
    Log(LogId),
    /// Another exchange of the same virtual host.
    Exchange(Name),
}

/// A value in the arguments of a binding or the headers of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Argument {
    /// No value: matches any value of this name (headers exchange).
    Void,
    /// A boolean.
    Bool(bool),
    /// Any integer type.
    Integer(i64),
    /// Any floating-point type.
    Float(f64),
    /// A text or byte string.
    Text(Box<[u8]>),
    /// Seconds since 1970.
    Timestamp(u64),
    /// A decimal: scale and value.
    Decimal(u8, i32),
    /// An array or a table in its wire form, compared as bytes.
    Nested(Box<[u8]>),
}

/// Arguments by name, sorted so that equal sets compare equal.
pub type Arguments = BTreeMap<Box<str>, Argument>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_exchange_is_found_by_its_name() {
        for kind in ExchangeKind::ALL {
            assert_eq!(ExchangeKind::named(kind.name()), Some(kind));
        }
        assert_eq!(ExchangeKind::named("x-unknown"), None);
    }

    #[test]
    fn a_union_keeps_what_either_keeps() {
        let week = Window {
            time_ms: Some(7),
            size_bytes: None,
        };
        let day = Window {
            time_ms: Some(1),
            size_bytes: Some(10),
        };
        let topic = Retention {
            until_acknowledged: false,
            window: Some(week),
        };
        let both = Retention::QUEUE.union(topic);
        assert!(both.until_acknowledged);
        assert_eq!(both.window, Some(week));
        assert_eq!(week.union(day), week);
    }
}
