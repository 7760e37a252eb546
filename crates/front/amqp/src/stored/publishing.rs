//! Converts published messages to records.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use stele_base_types::Timestamp;
use stele_core_broker::SCHEDULED_HEADER;
use stele_wire_amqp::{
    EncodedTable, Properties, RawProperties, ReadError, ShortOctets, Table, Value, Writer,
};
use stele_wire_batch::{BatchBuilder, Body, Error, NewRecord, RecordHeader};

use super::{BLIND_HEADER, HEADER, KEY_HEADER, RESERVED_PREFIX, VERSION, arriving::PERSISTENT};
use crate::{delay::Delay, session::content::Content};

/// The header with the types of SQS attributes that can't be inferred from their values.
const TYPES_HEADER: &str = "stele.sqs.types";

/// A message with decoded properties.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) content: Content,
    pub(crate) properties: Properties,
    /// The application's headers; empty if it sent none.
    pub(crate) headers: Table,
    /// How it is delayed, if it is.
    pub(crate) delay: Option<Delay>,
    /// The additional routing keys that consumers aren't told.
    pub(crate) blind_keys: Vec<String>,
}

impl Message {
    /// Decodes the properties.
    pub(crate) fn read(content: Content) -> Result<Self, ReadError> {
        let properties = content.properties.parse()?;
        let headers = match &properties.headers {
            Some(headers) => headers.decode()?,
            None => Table::new(),
        };
        Ok(Self {
            content,
            properties,
            headers,
            delay: None,
            blind_keys: Vec::new(),
        })
    }

    /// Whether it has to survive a crash, in a durable queue.
    pub(crate) fn is_persistent(&self) -> bool {
        self.properties.delivery_mode == Some(PERSISTENT)
    }

    /// The publisher's time to live, in milliseconds.
    fn expiry_ms(&self) -> Option<u64> {
        let expiration = self.properties.expiration.as_ref()?;
        expiration.as_text()?.parse().ok()
    }

    /// Its delay and its time to live, in milliseconds.
    pub(crate) fn times_ms(&self) -> (Option<u64>, Option<u64>) {
        match &self.delay {
            Some(delay) => delay.times_ms(self.expiry_ms()),
            None => (None, self.expiry_ms()),
        }
    }

    /// Replaces `reply-to`.
    pub(crate) fn set_reply_to(&mut self, reply_to: ShortOctets) {
        self.properties.reply_to = Some(reply_to);
        self.content.properties = self.properties.encode();
    }

    /// Removes a header.
    pub(crate) fn remove_header(&mut self, name: &str) {
        self.set_headers(|headers| headers.without(name));
    }

    /// Changes the headers.
    pub(crate) fn set_headers(&mut self, change: impl FnOnce(Table) -> Table) {
        self.headers = change(std::mem::take(&mut self.headers));
        self.properties.headers = Some(EncodedTable::from(&self.headers));
        self.content.properties = self.properties.encode();
    }

    /// The record key that the message sets: messages with the same key are in one partition, in
    /// order.
    pub(crate) fn key(&self) -> Option<&Bytes> {
        match self.headers.find(KEY_HEADER)? {
            Value::LongString(key) | Value::ByteArray(key) => Some(key),
            _ => None,
        }
    }

    /// Whether the message's key, if it sets one, is valid.
    pub(crate) fn has_good_key(&self) -> bool {
        self.key().is_some() || self.headers.find(KEY_HEADER).is_none()
    }

    /// Adds the message to a batch.
    pub(crate) fn push(&self, batch: &mut BatchBuilder, timestamp: Timestamp) -> Result<(), Error> {
        let own = self.own_header(&self.content.properties);
        let numbers = self.numbers();
        let types = if numbers.is_empty() {
            None
        } else {
            self.types()
        };
        let scheduled = self.delay.as_ref().and_then(|it| it.header(timestamp));
        let mut headers: SmallVec<[RecordHeader<'_>; 8]> = SmallVec::new();
        headers.extend(self.readable_properties());
        headers.extend(self.readable_headers(&numbers));
        if let Some(types) = &types {
            headers.push(header(TYPES_HEADER, types.as_bytes()));
        }
        if let Some(scheduled) = &scheduled {
            headers.push(header(SCHEDULED_HEADER, scheduled));
        }
        let blind = self.blind_keys.iter();
        headers.extend(blind.map(|key| header(BLIND_HEADER, key.as_bytes())));
        headers.push(header(HEADER, &own));
        batch.push(&NewRecord {
            timestamp,
            key: self.key().map(|key| &key[..]),
            value: Body::Parts(self.content.body.pieces()),
            headers: &headers,
        })
    }

    fn own_header(&self, properties: &RawProperties) -> BytesMut {
        let publish = &self.content.publish;
        let strings = publish.exchange.len() + publish.routing_key.len();
        let mut own = BytesMut::with_capacity(5 + strings + properties.list.len());
        let mut writer = Writer::new(&mut own);
        writer.u8(VERSION);
        writer.short_octets(&publish.exchange);
        writer.short_octets(&publish.routing_key);
        writer.u16(properties.flags);
        writer.raw(&properties.list);
        own
    }

    fn readable_properties(&self) -> impl Iterator<Item = RecordHeader<'_>> {
        let properties = &self.properties;
        [
            ("content-type", &properties.content_type),
            ("content-encoding", &properties.content_encoding),
            ("correlation-id", &properties.correlation_id),
            ("reply-to", &properties.reply_to),
            ("message-id", &properties.message_id),
            ("type", &properties.kind),
            ("app-id", &properties.app_id),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(header(name, value.as_ref()?.as_bytes())))
    }

    /// The types of numeric headers, as JSON in the format of SQS messages: SQS would otherwise
    /// show them as text. Names that are invalid for SQS attributes are skipped.
    fn types(&self) -> Option<String> {
        let mut types = BTreeMap::new();
        for (name, value) in self.headers.iter() {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            let name = name.as_text().unwrap_or_default();
            let is_shown = !name.is_empty() && !name.starts_with(RESERVED_PREFIX);
            if is_shown && name.bytes().all(is_allowed) {
                // SQS shows the last of several headers with one name.
                types.insert(name, value.as_integer().is_some());
            }
        }
        types.retain(|_, is_number| *is_number);
        let entries: Vec<_> = types
            .keys()
            .map(|name| format!("\"{name}\":\"Number\""))
            .collect();
        (!entries.is_empty()).then(|| format!("{{{}}}", entries.join(",")))
    }

    /// Headers whose value is text or has an obvious text. Headers whose name isn't UTF-8 are
    /// skipped, because names of record headers are text.
    fn readable_headers<'a>(
        &'a self,
        numbers: &'a [(usize, String)],
    ) -> impl Iterator<Item = RecordHeader<'a>> {
        let mut numbers = numbers.iter().peekable();
        self.headers
            .iter()
            .enumerate()
            .filter_map(move |(index, (name, value))| {
                let number = numbers.next_if(|(of, _)| *of == index);
                let name = name.as_text()?;
                if name.starts_with(RESERVED_PREFIX) {
                    return None;
                }
                match value {
                    Value::LongString(octets) => Some(header(name, octets)),
                    _ => number.map(|(_, text)| header(name, text.as_bytes())),
                }
            })
    }

    /// The texts of integers and booleans, by header position.
    fn numbers(&self) -> SmallVec<[(usize, String); 2]> {
        self.headers
            .iter()
            .enumerate()
            .filter_map(|(index, (_, value))| {
                let integer = value.as_integer().map(|integer| integer.to_string());
                let text = integer.or_else(|| value.as_bool().map(|bool| bool.to_string()));
                Some((index, text?))
            })
            .collect()
    }
}

fn header<'a>(name: &'a str, value: &'a [u8]) -> RecordHeader<'a> {
    RecordHeader {
        key: name.as_bytes(),
        value: Some(value),
    }
}
