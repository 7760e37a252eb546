//! Appends as records.
//!
//! ```text
//!  key    BankAccount/12345
//!  value  {"expected":4,"events":[{"messageId":…},…]}       null: any version
//! ```

use serde::Deserialize;
use serde_json::value::RawValue;
use stele_toolkit_envelope::Envelope;

use crate::{Expected, StreamId};

/// An append, as it is in a record.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) stream: StreamId,
    pub(super) expected: Option<u64>,
    pub(super) events: Vec<Envelope>,
}

#[derive(Deserialize)]
struct Form<'a> {
    expected: Option<u64>,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// The value of the record of an append, whose events are JSON.
pub(super) fn encode(expected: Expected, events: &[Vec<u8>]) -> Vec<u8> {
    let expected = expected.version();
    let expected = expected.map_or_else(|| "null".to_owned(), |version| version.to_string());
    let mut body = format!("{{\"expected\":{expected},\"events\":[").into_bytes();
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(event);
    }
    body.extend_from_slice(b"]}");
    body
}

/// Reads a record. An error says what is wrong with it.
pub(super) fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Append, String> {
    let key = key.ok_or("no key")?;
    let key = str::from_utf8(key).map_err(|error| error.to_string())?;
    let value = value.ok_or("no value")?;
    let form: Form<'_> = serde_json::from_slice(value).map_err(|error| error.to_string())?;
    if form.events.is_empty() {
        return Err("no events".to_owned());
    }
    let event = |raw: &&RawValue| Envelope::decode(raw.get().as_bytes(), usize::MAX);
    let events: Result<Vec<Envelope>, _> = form.events.iter().map(event).collect();
    Ok(Append {
        stream: key.parse().map_err(|error| format!("{error}"))?,
        expected: form.expected,
        events: events.map_err(|error| error.to_string())?,
    })
}
