//! Messages as SQS carries them.
//!
//! | field | in SQS |
//! |---|---|
//! | body | the body, if it is a text that SQS takes; else its base64, or `-` for nothing |
//! | message id, content type | the attributes `message-id` and `content-type` |
//! | headers | attributes of their names, as far as ten suffice; the others in `stele-fields` |
//! | destination, key, how the body is written | `stele-fields`, JSON |

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{
    Clock as _, Destination, Headers, Incoming, Outgoing, SystemClock, TransportError,
};
use stele_toolkit_envelope::Timestamp;

use crate::{
    attributes::{Attribute, is_name, is_text, octets},
    errors::refused,
    names::id,
};

const MESSAGE_ID: &str = "message-id";
const CONTENT_TYPE: &str = "content-type";
const FIELDS: &str = "stele-fields";

/// How Stele tells that it wrote a body in base64 which came by another protocol.
const BODY_ENCODING: &str = "stele.body-encoding";

/// SQS takes ten attributes; three are those above.
const HEADER_ATTRIBUTES_MAX: usize = 7;

const MICROS_PER_MILLI: i64 = 1000;

/// What has no attribute of its own.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<To>,
    /// If the MessageGroupId doesn't tell it. Empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Encoding>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum To {
    Topic(String),
    Queue(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Base64,
    Empty,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Value {
    Text(String),
    Base64(String),
}

/// A message as it is sent, to one queue or to several.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) body: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) size_bytes: usize,
    pub(crate) group: String,
    pub(crate) deduplication: String,
}

/// Encodes a message.
pub(crate) fn encode(message: &Outgoing, is_fifo: bool) -> Result<Encoded, TransportError> {
    let (body, encoding) = encoded_body(&message.body);
    let group = id(match message.key.as_str() {
        "" => &message.message_id,
        key => key,
    });
    let key = (!is_fifo || message.key != group).then(|| message.key.clone());
    let mut fields = Fields {
        to: Some(match message.to.clone() {
            Destination::Topic(name) => To::Topic(name),
            Destination::Queue(name) => To::Queue(name),
        }),
        key,
        body: encoding,
        headers: BTreeMap::new(),
    };
    let mut attributes = Vec::new();
    for (name, value) in [
        (MESSAGE_ID, &message.message_id),
        (CONTENT_TYPE, &message.content_type),
    ] {
        if !value.is_empty() {
            attributes.push(Attribute::new(name, value.as_bytes())?);
        }
    }
    let mut room = HEADER_ATTRIBUTES_MAX;
    for (name, value) in message.headers.iter() {
        let is_reserved = [MESSAGE_ID, CONTENT_TYPE, FIELDS].contains(&name);
        if is_reserved || !is_name(name) || value.is_empty() || room == 0 {
            fields.headers.insert(name.to_owned(), folded(value));
        } else {
            attributes.push(Attribute::new(name, value)?);
            room -= 1;
        }
    }
    let fields = serde_json::to_vec(&fields).map_err(|error| refused(error.to_string()))?;
    attributes.push(Attribute::new(FIELDS, &fields)?);
    let of_attributes = attributes.iter().map(|attribute| attribute.size_bytes);
    Ok(Encoded {
        size_bytes: body.len() + of_attributes.sum::<usize>(),
        body,
        attributes,
        group,
        deduplication: id(&message.message_id),
    })
}

fn encoded_body(body: &Bytes) -> (String, Option<Encoding>) {
    match std::str::from_utf8(body) {
        _ if body.is_empty() => ("-".to_owned(), Some(Encoding::Empty)),
        Ok(text) if is_text(body) => (text.to_owned(), None),
        _ => (BASE64_STANDARD.encode(body), Some(Encoding::Base64)),
    }
}

fn folded(value: &Bytes) -> Value {
    match std::str::from_utf8(value) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Base64(BASE64_STANDARD.encode(value)),
    }
}

/// A message as it came, of a queue of this name.
pub(crate) fn decode(queue: &str, message: &Message) -> Incoming {
    let mut fields = Fields::default();
    let (mut message_id, mut content_type) = (None, None);
    let (mut headers, mut encoding) = (Headers::new(), None);
    for (name, attribute) in message.message_attributes().into_iter().flatten() {
        let value = octets(attribute).unwrap_or_default();
        let text = || String::from_utf8_lossy(value).into_owned();
        match name.as_str() {
            MESSAGE_ID => message_id = Some(text()),
            CONTENT_TYPE => content_type = Some(text()),
            BODY_ENCODING if value == b"base64" => encoding = Some(Encoding::Base64),
            // Another application's attribute of this name is a header.
            FIELDS => match serde_json::from_slice(value) {
                Ok(known) => fields = known,
                Err(_) => headers.set(FIELDS, Bytes::copy_from_slice(value)),
            },
            _ => headers.set(name.as_str(), Bytes::copy_from_slice(value)),
        }
    }
    for (name, value) in fields.headers {
        if let Some(value) = unfolded(value) {
            headers.set(name, value);
        }
    }
    let group = system(message, &System::MessageGroupId);
    Incoming {
        to: match fields.to {
            Some(To::Topic(name)) => Destination::Topic(name),
            Some(To::Queue(name)) => Destination::Queue(name),
            None => Destination::Queue(queue.to_owned()),
        },
        key: fields
            .key
            .or_else(|| group.map(str::to_owned))
            .unwrap_or_default(),
        message_id,
        content_type,
        headers,
        body: decoded_body(message.body(), fields.body.or(encoding)),
        sent_at: sent_at(message),
    }
}

fn decoded_body(body: Option<&str>, encoding: Option<Encoding>) -> Bytes {
    let body = body.unwrap_or_default();
    let decoded = match encoding {
        Some(Encoding::Empty) => Some(Vec::new()),
        Some(Encoding::Base64) => BASE64_STANDARD.decode(body).ok(),
        None => None,
    };
    decoded.unwrap_or_else(|| body.as_bytes().to_vec()).into()
}

fn unfolded(value: Value) -> Option<Bytes> {
    match value {
        Value::Text(text) => Some(text.into()),
        Value::Base64(text) => BASE64_STANDARD.decode(text).ok().map(Bytes::from),
    }
}

fn sent_at(message: &Message) -> Timestamp {
    let millis = system(message, &System::SentTimestamp).and_then(|text| text.parse::<i64>().ok());
    let micros = millis.and_then(|millis| millis.checked_mul(MICROS_PER_MILLI));
    micros.map_or_else(|| SystemClock.now(), Timestamp::from_micros)
}

/// How often the message was received, this time included.
pub(crate) fn receive_count(message: &Message) -> Option<u32> {
    system(message, &System::ApproximateReceiveCount)?
        .parse()
        .ok()
}

/// A message's group.
pub(crate) fn group(message: &Message) -> Option<String> {
    system(message, &System::MessageGroupId).map(str::to_owned)
}

fn system<'a>(message: &'a Message, name: &System) -> Option<&'a str> {
    let attributes = message.attributes()?;
    attributes.get(name).map(String::as_str)
}
