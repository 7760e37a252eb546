//! The arguments of `queue.declare`: which there are, what each may be and what it does.
//!
//! The table below is the support matrix of `docs/protocols/amqp.md`. Names that aren't in it are
//! kept by no one and have no effect, as in RabbitMQ. What RabbitMQ offers and Stele doesn't is
//! refused rather than ignored: an application that counts on it must hear so.

use std::collections::BTreeMap;

use stele_core_engine::Settings;
use stele_wire_amqp::{Table, Value};

use crate::{
    arguments::Described,
    errors::{Fault, Subject},
    operations::Handled,
    periods,
};

/// What an argument's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// An integer, 0 or more.
    Count,
    /// An integer, 1 or more.
    Positive,
    /// A time, 0 or more, in milliseconds.
    Period,
    /// A time above 0, in milliseconds.
    PositivePeriod,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Any text.
    Text,
    /// A boolean.
    Flag,
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
    (TYPE, Form::OneOf(&["classic", "quorum"]), Support::Accepted),
    // Bodies are never held in memory, so every queue is lazy.
    (
        "x-queue-mode",
        Form::OneOf(&["default", "lazy"]),
        Support::Accepted,
    ),
    ("x-queue-version", Form::Count, Support::Accepted),
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
    ("x-overflow", Form::Text, Support::Only("drop-head")),
    (
        "x-single-active-consumer",
        Form::Flag,
        Support::Only("false"),
    ),
    ("x-dead-letter-exchange", Form::Text, Support::Refused),
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueArguments(BTreeMap<&'static str, Described>);

impl QueueArguments {
    /// Reads and checks a declaration's arguments.
    pub(crate) fn read(subject: &Subject<'_>, table: &Table) -> Result<Self, Fault> {
        let mut known = BTreeMap::new();
        for (name, form, support) in KNOWN {
            let Some(value) = table.find(name) else {
                continue;
            };
            let described = Described::of(value);
            check(name, *form, *support, value, &described)
                .map_err(|what| invalid(subject, name, &what))?;
            known.insert(*name, described);
        }
        Ok(Self(known))
    }

    /// How long messages live, in milliseconds.
    pub(crate) fn ttl_ms(&self) -> Option<u64> {
        self.0.get(TTL)?.text.parse().ok()
    }

    /// How long the queue may be unused, in milliseconds.
    pub(crate) fn expires_ms(&self) -> Option<u64> {
        self.0.get(EXPIRES)?.text.parse().ok()
    }

    /// Whether the queue is said to be of the type `quorum`.
    pub(crate) fn is_quorum(&self) -> bool {
        self.0.get(TYPE).is_some_and(|kind| kind.text == "quorum")
    }

    /// As they are kept with the queue.
    pub(crate) fn write(&self, settings: &mut Settings) {
        for (name, described) in &self.0 {
            let Described { type_name, text } = described;
            settings.insert(Box::from(*name), format!("{type_name} {text}").into());
        }
    }

    /// Whether these are the arguments that the queue was made with.
    pub(crate) fn check_equivalence(&self, subject: &Subject<'_>, kept: &Settings) -> Handled {
        for (name, _, _) in KNOWN {
            let received = self.0.get(name).cloned();
            let current = kept.get(*name).and_then(|text| read_kept(text));
            if *name == TYPE {
                let (received, current) = (classic(received), classic(current));
                check_same(subject, name, received.as_ref(), current.as_ref())?;
            } else {
                check_same(subject, name, received.as_ref(), current.as_ref())?;
            }
        }
        Ok(())
    }
}

/// The type `classic` is that of queues that don't name one.
fn classic(kind: Option<Described>) -> Option<Described> {
    kind.filter(|kind| kind.text != "classic")
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
        (Some(received), Some(current)) if received.class() == current.class() => {
            let short = |value: &Described| format!("'{}'", value.text);
            Err(subject.inequivalent(name, &short(received), &short(current)))
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
    name: &str,
    form: Form,
    support: Support,
    value: &Value,
    described: &Described,
) -> Result<(), String> {
    check_form(name, form, value, described)?;
    match support {
        Support::Offered | Support::Accepted => Ok(()),
        Support::Only(only) if described.text == only => Ok(()),
        Support::Only(_) | Support::Refused => Err("\"not supported\"".to_owned()),
    }
}

fn check_form(name: &str, form: Form, value: &Value, described: &Described) -> Result<(), String> {
    let expected = |what| format!("\"expected {what}, got {}\"", described.type_name);
    match form {
        Form::Count | Form::Positive | Form::Period | Form::PositivePeriod => {
            check_integer(form, value.as_integer().ok_or_else(|| expected("integer"))?)
        }
        Form::Flag => value.as_bool().map(drop).ok_or_else(|| expected("boolean")),
        Form::Text => value.as_text().map(drop).ok_or_else(|| expected("string")),
        Form::OneOf(texts) => {
            let text = value.as_text().ok_or_else(|| expected("string"))?;
            if texts.contains(&text) {
                return Ok(());
            }
            let what = if name == TYPE { "queue type" } else { "value" };
            Err(format!("\"unsupported {what} '{text}'\""))
        }
    }
}

fn check_integer(form: Form, integer: i64) -> Result<(), String> {
    match (form, integer) {
        (Form::Positive | Form::PositivePeriod, 0) => Err("{value_zero,0}".to_owned()),
        (Form::Period | Form::PositivePeriod, _) => periods::check(integer),
        (_, ..0) => Err(format!("{{value_negative,{integer}}}")),
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
