//! Converts messages to records and back (`docs/protocols/mapping.md`).
//!
//! | SQS | record |
//! |---|---|
//! | body | value |
//! | `MessageGroupId` | key |
//! | attribute | header of its name: text as UTF-8, binary as it is |
//! | an attribute's type, if its value doesn't imply it | in the header `stele.sqs.types` |
//! | `MessageDeduplicationId`, `AWSTraceHeader`, sender | headers `stele.sqs.…` |
//!
//! On reading, a header whose name SQS allows becomes an attribute: `String` if its value is text,
//! otherwise `Binary`, unless `stele.sqs.types` gives another type. The history of AMQP's dead
//! letters is the attribute `x-death`. So a message from SQS loses nothing, and a message from
//! another protocol shows as much as SQS can show.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use stele_core_broker::{DEATHS_HEADER, Death, Deaths, name_of};
use stele_core_engine::DeathReason;
use stele_wire_batch::{Headers, Record};
use stele_wire_sqs::{
    AttributeInput, AttributeValue, Error, ErrorKind, MessageAttribute, is_message_text,
    limits::MESSAGE_ATTRIBUTES_MAX,
};

/// The prefix of Stele's own headers.
const RESERVED: &str = "stele.";
/// The types of attributes that can't be inferred from their values: a JSON object of names and
/// types.
const TYPES: &str = "stele.sqs.types";
const DEDUPLICATION_ID: &str = "stele.sqs.deduplication-id";
const TRACE: &str = "stele.sqs.trace";
const SENDER: &str = "stele.sqs.sender";
/// The attribute for the encoding in which a body is shown, because SQS transfers only text.
const BODY_ENCODING: &str = "stele.body-encoding";

/// The attribute with the history of a dead letter, named as AMQP's header.
const HISTORY: &str = "x-death";
/// A header of every message from AMQP.
const AMQP: &str = "stele.amqp";

/// The headers of a message to be stored.
#[derive(Debug, Default)]
pub(crate) struct NewHeaders(Vec<(String, Bytes)>);

/// The stored fields of a message besides body and attributes.
#[derive(Debug, Default)]
pub(crate) struct SystemFields<'a> {
    pub(crate) deduplication_id: Option<&'a str>,
    pub(crate) trace: Option<&'a str>,
    pub(crate) sender: Option<&'a str>,
}

/// A record as an SQS message.
#[derive(Debug, PartialEq)]
pub(crate) struct StoredMessage {
    pub(crate) body: String,
    pub(crate) attributes: Vec<(String, MessageAttribute)>,
    pub(crate) group_id: Option<String>,
    pub(crate) deduplication_id: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) sender: Option<String>,
}

impl NewHeaders {
    pub(crate) fn new(
        attributes: &[(String, MessageAttribute)],
        system: &SystemFields<'_>,
    ) -> Self {
        let mut headers = Vec::with_capacity(attributes.len() + 1);
        let mut types = BTreeMap::new();
        for (name, attribute) in attributes {
            let value = match &attribute.value {
                AttributeValue::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                AttributeValue::Binary(bytes) => bytes.clone(),
            };
            if attribute.data_type != shown_type(&value) {
                types.insert(name.as_str(), attribute.data_type.as_str());
            }
            headers.push((name.clone(), value));
        }
        if !types.is_empty() {
            let json = serde_json::to_vec(&types).expect("a map of texts is JSON");
            headers.push((TYPES.to_owned(), Bytes::from(json)));
        }
        let fields = [
            (DEDUPLICATION_ID, system.deduplication_id),
            (TRACE, system.trace),
            (SENDER, system.sender),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                headers.push((name.to_owned(), Bytes::copy_from_slice(value.as_bytes())));
            }
        }
        Self(headers)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_ref()))
    }
}

impl StoredMessage {
    /// Converts a record.
    pub(crate) fn of(record: &Record) -> Self {
        let mut attributes = Vec::new();
        let body = match text_of(record.value.as_deref().unwrap_or_default()) {
            Ok(body) => body.to_owned(),
            Err(bytes) => {
                let encoding = MessageAttribute {
                    data_type: "String".to_owned(),
                    value: AttributeValue::Text("base64".to_owned()),
                };
                attributes.push((BODY_ENCODING.to_owned(), encoding));
                BASE64.encode(bytes)
            }
        };
        append_attributes(&record.headers, &mut attributes);
        append_history(record, &mut attributes);
        let field = |name: &str| {
            let value = record.headers.last(name)?;
            text_of(value).ok().map(str::to_owned)
        };
        Self {
            body,
            attributes,
            group_id: record.key.as_deref().and_then(group_of),
            deduplication_id: field(DEDUPLICATION_ID),
            trace: field(TRACE),
            sender: field(SENDER),
        }
    }
}

/// Refuses an attribute with the name of one of Stele's own headers.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    if name.starts_with(RESERVED) && name != BODY_ENCODING {
        let message = format!("Message attribute names beginning with '{RESERVED}' are reserved.");
        return Err(Error::new(ErrorKind::InvalidParameterValue, message));
    }
    Ok(())
}

/// The attributes from headers: the last of those with the same name, and at most ten in all.
fn append_attributes(headers: &Headers, attributes: &mut Vec<(String, MessageAttribute)>) {
    let types: BTreeMap<String, String> = headers
        .last(TYPES)
        .and_then(|json| serde_json::from_slice(json).ok())
        .unwrap_or_default();
    for header in headers.iter() {
        let (Ok(name), Some(value)) = (std::str::from_utf8(header.key), header.value) else {
            continue;
        };
        if check_name(name).is_err() {
            continue;
        }
        let data_type = types
            .get(name)
            .map_or_else(|| shown_type(value), String::as_str);
        let value = headers.share(value);
        let Some(attribute) = attribute_of(name, data_type, value) else {
            continue;
        };
        if let Some((_, earlier)) = attributes.iter_mut().find(|(known, _)| known == name) {
            *earlier = attribute;
        } else if attributes.len() < MESSAGE_ATTRIBUTES_MAX {
            attributes.push((name.to_owned(), attribute));
        }
    }
}

/// Shows the history of a message that AMQP has dead-lettered or published. As in AWS, others have
/// no such attribute.
fn append_history(record: &Record, attributes: &mut Vec<(String, MessageAttribute)>) {
    let Some(history) = record.headers.last(DEATHS_HEADER) else {
        return;
    };
    let by_policy = |death: &Death| {
        let died = &death.died;
        died.reason == name_of(DeathReason::Deliveries) && died.exchange.is_empty()
    };
    let is_of_amqp = record.headers.last(AMQP).is_some()
        || Deaths::of(record).is_some_and(|deaths| !deaths.deaths.iter().all(by_policy));
    let is_new = attributes.iter().all(|(name, _)| name != HISTORY);
    if is_of_amqp && is_new && attributes.len() < MESSAGE_ATTRIBUTES_MAX {
        let history = Bytes::copy_from_slice(history);
        let attribute = attribute_of(HISTORY, "String", history);
        attributes.extend(attribute.map(|attribute| (HISTORY.to_owned(), attribute)));
    }
}

fn attribute_of(name: &str, data_type: &str, value: Bytes) -> Option<MessageAttribute> {
    let mut input = AttributeInput {
        data_type: Some(data_type.to_owned()),
        ..AttributeInput::default()
    };
    if data_type.starts_with("Binary") {
        input.binary = Some(value);
    } else {
        input.text = Some(String::from_utf8(value.to_vec()).ok()?);
    }
    MessageAttribute::from_input(name, input).ok()
}

/// The type inferred from a value.
fn shown_type(value: &[u8]) -> &'static str {
    if text_of(value).is_ok() {
        "String"
    } else {
        "Binary"
    }
}

fn text_of(value: &[u8]) -> Result<&str, &[u8]> {
    match std::str::from_utf8(value) {
        Ok(text) if is_message_text(text) => Ok(text),
        _ => Err(value),
    }
}

/// The group that a key names, if it is valid as one.
fn group_of(key: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(key).ok()?;
    crate::outgoing::is_fifo_id(text).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
