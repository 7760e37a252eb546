//! The arguments of `queue.declare`: which there are, what each may be and what it does.
//!
//! The table below is the support matrix of `docs/protocols/amqp.md`. Names that aren't in it are
//! kept by no one and have no effect, as in RabbitMQ. What RabbitMQ offers and Stele doesn't is
//! refused rather than ignored: an application that counts on it must hear so.

use std::{collections::BTreeMap, ops::RangeInclusive};

use stele_core_engine::Settings;
use stele_wire_amqp::{Table, Value};

use crate::{
    arguments::Described,
    errors::{Fault, Subject},
    operations::Handled,
    periods,
};

/// What an argument's value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// An integer, 0 or more.
    Count,
    /// An integer, 1 or more.
    Positive,
    /// A time, 0 or more, in milliseconds.
    Period,
    /// A time above 0, in milliseconds.
    PositivePeriod,
    /// One of these integers.
    Version(RangeInclusive<i64>),
    /// One of these texts; any other is told so.
    OneOf(&'static [&'static str], Unknown),
    /// Any text.
    Text,
    /// Any text, the name of an exchange.
    Exchange,
    /// A boolean.
    Flag,
}

/// What is said of a text that isn't one of those that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    /// That this kind of thing isn't supported.
    Unsupported(&'static str),
    /// A word.
    Word(&'static str),
}

/// What a value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Support {
    /// It has its effect.
    Offered,
    /// It may be given; there is nothing here for it to change.
    Accepted,
    /// Only this value, which is the default, may be given.
    Only(&'static str),
    /// It is refused.
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
    // Bodies are never held in memory, so every queue is lazy.
    (
        "x-queue-mode",
        Form::OneOf(&["default", "lazy"], Unknown::Unsupported("queue mode")),
        Support::Accepted,
    ),
    ("x-queue-version", Form::Version(1..=2), Support::Accepted),
    // There is one node.
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
    ("x-max-length-bytes", Form::Count, Support::Refused),
    ("x-max-priority", Form::Count, Support::Refused),
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

/// Known arguments with their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QueueArguments(BTreeMap<&'static str, (Value, Described)>);

impl QueueArguments {
    /// Those of a declaration, as they came.
    pub(crate) fn read(table: &Table) -> Self {
        let known = KNOWN.iter().filter_map(|(name, ..)| {
            let value = table.find(name)?;
            Some((*name, (value.clone(), Described::of(value))))
        });
        Self(known.collect())
    }

    /// Whether a queue can be made with them. One that is there already is compared instead.
    pub(crate) fn check(&self, subject: &Subject<'_>) -> Handled {
        for (name, form, support) in KNOWN {
            let Some((value, described)) = self.0.get(name) else {
                continue;
            };
            if *form == Form::Exchange && !matches!(value, Value::LongString(_)) {
                return Err(subject.invalid_type(name, value));
            }
            check(form, *support, value, described)
                .map_err(|what| invalid(subject, name, &what))?;
        }
        Ok(())
    }

    /// How long messages live, in milliseconds.
    pub(crate) fn ttl_ms(&self) -> Option<u64> {
        self.text(TTL)?.parse().ok()
    }

    /// How long the queue may be unused, in milliseconds.
    pub(crate) fn expires_ms(&self) -> Option<u64> {
        self.text(EXPIRES)?.parse().ok()
    }

    /// Whether the queue is said to be of the type `quorum`.
    pub(crate) fn is_quorum(&self) -> bool {
        self.text(TYPE) == Some("quorum")
    }

    fn text(&self, name: &str) -> Option<&str> {
        Some(&self.0.get(name)?.1.text)
    }

    /// As they are kept with the queue.
    pub(crate) fn write(&self, settings: &mut Settings) {
        for (name, (_, described)) in &self.0 {
            let Described { type_name, text } = described;
            settings.insert(Box::from(*name), format!("{type_name} {text}").into());
        }
    }

    /// Whether these are the arguments that the queue was made with.
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

/// The type `classic` is that of queues that don't name one.
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

/// Whether an argument is the same in a declaration and in force.
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
