//! Messages as AMQP carries them.
//!
//! | field | in AMQP |
//! |---|---|
//! | message id, content type | the properties of these names |
//! | key | the header `stele.key`; none without a key |
//! | headers | headers of the same name, as octets |
//! | sent at | the property `timestamp`, in whole seconds |
//! | delay | the header `x-delay`, in milliseconds |

use std::time::Duration;

use bytes::Bytes;
use lapin::{
    BasicProperties,
    message::Delivery as AmqpDelivery,
    types::{AMQPValue, FieldTable},
};
use stele_toolkit_bus::{
    Clock as _, Destination, Headers, Incoming, Outgoing, SystemClock, TransportError,
};
use stele_toolkit_envelope::Timestamp;

use crate::{
    errors::refused,
    names::{Exchanges, short},
};

const KEY: &str = "stele.key";
const DELAY: &str = "x-delay";
const DELIVERY_COUNT: &str = "x-delivery-count";

/// Headers that the broker or this transport sets.
const RESERVED: [&str; 4] = [KEY, DELAY, "x-stele-delay", DELIVERY_COUNT];

/// AMQP's number for messages that are to survive a restart.
const PERSISTENT: u8 = 2;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// The properties of a message.
pub(crate) fn properties(message: &Outgoing) -> Result<BasicProperties, TransportError> {
    let mut headers = FieldTable::default();
    for (name, value) in message.headers.iter() {
        if RESERVED.contains(&name) {
            return Err(refused(format!("the header `{name}` is reserved")));
        }
        headers.insert(short(name)?, octets(value));
    }
    if !message.key.is_empty() {
        headers.insert(KEY.into(), octets(message.key.as_bytes()));
    }
    if !message.delay.is_zero() {
        headers.insert(DELAY.into(), AMQPValue::LongLongInt(millis(message.delay)));
    }
    let now = u64::try_from(SystemClock.now().as_micros()).unwrap_or(0);
    Ok(BasicProperties::default()
        .with_message_id(short(&message.message_id)?)
        .with_content_type(short(&message.content_type)?)
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(now / MICROS_PER_SECOND)
        .with_headers(headers))
}

/// A message as it came, without its body.
pub(crate) fn incoming(exchanges: &Exchanges, delivery: &AmqpDelivery, body: Bytes) -> Incoming {
    let properties = &delivery.properties;
    let text = |value: &Option<lapin::types::ShortString>| {
        value.as_ref().map(|value| value.as_str().to_owned())
    };
    let seconds = properties.timestamp().and_then(|s| i64::try_from(s).ok());
    let sent_at = seconds.and_then(|s| s.checked_mul(MICROS_PER_SECOND as i64));
    Incoming {
        to: destination(exchanges, delivery),
        key: key(properties),
        message_id: text(properties.message_id()),
        content_type: text(properties.content_type()),
        headers: headers(properties),
        body,
        sent_at: sent_at.map_or_else(|| SystemClock.now(), Timestamp::from_micros),
    }
}

fn destination(exchanges: &Exchanges, delivery: &AmqpDelivery) -> Destination {
    exchanges.destination(&delivery.exchange, delivery.routing_key.as_str())
}

/// How often a message was delivered before, if the broker counts it.
pub(crate) fn delivery_count(properties: &BasicProperties) -> Option<u32> {
    let headers = properties.headers().as_ref()?;
    let count = integer(headers.inner().get(DELIVERY_COUNT)?)?;
    u32::try_from(count).ok()
}

fn key(properties: &BasicProperties) -> String {
    let headers = properties.headers().as_ref();
    let value = headers.and_then(|headers| headers.inner().get(KEY));
    let bytes = value.and_then(readable).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn headers(properties: &BasicProperties) -> Headers {
    let table = properties.headers().iter().flat_map(FieldTable::inner);
    table
        .filter(|(name, _)| !RESERVED.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str(), readable(value)?)))
        .collect()
}

/// The octets of a value that has a readable form. What other clients send may have none.
fn readable(value: &AMQPValue) -> Option<Bytes> {
    match value {
        AMQPValue::LongString(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
        AMQPValue::ByteArray(octets) => Some(Bytes::copy_from_slice(octets.as_slice())),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned().into()),
        AMQPValue::Boolean(value) => Some(value.to_string().into()),
        AMQPValue::Timestamp(seconds) => Some(seconds.to_string().into()),
        AMQPValue::Float(number) => Some(number.to_string().into()),
        AMQPValue::Double(number) => Some(number.to_string().into()),
        AMQPValue::Void => Some(Bytes::new()),
        AMQPValue::FieldArray(_) | AMQPValue::FieldTable(_) | AMQPValue::DecimalValue(_) => None,
        number => integer(number).map(|number| number.to_string().into()),
    }
}

fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(number) => Some((*number).into()),
        AMQPValue::ShortShortUInt(number) => Some((*number).into()),
        AMQPValue::ShortInt(number) => Some((*number).into()),
        AMQPValue::ShortUInt(number) => Some((*number).into()),
        AMQPValue::LongInt(number) => Some((*number).into()),
        AMQPValue::LongUInt(number) => Some((*number).into()),
        AMQPValue::LongLongInt(number) => Some(*number),
        _ => None,
    }
}

fn octets(value: &[u8]) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// Rounded up, so that a message is never early.
fn millis(delay: Duration) -> i64 {
    let millis = delay.as_nanos().div_ceil(1_000_000);
    i64::try_from(millis).unwrap_or(i64::MAX)
}
