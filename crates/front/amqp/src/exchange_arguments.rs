//! The types of exchanges, and what they require of their arguments and bindings, with the texts of
//! RabbitMQ and its plugins.

use stele_core_engine::{
    DELAYED_TYPE, Exchange, ExchangeKind, HASH_HEADER, HASH_PROPERTY, LogDefinition,
};
use stele_wire_amqp::{Table, Value};

use crate::{
    arguments::{binary, term},
    errors::{Fault, Subject},
    lookup::FACET,
    operations::Handled,
    queue_arguments,
};

/// The properties that a consistent-hash exchange can hash.
pub(crate) const HASH_PROPERTIES: [&str; 3] = ["correlation_id", "message_id", "timestamp"];

/// The target of a new binding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    Queue(&'a LogDefinition),
    Exchange,
}

/// The type of this name.
pub(crate) fn kind(name: &str) -> Result<ExchangeKind, Fault> {
    let kind = ExchangeKind::named(name);
    kind.ok_or_else(|| {
        let what = if name.is_empty() {
            "invalid"
        } else {
            "unknown"
        };
        Fault::command_invalid(format!("{what} exchange type '{name}'"))
    })
}

/// Checks the arguments of a new exchange.
pub(crate) fn check(subject: &Subject<'_>, kind: ExchangeKind, arguments: &Table) -> Handled {
    match kind {
        ExchangeKind::ConsistentHash => check_hashed(subject, arguments),
        ExchangeKind::Delayed => check(subject, delayed_kind(arguments)?, arguments),
        ExchangeKind::Direct
        | ExchangeKind::Fanout
        | ExchangeKind::Topic
        | ExchangeKind::Headers
        | ExchangeKind::ModulusHash
        | ExchangeKind::Random
        | ExchangeKind::LocalRandom => Ok(()),
    }
}

/// Checks a new binding of an exchange.
pub(crate) fn check_binding(
    exchange: &Exchange,
    target: Target<'_>,
    key: &str,
    arguments: &Table,
) -> Handled {
    match exchange.routes_as() {
        ExchangeKind::Headers => check_match(arguments),
        ExchangeKind::ConsistentHash => check_weight(key),
        ExchangeKind::LocalRandom => check_local(target, key),
        ExchangeKind::Direct
        | ExchangeKind::Fanout
        | ExchangeKind::Topic
        | ExchangeKind::ModulusHash
        | ExchangeKind::Random
        | ExchangeKind::Delayed => Ok(()),
    }
}

/// A message is hashed by its key, a header or a property.
fn check_hashed(subject: &Subject<'_>, arguments: &Table) -> Handled {
    let text = |name| match arguments.find(name) {
        None => Ok(None),
        Some(Value::LongString(octets)) => Ok(Some(octets)),
        // RabbitMQ's plugin fails with 541 INTERNAL_ERROR.
        Some(other) => Err(subject.invalid_type(name, other)),
    };
    match (text(HASH_HEADER)?, text(HASH_PROPERTY)?) {
        (Some(_), Some(_)) => Err(Fault::precondition(format!(
            "{HASH_HEADER} and {HASH_PROPERTY} are mutually exclusive"
        ))),
        (None, Some(property)) => {
            let mut known = HASH_PROPERTIES.iter().map(|name| name.as_bytes());
            if known.any(|name| name == &property[..]) {
                return Ok(());
            }
            let property = String::from_utf8_lossy(property);
            Err(Fault::precondition(format!(
                "Unsupported property: {property}"
            )))
        }
        (_, None) => Ok(()),
    }
}

/// The type by which an exchange routes that delays.
fn delayed_kind(arguments: &Table) -> Result<ExchangeKind, Fault> {
    let Some(Value::LongString(name)) = arguments.find(DELAYED_TYPE) else {
        return Err(Fault::precondition(format!(
            "Invalid argument, '{DELAYED_TYPE}' must be an existing exchange type"
        )));
    };
    match kind(&String::from_utf8_lossy(name))? {
        ExchangeKind::Delayed => Err(Fault::precondition(format!(
            "Invalid argument, '{}' can't be used for '{DELAYED_TYPE}'",
            ExchangeKind::Delayed.name()
        ))),
        kind => Ok(kind),
    }
}

fn check_match(arguments: &Table) -> Handled {
    let expected = "expected all, any, all-with-x, or any-with-x";
    match arguments.find("x-match") {
        None => Ok(()),
        Some(Value::LongString(octets)) => match &octets[..] {
            b"all" | b"any" | b"all-with-x" | b"any-with-x" => Ok(()),
            other => Err(Fault::precondition(format!(
                "Invalid x-match field value {}; {expected}",
                binary(other)
            ))),
        },
        Some(other) => Err(Fault::precondition(format!(
            "Invalid x-match field type {} (value {}); expected longstr",
            other.type_name(),
            term(other)
        ))),
    }
}

/// The key is a weight: an integer of any size, 1 or more.
fn check_weight(key: &str) -> Handled {
    let digits = key.strip_prefix(['-', '+']).unwrap_or(key);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::precondition(format!(
            "The binding key must be an integer: {}",
            binary(key.as_bytes())
        )));
    }
    if key.starts_with('-') || digits.bytes().all(|byte| byte == b'0') {
        return Err(Fault::precondition(
            "The binding key must be greater than 0",
        ));
    }
    Ok(())
}

/// Only classic queues are bound, without a key.
fn check_local(target: Target<'_>, key: &str) -> Handled {
    if !key.is_empty() {
        return Err(Fault::precondition(format!(
            "Non empty binding '{key}' key not permitted"
        )));
    }
    match target {
        Target::Exchange => Err(Fault::precondition("Destination not found")),
        Target::Queue(queue) => match queue_arguments::kind_of(queue.facets.get(FACET)) {
            "classic" => Ok(()),
            kind => Err(Fault::precondition(format!(
                "Queue type rabbit_{kind}_queue not valid for this exchange type"
            ))),
        },
    }
}
