//! The arguments of `queue.declare`: names, valid values, and effects.
//!
//! The table below is the support matrix of `docs/protocols/amqp.md`. Other names are not stored
//! and have no effect, as in RabbitMQ. Features that RabbitMQ has and Stele hasn't are refused and
//! not ignored, because an application that relies on one must learn that it is missing.

mod kept;

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use stele_core_engine::{DeathReasons, LedgerConfig, Overflow, Settings, Window};
use stele_wire_amqp::{Table, Value};

use crate::{
    arguments::Described,
    errors::{Fault, Subject},
    operations::Handled,
    periods,
};

pub(crate) use self::kept::{
    Kept, is_classic_queue, is_stream, is_stream_of_one, kind_of, type_name,
};

/// The valid values of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// An integer, 0 or more.
    Count,
    /// An integer, 1 or more.
    Positive,
    /// A time in milliseconds, 0 or more.
    Period,
    /// A time in milliseconds, 1 or more.
    PositivePeriod,
    /// One of these integers.
    Version(RangeInclusive<i64>),
    /// An integer from 0 to this one.
    UpTo(i64),
    /// One of these texts; any other fails with this error.
    OneOf(&'static [&'static str], Unknown),
    /// A text such as `7D`: a number and a unit.
    Age,
    /// The same, or a number of bytes.
    AgeOrSize,
    /// Any text.
    Text,
    /// Any text, the name of an exchange.
    Exchange,
    /// A boolean.
    Flag,
    /// Any value.
    Any,
}

/// The error for an unknown text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    /// This kind of object isn't supported.
    Unsupported(&'static str),
    /// One word.
    Word(&'static str),
}

const KNOWN: &[(&str, Form)] = &[
    (TTL, Form::Period),
    (EXPIRES, Form::PositivePeriod),
    (
        TYPE,
        Form::OneOf(
            &["classic", "quorum", STREAM],
            Unknown::Unsupported("queue type"),
        ),
    ),
    // Bodies are never kept in memory, so every queue is lazy.
    (
        "x-queue-mode",
        Form::OneOf(&["default", "lazy"], Unknown::Unsupported("queue mode")),
    ),
    ("x-queue-version", Form::Version(1..=2)),
    // There is only one node.
    ("x-queue-master-locator", Form::Text),
    (
        "x-queue-leader-locator",
        Form::OneOf(
            &["client-local", "balanced", "random", "least-leaders"],
            Unknown::Word("invalid_queue_locator_arg"),
        ),
    ),
    ("x-quorum-initial-group-size", Form::Positive),
    ("x-max-in-memory-length", Form::Count),
    ("x-max-in-memory-bytes", Form::Count),
    (
        OVERFLOW,
        Form::OneOf(
            &["drop-head", "reject-publish", "reject-publish-dlx"],
            Unknown::Word("invalid_overflow"),
        ),
    ),
    (SINGLE_ACTIVE, Form::Flag),
    (PRIORITY_MAX, Form::UpTo(255)),
    // Neither checked nor compared, as in RabbitMQ.
    (CONSUMER_TIMEOUT, Form::Any),
    (DEAD_LETTER_EXCHANGE, Form::Exchange),
    (DEAD_LETTER_KEY, Form::Text),
    (
        DEAD_LETTER_STRATEGY,
        Form::OneOf(
            &["at-most-once", AT_LEAST_ONCE],
            Unknown::Word("invalid_dlx_strategy"),
        ),
    ),
    // Like RabbitMQ 3, takes any value; one that isn't an integer is no limit.
    (DELIVERY_LIMIT, Form::Any),
    (LENGTH, Form::Count),
    (SIZE, Form::Count),
    (KEEP, Form::AgeOrSize),
    (AGE, Form::Age),
    // Segments have a size of their own.
    (SEGMENT_SIZE, Form::Count),
    // Filters look at the messages themselves.
    (FILTER_SIZE, Form::Count),
    (CLUSTER_SIZE, Form::Positive),
];

/// The arguments that not every type of queue has, with the types that have them. Declaring a queue
/// of another type with one is an error, and comparing such a queue ignores it.
const OF_TYPES: &[(&str, &[&str])] = &[
    (TTL, &["classic", "quorum"]),
    (EXPIRES, &["classic", "quorum"]),
    ("x-queue-mode", &["classic"]),
    ("x-queue-version", &["classic"]),
    ("x-queue-master-locator", &["classic"]),
    ("x-quorum-initial-group-size", &["quorum"]),
    ("x-max-in-memory-length", &["quorum"]),
    ("x-max-in-memory-bytes", &["quorum"]),
    ("x-overflow", &["classic", "quorum"]),
    ("x-dead-letter-exchange", &["classic", "quorum"]),
    ("x-dead-letter-routing-key", &["classic", "quorum"]),
    ("x-dead-letter-strategy", &["quorum"]),
    ("x-delivery-limit", &["quorum"]),
    ("x-max-length", &["classic", "quorum"]),
    (PRIORITY_MAX, &["classic"]),
    (KEEP, &["classic", "quorum"]),
    (AGE, &["stream"]),
    (SEGMENT_SIZE, &["stream"]),
    (FILTER_SIZE, &["stream"]),
    (CLUSTER_SIZE, &["stream"]),
];

const TTL: &str = "x-message-ttl";
pub(crate) const EXPIRES: &str = "x-expires";
const TYPE: &str = "x-queue-type";
const SINGLE_ACTIVE: &str = "x-single-active-consumer";
const CONSUMER_TIMEOUT: &str = "x-consumer-timeout";
pub(crate) const PRIORITY_MAX: &str = "x-max-priority";
const OVERFLOW: &str = "x-overflow";
const LENGTH: &str = "x-max-length";
const DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";
const DEAD_LETTER_KEY: &str = "x-dead-letter-routing-key";
const DEAD_LETTER_STRATEGY: &str = "x-dead-letter-strategy";
const DELIVERY_LIMIT: &str = "x-delivery-limit";
const SIZE: &str = "x-max-length-bytes";
const AGE: &str = "x-max-age";
const KEEP: &str = "x-stele-keep";
const SEGMENT_SIZE: &str = "x-stream-max-segment-size-bytes";
const FILTER_SIZE: &str = "x-stream-filter-size-bytes";
const CLUSTER_SIZE: &str = "x-initial-cluster-size";

const AT_LEAST_ONCE: &str = "at-least-once";
const REJECT_PUBLISH: &str = "reject-publish";

/// How often a quorum queue delivers a message again unless it says otherwise, as in RabbitMQ 4.
const DELIVERY_LIMIT_DEFAULT: u32 = 20;

/// The default type.
const CLASSIC: &str = "classic";

const QUORUM: &str = "quorum";

/// The type of a log that is read without taking anything from it.
const STREAM: &str = "stream";

/// The largest segments of RabbitMQ's streams.
const SEGMENT_SIZE_BYTES_MAX: u64 = 3_000_000_000;

/// The sizes of the filters of RabbitMQ's streams.
const FILTER_SIZE_BYTES: RangeInclusive<u64> = 16..=255;

/// The fault for an argument that queues of this type don't take.
pub(crate) fn not_of_type(subject: &Subject<'_>, name: &str, type_name: &str) -> Fault {
    Fault::precondition(format!(
        "invalid arg '{name}' for {} of queue type {type_name}",
        subject.describe()
    ))
}

/// Known arguments with their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QueueArguments(BTreeMap<&'static str, (Value, Described)>);

impl QueueArguments {
    /// Reads the arguments of a declaration.
    pub(crate) fn read(table: &Table) -> Self {
        let known = KNOWN.iter().filter_map(|(name, ..)| {
            let value = table.find(name)?;
            Some((*name, (value.clone(), Described::of(value))))
        });
        Self(known.collect())
    }

    /// Checks that a queue can be created with them. An existing queue is compared instead.
    pub(crate) fn check(&self, subject: &Subject<'_>) -> Handled {
        self.check_one(subject, TYPE)?;
        let kind = self.kind();
        for name in self.0.keys() {
            if !is_of_type(name, kind) {
                return Err(not_of_type(subject, name, kept::type_name_of(kind)));
            }
        }
        self.0
            .keys()
            .try_for_each(|name| self.check_one(subject, name))?;
        if self.0.contains_key(DEAD_LETTER_KEY) && !self.0.contains_key(DEAD_LETTER_EXCHANGE) {
            let what = "routing_key_but_no_dlx_defined";
            return Err(subject.invalid(DEAD_LETTER_KEY, what));
        }
        Ok(())
    }

    fn check_one(&self, subject: &Subject<'_>, one: &str) -> Handled {
        for (name, form) in KNOWN.iter().filter(|(name, ..)| *name == one) {
            let Some((value, described)) = self.0.get(name) else {
                continue;
            };
            if *form == Form::Exchange && !matches!(value, Value::LongString(_)) {
                return Err(subject.invalid_type(name, value));
            }
            check(form, value, described).map_err(|what| subject.invalid(name, &what))?;
        }
        Ok(())
    }

    /// Checks what RabbitMQ checks only when it creates a stream.
    pub(crate) fn check_stream(&self) -> Handled {
        let size = |name| self.text(name).and_then(|text| text.parse::<u64>().ok());
        if size(SEGMENT_SIZE).is_some_and(|bytes| bytes > SEGMENT_SIZE_BYTES_MAX) {
            let what = format!("Exceeded max value for {SEGMENT_SIZE}");
            return Err(Fault::precondition(what));
        }
        if size(FILTER_SIZE).is_some_and(|bytes| !FILTER_SIZE_BYTES.contains(&bytes)) {
            let what = format!("Invalid value for  {FILTER_SIZE}");
            return Err(Fault::precondition(what));
        }
        Ok(())
    }

    /// Which of its messages a stream keeps.
    pub(crate) fn window(&self) -> Window {
        Window {
            time_ms: self.text(AGE).and_then(periods::age_ms),
            size_bytes: self.text(SIZE).and_then(|text| text.parse().ok()),
        }
    }

    /// Which of its messages a queue keeps after they are acknowledged.
    pub(crate) fn keep(&self) -> Option<Window> {
        let (value, described) = self.0.get(KEEP)?;
        let is_size = value.as_integer().is_some();
        Some(Window {
            time_ms: periods::age_ms(&described.text),
            size_bytes: described.text.parse().ok().filter(|_| is_size),
        })
    }

    /// How its ledger schedules messages.
    pub(crate) fn ledger(&self) -> LedgerConfig {
        let has_dead_letters = self.0.contains_key(DEAD_LETTER_EXCHANGE);
        LedgerConfig {
            expiry_ms: self.text(TTL).and_then(|text| text.parse().ok()),
            deliveries_max: self.deliveries_max(),
            dead_letters: if has_dead_letters {
                DeathReasons::ALL
            } else {
                DeathReasons::NONE
            },
            ready_max: self.text(LENGTH).and_then(|text| text.parse().ok()),
            overflow: match self.text(OVERFLOW) {
                Some(REJECT_PUBLISH) => Overflow::RefuseNew,
                Some("reject-publish-dlx") if has_dead_letters => Overflow::RefuseAsDead,
                Some("reject-publish-dlx") => Overflow::RefuseNew,
                _ => Overflow::DropOldest,
            },
            single_active: self.is_single_active(),
            by_priority: self.priority_max() > 0,
            // A stream keeps so many bytes.
            ready_bytes_max: match self.is_stream() {
                true => None,
                false => self.text(SIZE).and_then(|text| text.parse().ok()),
            },
            ..LedgerConfig::PLAIN
        }
    }

    /// The first delivery, and as many more as the limit allows. A negative one, and a value that
    /// isn't an integer, is no limit.
    fn deliveries_max(&self) -> Option<u32> {
        let limit = match self.0.get(DELIVERY_LIMIT) {
            Some((value, _)) => value.as_integer()?,
            None if self.is_quorum() => DELIVERY_LIMIT_DEFAULT.into(),
            None => return None,
        };
        u32::try_from(limit).ok()?.checked_add(1)
    }

    /// How long the queue may be unused, in milliseconds.
    pub(crate) fn expires_ms(&self) -> Option<u64> {
        self.text(EXPIRES)?.parse().ok()
    }

    /// The highest priority of its messages; 0 if they have no priorities.
    pub(crate) fn priority_max(&self) -> u32 {
        let max = self.text(PRIORITY_MAX).and_then(|text| text.parse().ok());
        max.unwrap_or(0)
    }

    /// Whether only one of its consumers at a time gets messages.
    pub(crate) fn is_single_active(&self) -> bool {
        self.text(SINGLE_ACTIVE) == Some("true")
    }

    /// Whether the queue is declared with type `quorum`.
    pub(crate) fn is_quorum(&self) -> bool {
        self.kind() == QUORUM
    }

    /// Whether it is declared with type `stream`.
    pub(crate) fn is_stream(&self) -> bool {
        self.kind() == STREAM
    }

    /// RabbitMQ's name for the declared type.
    pub(crate) fn type_name(&self) -> &'static str {
        kept::type_name_of(self.kind())
    }

    fn kind(&self) -> &str {
        self.text(TYPE).unwrap_or(CLASSIC)
    }

    fn text(&self, name: &str) -> Option<&str> {
        Some(&self.0.get(name)?.1.text)
    }

    /// Stores them with the queue.
    pub(crate) fn write(&self, settings: &mut Settings) {
        for (name, (_, described)) in &self.0 {
            let Described { type_name, text } = described;
            settings.insert(Box::from(*name), format!("{type_name} {text}").into());
        }
    }

    /// Checks that the queue was created with the same arguments.
    pub(crate) fn check_equivalence(&self, subject: &Subject<'_>, kept: &Settings) -> Handled {
        let kind = kind_of(Some(kept));
        for (name, ..) in KNOWN.iter().filter(|(name, ..)| is_of_type(name, kind)) {
            let received = self.0.get(name).map(|(_, described)| described);
            let current = kept.get(*name).and_then(|text| read_kept(text));
            let is_same = *name == TYPE && is_classic(received) && is_classic(current.as_ref());
            if is_same || *name == CONSUMER_TIMEOUT {
                continue;
            }
            check_same(subject, name, received, current.as_ref())?;
        }
        Ok(())
    }
}

/// How long its deliveries may be unacknowledged, if a queue was declared with its own time.
pub(crate) fn consumer_timeout(kept: &Settings) -> Option<Duration> {
    let timeout = read_kept(kept.get(CONSUMER_TIMEOUT)?)?;
    let ms: i64 = timeout.is_integer().then(|| timeout.text.parse().ok())??;
    Some(Duration::from_millis(ms.try_into().unwrap_or(0)))
}

/// Whether queues of a type have this argument.
fn is_of_type(name: &str, kind: &str) -> bool {
    let of_types = OF_TYPES.iter().find(|(listed, _)| *listed == name);
    of_types.is_none_or(|(_, kinds)| kinds.contains(&kind))
}

/// Whether the type is `classic`, which is the default.
fn is_classic(kind: Option<&Described>) -> bool {
    kind.is_none_or(|kind| kind.text == CLASSIC)
}

fn read_kept(kept: &str) -> Option<Described> {
    let (type_name, text) = kept.split_once(' ')?;
    Some(Described {
        type_name: type_name.to_owned(),
        text: text.to_owned(),
    })
}

/// Checks that an argument of a declaration equals the existing one.
pub(crate) fn check_same(
    subject: &Subject<'_>,
    name: &str,
    received: Option<&Described>,
    current: Option<&Described>,
) -> Handled {
    match (received, current) {
        (None, None) => Ok(()),
        (Some(received), Some(current)) if received.is_like(current) => Ok(()),
        (Some(received), Some(current)) => {
            Err(subject.inequivalent(name, &received.short(), &current.short()))
        }
        _ => {
            let long = |value: Option<&Described>| {
                value.map_or_else(|| "none".to_owned(), Described::long)
            };
            Err(subject.inequivalent(name, &long(received), &long(current)))
        }
    }
}

fn check(form: &Form, value: &Value, described: &Described) -> Result<(), String> {
    let type_name = &described.type_name;
    let unacceptable = || format!("{{unacceptable_type,{type_name}}}");
    match form {
        Form::Count
        | Form::Positive
        | Form::Period
        | Form::PositivePeriod
        | Form::Version(_)
        | Form::UpTo(_) => {
            let expected = || format!("\"expected integer, got {type_name}\"");
            check_integer(form, value.as_integer().ok_or_else(expected)?)
        }
        Form::Any => Ok(()),
        Form::Flag => value.as_bool().map(drop).ok_or_else(unacceptable),
        Form::AgeOrSize if value.as_integer().is_some() => check(&Form::Positive, value, described),
        Form::Age | Form::AgeOrSize => match value {
            Value::LongString(_) => match periods::age_ms(&described.text) {
                Some(_) => Ok(()),
                None => Err("invalid_max_age".to_owned()),
            },
            _ => Err(unacceptable()),
        },
        Form::Text | Form::Exchange => match value {
            Value::LongString(_) => Ok(()),
            _ => Err(unacceptable()),
        },
        Form::OneOf(texts, unknown) => match (value, unknown) {
            (Value::LongString(_), _) if texts.contains(&&*described.text) => Ok(()),
            (Value::LongString(_), Unknown::Word(word)) => Err((*word).to_owned()),
            (Value::LongString(_), Unknown::Unsupported(what)) => {
                Err(format!("\"unsupported {what} '{}'\"", described.text))
            }
            _ => Err(unacceptable()),
        },
    }
}

fn check_integer(form: &Form, integer: i64) -> Result<(), String> {
    match (form, integer) {
        (Form::Positive | Form::PositivePeriod, 0) => Err("{value_zero,0}".to_owned()),
        (Form::Period | Form::PositivePeriod, _) => periods::check(integer),
        (_, ..0) => Err(format!("{{value_negative,{integer}}}")),
        (Form::Version(known), _) if !known.contains(&integer) => {
            Err(format!("\"unsupported queue version '{integer}'\""))
        }
        (Form::UpTo(max), _) if integer > *max => Err(format!("{{max_value_exceeded,{integer}}}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
