//! How messages are stored: what is asked for in columns of its own, the body as it is, and the
//! rest as JSON, so that an operator can read it.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use stele_toolkit_bus::{Destination, Headers, Incoming, Origin};
use stele_toolkit_envelope::Timestamp;

use crate::Error;

/// `topic` or `queue`.
pub(crate) fn kind(to: &Destination) -> &'static str {
    match to {
        Destination::Topic(_) => "topic",
        Destination::Queue(_) => "queue",
    }
}

pub(crate) fn destination(kind: &str, name: String) -> Destination {
    match kind {
        "queue" => Destination::Queue(name),
        _ => Destination::Topic(name),
    }
}

/// Pairs of a name and a value: a text, or `{"base64": …}` if it isn't UTF-8.
pub(crate) fn headers_to_json(headers: &Headers) -> Value {
    let pair = |(name, value): (&str, &Bytes)| match std::str::from_utf8(value) {
        Ok(text) => json!([name, text]),
        Err(_) => json!([name, { "base64": STANDARD.encode(value) }]),
    };
    headers.iter().map(pair).collect()
}

pub(crate) fn headers_of_json(stored: &Value) -> Option<Headers> {
    let pair = |pair: &Value| {
        let name = pair.get(0)?.as_str()?.to_owned();
        let value = match pair.get(1)? {
            Value::String(text) => Bytes::from(text.clone()),
            other => STANDARD.decode(other.get("base64")?.as_str()?).ok()?.into(),
        };
        Some((name, value))
    };
    stored.as_array()?.iter().map(pair).collect()
}

/// A message as it came, without its body and its key.
pub(crate) fn incoming_to_json(message: &Incoming) -> Value {
    json!({
        "kind": kind(&message.to),
        "to": message.to.name(),
        "messageId": message.message_id,
        "contentType": message.content_type,
        "headers": headers_to_json(&message.headers),
        "sentAtMicros": message.sent_at.as_micros(),
    })
}

pub(crate) fn incoming_of_json(stored: &Value, key: String, body: Vec<u8>) -> Option<Incoming> {
    let text = |name: &str| Some(stored.get(name)?.as_str()?.to_owned());
    Some(Incoming {
        to: destination(&text("kind")?, text("to")?),
        key,
        message_id: text("messageId"),
        content_type: text("contentType"),
        headers: headers_of_json(stored.get("headers")?)?,
        body: body.into(),
        sent_at: Timestamp::from_micros(stored.get("sentAtMicros")?.as_i64()?),
    })
}

pub(crate) fn origin_to_json(origin: &Origin) -> Value {
    json!({
        "name": origin.name,
        "partition": origin.partition,
        "offset": origin.offset,
    })
}

pub(crate) fn origin_of_json(stored: &Value) -> Option<Origin> {
    Some(Origin {
        name: stored.get("name")?.as_str()?.to_owned(),
        partition: stored["partition"].as_i64().and_then(|n| n.try_into().ok()),
        offset: stored["offset"].as_u64(),
    })
}

/// A column that holds JSON, read by `read`.
pub(crate) fn column<T>(
    table: &'static str,
    text: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<T, Error> {
    let stored = serde_json::from_str(text).ok();
    stored
        .as_ref()
        .and_then(read)
        .ok_or_else(|| Error::Unreadable {
            table,
            reason: text.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were_in_order() {
        let mut headers = Headers::new();
        headers.set("traceparent", "00-ab");
        headers.set("raw", vec![0xff, 0]);
        headers.set("empty", "");
        let stored = headers_to_json(&headers);
        assert_eq!(headers_of_json(&stored), Some(headers));
        assert_eq!(headers_of_json(&json!([["name"]])), None);
    }

    #[test]
    fn messages_and_origins_come_back_as_they_were() {
        let message = Incoming {
            to: Destination::Queue("work".to_owned()),
            key: "k".to_owned(),
            message_id: None,
            content_type: Some("text/plain".to_owned()),
            headers: Headers::new(),
            body: Bytes::from_static(&[1, 0xfe]),
            sent_at: Timestamp::from_micros(5),
        };
        let stored = incoming_to_json(&message);
        let body = message.body.to_vec();
        assert_eq!(
            incoming_of_json(&stored, "k".to_owned(), body),
            Some(message)
        );
        let origin = Origin {
            name: "work".to_owned(),
            partition: Some(-1),
            offset: Some(u64::MAX),
        };
        assert_eq!(origin_of_json(&origin_to_json(&origin)), Some(origin));
        let origin = Origin::default();
        assert_eq!(origin_of_json(&origin_to_json(&origin)), Some(origin));
    }
}
