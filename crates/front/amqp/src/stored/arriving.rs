//! Converts records to messages.

use std::borrow::Cow;

use bytes::Bytes;
use stele_base_types::Timestamp;
use stele_core_broker::Deaths;
use stele_wire_amqp::{
    EncodedTable, Properties, RawProperties, ReadError, Reader, ShortOctets, ShortString, Table,
    Value,
};
use stele_wire_batch::{Record, RecordHeader};

use super::{BLIND_HEADER, DELAYED_HEADER, HEADER, KEY_HEADER, RESERVED_PREFIX, VERSION, deaths};
use crate::{delay, octets::text_of};

/// The `delivery-mode` of messages that survive a restart.
pub(super) const PERSISTENT: u8 = 2;

/// A message for a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) exchange: ShortOctets,
    pub(crate) routing_key: ShortOctets,
    pub(crate) properties: RawProperties,
    pub(crate) body: Bytes,
}

/// The record as a message of the queue `queue`: as published if it came by AMQP, otherwise made
/// from its headers.
pub(crate) fn arrival(record: &Record, queue: &str) -> Arrival {
    let body = record.value.clone().unwrap_or_default();
    let own = record.headers.last(HEADER);
    let mut arrival = match own.map(|own| read_own(record.headers.share(own))) {
        Some(Ok((exchange, routing_key, properties))) => Arrival {
            exchange,
            routing_key,
            properties,
            body,
        },
        _ => Arrival {
            exchange: ShortOctets::EMPTY,
            routing_key: ShortString::truncated(queue).into(),
            properties: made_of_headers(record).encode(),
            body,
        },
    };
    if let Some(deaths) = Deaths::of(record) {
        let was_delayed = record.headers.last(DELAYED_HEADER).is_some();
        arrival.die(&deaths, was_delayed);
    }
    arrival
}

impl Arrival {
    /// Makes it the dead letter that it is, which an exchange may have delayed.
    fn die(&mut self, deaths: &Deaths, was_delayed: bool) {
        let Ok(mut properties) = self.properties.parse() else {
            return;
        };
        deaths::show(deaths, &mut properties);
        if was_delayed {
            let headers = properties.headers.as_ref();
            let headers = headers.and_then(|headers| headers.decode().ok());
            let headers = delay::delayed_by_exchange(headers.unwrap_or_default());
            properties.headers = Some(EncodedTable::from(&headers));
        }
        self.properties = properties.encode();
        self.exchange = ShortString::truncated(&deaths.exchange).into();
        if deaths.is_readdressed
            && let Some(key) = deaths.routing_keys.first()
        {
            self.routing_key = ShortString::truncated(key).into();
        }
    }

    /// Adds how often it was delivered before (`x-delivery-count`), whatever its publisher said.
    pub(crate) fn count_deliveries(&mut self, deliveries: u32) {
        const COUNT: &str = "x-delivery-count";
        let before = i64::from(deliveries.saturating_sub(1));
        let Ok(mut properties) = self.properties.parse() else {
            return;
        };
        let headers = properties.headers.as_ref();
        let headers = headers.and_then(|headers| headers.decode().ok());
        let headers = headers.unwrap_or_default().without(COUNT);
        let headers = headers.with(COUNT, Value::Int64(before));
        properties.headers = Some(EncodedTable::from(&headers));
        self.properties = properties.encode();
    }
}

/// The additional routing keys of a record that its consumers aren't told. They no longer apply
/// after a queue has given the message a key of its own.
pub(crate) fn blind_keys(record: &Record) -> Vec<String> {
    let headers = record.headers.iter();
    let blind = headers.filter(|header| header.key == BLIND_HEADER.as_bytes());
    let keys: Vec<_> = blind
        .filter_map(|header| header.value.map(text_of))
        .collect();
    if keys.is_empty() || Deaths::of(record).is_some_and(|deaths| deaths.is_readdressed) {
        return Vec::new();
    }
    keys.into_iter().map(Cow::into_owned).collect()
}

/// When the message expires by its publisher's `expiration`.
pub(crate) fn expires_at(properties: &RawProperties, published: Timestamp) -> Option<Timestamp> {
    const EXPIRATION: u16 = 1 << 8;
    if properties.flags & EXPIRATION == 0 {
        return None;
    }
    let properties = properties.parse().ok()?;
    let lifetime_ms: u64 = properties.expiration?.as_text()?.parse().ok()?;
    // The time of a delayed message begins with its delay's end.
    let headers = properties.headers.and_then(|headers| headers.decode().ok());
    let waited_ms = headers.map_or(0, |headers| delay::waited_ms(&headers));
    Some(published.plus_ms(lifetime_ms.saturating_add(waited_ms)))
}

type Own = (ShortOctets, ShortOctets, RawProperties);

fn read_own(own: Bytes) -> Result<Own, ReadError> {
    let mut reader = Reader::new(own);
    let version = reader.u8()?;
    if version != VERSION {
        return Err(ReadError::FieldType(version));
    }
    let (exchange, routing_key) = (reader.short_octets()?, reader.short_octets()?);
    let flags = reader.u16()?;
    let list = reader.rest().clone();
    let properties = RawProperties { flags, list };
    // A forged header must not reach a client that would fail on it.
    properties.parse()?;
    Ok((exchange, routing_key, properties))
}

fn made_of_headers(record: &Record) -> Properties {
    let mut properties = Properties {
        delivery_mode: Some(PERSISTENT),
        timestamp: u64::try_from(record.timestamp.0 / 1000).ok(),
        ..Properties::default()
    };
    let mut headers = Table::new();
    if let Some(key) = &record.key {
        headers.push(ShortOctets::from_static(KEY_HEADER), value_of(key));
    }
    for header in record.headers.iter() {
        let Some(name) = short(header.key) else {
            continue;
        };
        if name.starts_with(RESERVED_PREFIX) {
            continue;
        }
        if !set_property(&mut properties, &name, &header) {
            headers.push(name.into(), header.value.map_or(Value::Void, value_of));
        }
    }
    if !headers.is_empty() {
        properties.headers = Some(EncodedTable::from(&headers));
    }
    properties
}

/// Sets the property that a header of this name stands for; false if there is none or the value
/// doesn't fit.
fn set_property(properties: &mut Properties, name: &str, header: &RecordHeader<'_>) -> bool {
    let property = match name {
        "content-type" => &mut properties.content_type,
        "content-encoding" => &mut properties.content_encoding,
        "correlation-id" => &mut properties.correlation_id,
        "reply-to" => &mut properties.reply_to,
        "message-id" => &mut properties.message_id,
        "type" => &mut properties.kind,
        "app-id" => &mut properties.app_id,
        _ => return false,
    };
    let Some(value) = header.value.and_then(short) else {
        return false;
    };
    *property = Some(value.into());
    true
}

fn short(octets: &[u8]) -> Option<ShortString> {
    ShortString::from_bytes(Bytes::copy_from_slice(octets)).ok()
}

/// Text if the bytes are valid text, otherwise bytes.
fn value_of(octets: &[u8]) -> Value {
    let bytes = Bytes::copy_from_slice(octets);
    match std::str::from_utf8(octets) {
        Ok(_) => Value::LongString(bytes),
        Err(_) => Value::ByteArray(bytes),
    }
}
