//! The arguments of `queue.declare`: names, valid values, and effects.
//!
//! The table below is the support matrix of `docs/protocols/amqp.md`. Other names are not stored
//! and have no effect, as in RabbitMQ. Features that RabbitMQ has and Stele hasn't are refused and
//! not ignored, because an application that relies on one must learn that it is missing.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use stele_core_engine::Settings;
use stele_wire_amqp::{Table, Value};

use crate::{arguments::Described, errors::Subject, operations::Handled, periods};

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

/// The effect of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Support {
    /// Supported.
    Offered,
    /// Accepted; it has nothing to change here.
    Accepted,
    /// Only this value, the default, is accepted.
    Only(&'static str),
    /// Refused.
    Refused,
}

const KNOWN: &[(&str, Form, Support)] = &[
    (TTL, Form::Period, Support::Offered),
    (EXPIRES, Form::PositivePeriod, Support::Offered),
    (
        TYPE,
        Form::OneOf(&["classic", "quorum"], Unknown::Unsupported("queue type")),
        Support::Accepted,
    ),
    // Bodies are never kept in memory, so every queue is lazy.
    (
        "x-queue-mode",
        Form::OneOf(&["default", "lazy"], Unknown::Unsupported("queue mode")),
        Support::Accepted,
    ),
    ("x-queue-version", Form::Version(1..=2), Support::Accepted),
    // There is only one node.
    ("x-queue-master-locator", Form::Text, Support::Accepted),
    ("x-queue-leader-locator", Form::Text, Support::Accepted),
    (
        "x-quorum-initial-group-size",
        Form::Positive,
        Support::Accepted,
    ),
    ("x-max-in-memory-length", Form::Count, Support::Accepted),
    ("x-max-in-memory-bytes", Form::Count, Support::Accepted),
    (
        "x-overflow",
        Form::OneOf(
            &["drop-head", "reject-publish", "reject-publish-dlx"],
            Unknown::Word("invalid_overflow"),
        ),
        Support::Only("drop-head"),
    ),
    (SINGLE_ACTIVE, Form::Flag, Support::Offered),
    (PRIORITY_MAX, Form::UpTo(255), Support::Offered),
    // RabbitMQ neither checks nor compares it.
    (CONSUMER_TIMEOUT, Form::Any, Support::Offered),
    ("x-dead-letter-exchange", Form::Exchange, Support::Refused),
    ("x-dead-letter-routing-key", Form::Text, Support::Refused),
    ("x-dead-letter-strategy", Form::Text, Support::Refused),
    ("x-delivery-limit", Form::Count, Support::Refused),
    ("x-max-length", Form::Count, Support::Refused),
    ("x-max-length-bytes", Form::Count, Support::Refused),
    ("x-max-age", Form::Text, Support::Refused),
    (
        "x-stream-max-segment-size-bytes",
        Form::Count,
        Support::Refused,
    ),
    ("x-stream-filter-size-bytes", Form::Count, Support::Refused),
    ("x-initial-cluster-size", Form::Positive, Support::Refused),
];

const TTL: &str = "x-message-ttl";
pub(crate) const EXPIRES: &str = "x-expires";
const TYPE: &str = "x-queue-type";
const SINGLE_ACTIVE: &str = "x-single-active-consumer";
const CONSUMER_TIMEOUT: &str = "x-consumer-timeout";
pub(crate) const PRIORITY_MAX: &str = "x-max-priority";

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
        for (name, form, support) in KNOWN {
            let Some((value, described)) = self.0.get(name) else {
                continue;
            };
            if *name == PRIORITY_MAX && self.is_quorum() {
                continue;
            }
            if *form == Form::Exchange && !matches!(value, Value::LongString(_)) {
                return Err(subject.invalid_type(name, value));
            }
            check(form, *support, value, described).map_err(|what| subject.invalid(name, &what))?;
        }
        if self.is_quorum() && self.0.contains_key(PRIORITY_MAX) {
            return Err(subject.invalid_for_quorum(PRIORITY_MAX));
        }
        Ok(())
    }

    /// The time to live of messages, in milliseconds.
    pub(crate) fn ttl_ms(&self) -> Option<u64> {
        self.text(TTL)?.parse().ok()
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
        self.text(TYPE) == Some("quorum")
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
        for (name, ..) in KNOWN {
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

/// Whether a queue was declared with type `quorum`.
pub(crate) fn was_quorum(kept: &Settings) -> bool {
    let kind = kept.get(TYPE).and_then(|text| read_kept(text));
    kind.is_some_and(|kind| kind.text == "quorum")
}

/// Whether the type is `classic`, which is the default.
fn is_classic(kind: Option<&Described>) -> bool {
    kind.is_none_or(|kind| kind.text == "classic")
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

fn check(
    form: &Form,
    support: Support,
    value: &Value,
    described: &Described,
) -> Result<(), String> {
    check_form(form, value, described)?;
    match support {
        Support::Offered | Support::Accepted => Ok(()),
        Support::Only(only) if described.text == only => Ok(()),
        Support::Only(_) | Support::Refused => Err("\"not supported\"".to_owned()),
    }
}

fn check_form(form: &Form, value: &Value, described: &Described) -> Result<(), String> {
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
