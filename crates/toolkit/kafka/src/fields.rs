//! Messages as Kafka carries them.

use bytes::Bytes;
use rdkafka::{
    Message as _,
    message::{BorrowedMessage, Header, Headers as _, OwnedHeaders},
};
use stele_toolkit_bus::{
    Clock as _, Destination, Headers, Incoming, Outgoing, SystemClock, TransportError,
};
use stele_toolkit_envelope::Timestamp;

use crate::errors::refused;

const MESSAGE_ID: &str = "message-id";
const CONTENT_TYPE: &str = "content-type";

/// What Stele adds for other protocols begins so.
const OF_BROKER: &str = "stele.";

const MICROS_PER_MILLI: i64 = 1000;

/// The headers of a record.
pub(crate) fn record_headers(message: &Outgoing) -> Result<OwnedHeaders, TransportError> {
    let headers = OwnedHeaders::new()
        .insert(header(MESSAGE_ID, message.message_id.as_bytes()))
        .insert(header(CONTENT_TYPE, message.content_type.as_bytes()));
    message
        .headers
        .iter()
        .try_fold(headers, |headers, (name, value)| match is_reserved(name) {
            true => Err(refused(format!("the header `{name}` is reserved"))),
            false => Ok(headers.insert(header(name, value))),
        })
}

fn header<'a>(key: &'a str, value: &'a [u8]) -> Header<'a, &'a [u8]> {
    let value = Some(value);
    Header { key, value }
}

fn is_reserved(name: &str) -> bool {
    name == MESSAGE_ID || name == CONTENT_TYPE || name.starts_with(OF_BROKER)
}

/// A record as a message. `to` makes its destination of the topic's name.
pub(crate) fn incoming(
    record: &BorrowedMessage<'_>,
    to: impl FnOnce(String) -> Destination,
) -> Incoming {
    let mut message = Incoming {
        to: to(record.topic().to_owned()),
        key: String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned(),
        message_id: None,
        content_type: None,
        headers: Headers::new(),
        body: Bytes::copy_from_slice(record.payload().unwrap_or_default()),
        sent_at: sent_at(record),
    };
    for Header { key, value } in record.headers().iter().flat_map(|headers| headers.iter()) {
        let value = value.unwrap_or_default();
        let text = || String::from_utf8_lossy(value).into_owned();
        match key {
            MESSAGE_ID => message.message_id = Some(text()),
            CONTENT_TYPE => message.content_type = Some(text()),
            name if name.starts_with(OF_BROKER) => {}
            name => message.headers.set(name, Bytes::copy_from_slice(value)),
        }
    }
    message
}

fn sent_at(record: &BorrowedMessage<'_>) -> Timestamp {
    let millis = record.timestamp().to_millis();
    let micros = millis.and_then(|millis| millis.checked_mul(MICROS_PER_MILLI));
    micros.map_or_else(|| SystemClock.now(), Timestamp::from_micros)
}
