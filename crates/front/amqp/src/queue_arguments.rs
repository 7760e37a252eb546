//! The arguments of `queue.declare`: names, valid values, and effects.
//!
//! The table below is the support matrix of `docs/protocols/amqp.md`. Other names are not stored
//! and have no effect, as in RabbitMQ. Features that RabbitMQ has and Stele hasn't are refused and
//! not ignored, because an application that relies on one must learn that it is missing.

use std::{collections::BTreeMap, ops::RangeInclusive};

use stele_core_engine::{LogDefinition, Settings, Window};
use stele_wire_amqp::{Table, Value};

use crate::{
    arguments::Described,
    errors::{Fault, Subject},
    lookup::FACET,
    operations::Handled,
    periods,
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
        Form::OneOf(
            &["classic", "quorum", STREAM],
            Unknown::Unsupported("queue type"),
        ),
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
    (
        "x-queue-leader-locator",
        Form::OneOf(
            &["client-local", "balanced", "random", "least-leaders"],
            Unknown::Word("invalid_queue_locator_arg"),
        ),
        Support::Accepted,
    ),
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
    (
        "x-single-active-consumer",
        Form::Flag,
        Support::Only("false"),
    ),
    ("x-dead-letter-exchange", Form::Exchange, Support::Refused),
    ("x-dead-letter-routing-key", Form::Text, Support::Refused),
    ("x-dead-letter-strategy", Form::Text, Support::Refused),
    ("x-delivery-limit", Form::Count, Support::Refused),
    ("x-max-length", Form::Count, Support::Refused),
    (SIZE, Form::Count, Support::Refused),
    ("x-max-priority", Form::Count, Support::Refused),
    (KEEP, Form::AgeOrSize, Support::Offered),
    (AGE, Form::Age, Support::Offered),
    // Segments have a size of their own.
    (SEGMENT_SIZE, Form::Count, Support::Accepted),
    // Filters look at the messages themselves.
    (FILTER_SIZE, Form::Count, Support::Accepted),
    (CLUSTER_SIZE, Form::Positive, Support::Accepted),
];

/// The arguments that a stream takes.
const OF_STREAMS: [&str; 7] = [
    TYPE,
    SIZE,
    AGE,
    SEGMENT_SIZE,
    FILTER_SIZE,
    CLUSTER_SIZE,
    "x-queue-leader-locator",
];

/// The arguments that only a stream takes.
const OF_STREAMS_ALONE: [&str; 3] = [AGE, SEGMENT_SIZE, CLUSTER_SIZE];

const TTL: &str = "x-message-ttl";
pub(crate) const EXPIRES: &str = "x-expires";
const TYPE: &str = "x-queue-type";
const SIZE: &str = "x-max-length-bytes";
const AGE: &str = "x-max-age";
const KEEP: &str = "x-stele-keep";
const SEGMENT_SIZE: &str = "x-stream-max-segment-size-bytes";
const FILTER_SIZE: &str = "x-stream-filter-size-bytes";
const CLUSTER_SIZE: &str = "x-initial-cluster-size";

/// The type of a log that is read without taking anything from it.
const STREAM: &str = "stream";

/// The largest segments of RabbitMQ's streams.
const SEGMENT_SIZE_BYTES_MAX: u64 = 3_000_000_000;

/// The sizes of the filters of RabbitMQ's streams.
const FILTER_SIZE_BYTES: RangeInclusive<u64> = 16..=255;

/// Whether a log was declared as a stream.
pub(crate) fn is_stream(definition: &LogDefinition) -> bool {
    let declared = definition.facets.get(FACET);
    let kind = declared.and_then(|settings| read_kept(settings.get(TYPE)?));
    kind.is_some_and(|kind| kind.text == STREAM)
}

/// RabbitMQ's name for the type of a declared queue.
pub(crate) fn type_name(definition: &LogDefinition) -> &'static str {
    let declared = definition.facets.get(FACET);
    let kind = declared.and_then(|settings| read_kept(settings.get(TYPE)?));
    kind.map_or(CLASSIC_NAME, |kind| type_name_of(&kind.text))
}

const CLASSIC_NAME: &str = "rabbit_classic_queue";

fn type_name_of(kind: &str) -> &'static str {
    match kind {
        STREAM => "rabbit_stream_queue",
        "quorum" => "rabbit_quorum_queue",
        _ => CLASSIC_NAME,
    }
}

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
        self.check_type(subject)?;
        for (name, form, support) in KNOWN {
            let Some((value, described)) = self.0.get(name) else {
                continue;
            };
            let support = match self.is_stream() {
                true => Support::Accepted,
                false => *support,
            };
            if *form == Form::Exchange && !matches!(value, Value::LongString(_)) {
                return Err(subject.invalid_type(name, value));
            }
            check(form, support, value, described).map_err(|what| invalid(subject, name, &what))?;
        }
        Ok(())
    }

    /// Checks that queues of the declared type take the arguments.
    fn check_type(&self, subject: &Subject<'_>) -> Handled {
        let is_stream = self.is_stream();
        let is_foreign = |name: &&&str| match is_stream {
            true => !OF_STREAMS.contains(*name),
            false => OF_STREAMS_ALONE.contains(*name),
        };
        match self.0.keys().find(is_foreign) {
            Some(name) => Err(not_of_type(subject, name, self.type_name())),
            None => Ok(()),
        }
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

    /// The time to live of messages, in milliseconds.
    pub(crate) fn ttl_ms(&self) -> Option<u64> {
        self.text(TTL)?.parse().ok()
    }

    /// How long the queue may be unused, in milliseconds.
    pub(crate) fn expires_ms(&self) -> Option<u64> {
        self.text(EXPIRES)?.parse().ok()
    }

    /// Whether the queue is declared with type `quorum`.
    pub(crate) fn is_quorum(&self) -> bool {
        self.text(TYPE) == Some("quorum")
    }

    /// Whether it is declared with type `stream`.
    pub(crate) fn is_stream(&self) -> bool {
        self.text(TYPE) == Some(STREAM)
    }

    /// RabbitMQ's name for the declared type.
    pub(crate) fn type_name(&self) -> &'static str {
        self.text(TYPE).map_or(CLASSIC_NAME, type_name_of)
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
            if *name == TYPE && is_classic(received) && is_classic(current.as_ref()) {
                continue;
            }
            check_same(subject, name, received, current.as_ref())?;
        }
        Ok(())
    }
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
        Form::Count | Form::Positive | Form::Period | Form::PositivePeriod | Form::Version(_) => {
            let expected = || format!("\"expected integer, got {type_name}\"");
            check_integer(form, value.as_integer().ok_or_else(expected)?)
        }
        Form::Flag => value.as_bool().map(drop).ok_or_else(unacceptable),
        Form::AgeOrSize if value.as_integer().is_some() => {
            check_form(&Form::Positive, value, described)
        }
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
        _ => Ok(()),
    }
}

fn invalid(subject: &Subject<'_>, name: &str, what: &str) -> Fault {
    Fault::precondition(format!(
        "invalid arg '{name}' for {}: {what}",
        subject.describe()
    ))
}

#[cfg(test)]
mod tests;
