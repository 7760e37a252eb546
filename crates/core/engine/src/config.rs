//! What a log, a queue, an exchange is set to be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Name, SessionId};

use crate::stored::config::{LedgerField, LogField, WindowField};

/// The degree to which a write must be safe before it is acknowledged and shown to consumers.
/// Ordered: a later one asks more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Durability {
    /// Memory: gone after a restart (AMQP transient queues). Nothing waits for it.
    Volatile,
    /// Handed to the operating system: survives a crash of the process, not of the machine.
    Flushed,
    /// On disk.
    Synced,
}

/// How long a log belongs to its declarer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// The session that alone may use the log, and with which it goes (AMQP `exclusive`).
    pub exclusive: Option<SessionId>,
    /// Deleted when its last consumer has gone (AMQP `auto-delete`).
    pub auto_delete: bool,
    /// Deleted when unused for that long, in milliseconds (AMQP `x-expires`): without consumers,
    /// and nobody asked for a record or named it as [`crate::UseLog`] does. `None` stays.
    pub unused_ms_max: Option<u64>,
}

impl Lifetime {
    /// Whether the log stays until somebody deletes it.
    pub fn stays(&self) -> bool {
        *self == Self::default()
    }
}

/// What somebody has declared a log to be. It may be both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its records are kept until they are acknowledged.
    Queue,
    /// They are kept for a window.
    Topic,
}

/// Which records a log keeps: the union of its parts. One that no part keeps may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Keep what a ledger has not acknowledged (queues).
    pub until_acknowledged: bool,
    /// Keep by age and size (topics).
    pub window: Option<Window>,
}

impl Retention {
    /// A queue's: until acknowledged.
    pub const QUEUE: Self = Self {
        until_acknowledged: true,
        window: None,
    };

    /// Whether somebody has declared the log to be a queue.
    pub fn is_queue(&self) -> bool {
        self.until_acknowledged
    }

    /// Whether somebody has created it as a topic.
    pub fn is_topic(&self) -> bool {
        self.window.is_some()
    }

    /// What either keeps. Of two windows the wider bounds hold.
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

/// How a log's default ledger schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<LedgerField>", into = "Vec<LedgerField>")]
pub struct LedgerConfig {
    /// One message of a group at a time, deduplication by id within the window (SQS FIFO).
    pub fifo: bool,
    /// How long a record appended without a delay of its own is hidden, in milliseconds.
    pub delay_ms: u64,
    /// Unacknowledged records older than this are dropped, in milliseconds (SQS
    /// `MessageRetentionPeriod`); `None` keeps them.
    pub expiry_ms: Option<u64>,
}

/// What the engine needs to know of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<LogField>", into = "Vec<LogField>")]
pub struct LogConfig {
    /// How many partitions, from 1.
    pub partitions: u32,
    /// The class of everything published to it.
    pub durability: Durability,
    /// What it keeps.
    pub retention: Retention,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Its default ledger; `None` until a queue protocol opens it, from the log's start.
    pub queue: Option<LedgerConfig>,
}

impl Default for LogConfig {
    /// What a stored configuration says that says nothing: one partition, as safe as can be, that
    /// keeps nothing.
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
    /// Whether the log is gone once the process is: its data is in memory alone, or its owner's
    /// session was the process's.
    pub fn ends_with_process(&self) -> bool {
        self.durability == Durability::Volatile || self.lifetime.exclusive.is_some()
    }
}

/// A protocol's own view of a log: settings that only its front reads, kept here because a front
/// holds no durable state. The key is the front's name.
pub type Facet = Box<str>;

/// A facet's settings, by the protocol's own names.
pub type Settings = BTreeMap<Box<str>, Box<str>>;

/// What becomes of some of a facet's settings: a new value, or `None` for one that goes.
pub type SettingsChange = BTreeMap<Box<str>, Option<Box<str>>>;

/// Makes a change to a facet's settings.
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
    /// Binding key equals routing key.
    Direct,
    /// Every binding.
    Fanout,
    /// Binding key is a pattern of words: `*` one word, `#` any number.
    Topic,
    /// Binding arguments match the message's headers.
    Headers,
}

/// What a binding leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BindingTarget {
    /// A log.
    Log(LogId),
    /// Another exchange of the virtual host.
    Exchange(Name),
}

/// A value in the arguments of a binding or the headers of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Argument {
    /// No value: matches any value of that name (headers exchange).
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
    /// An array or a table, in its wire form: compared as bytes.
    Nested(Box<[u8]>),
}

/// Arguments by name, sorted, so that equal sets compare equal.
pub type Arguments = BTreeMap<Box<str>, Argument>;

#[cfg(test)]
mod tests {
    use super::*;

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
