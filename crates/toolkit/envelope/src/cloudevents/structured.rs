//! Structured mode: an event as one JSON object (CloudEvents JSON format 1.0.2).

use super::{
    STRUCTURED,
    attributes::{Attributes, Types, Value},
    is_json,
};
use crate::{
    DecodeError, Decoded, Envelope, Form, Key, RawJson, Reading, WireMessage, decode, encode,
};

/// What an event needs besides its data, in bytes; a first guess.
const FRAME_SIZE_BYTES: usize = 512;

pub(crate) fn encode(envelope: &Envelope, key: &Key) -> WireMessage {
    let size_bytes = FRAME_SIZE_BYTES + envelope.data.as_str().len();
    let mut object = encode::Object::open(size_bytes);
    for (name, value) in Attributes::of(envelope, key, Types::Json).into_iter() {
        match value {
            Value::Text(text) => object.text(&name, &text),
            Value::Json(value) => object.raw(&name, &value),
        }
    }
    object.raw("data", &envelope.data);
    WireMessage {
        headers: Vec::new(),
        content_type: STRUCTURED.to_owned(),
        body: object.close(),
    }
}

pub(crate) fn decode(
    mut object: decode::Object<'_>,
    reading: &Reading,
) -> Result<Decoded, DecodeError> {
    let data = object.take("data")?;
    if object
        .take("data_base64")?
        .is_some_and(|it| it.get() != "null")
    {
        return Err(DecodeError::UnsupportedEvent("data_base64".to_owned()));
    }
    let mut attributes = Attributes::default();
    for (name, value) in object.rest().into_iter() {
        let value = match value.string() {
            Some(text) => Value::Text(text.into()),
            // An attribute that is null isn't there (section 2.2).
            None if value.as_str() == "null" => continue,
            None => Value::Json(value),
        };
        attributes.push(name, value);
    }
    attributes.check_version()?;
    let content_type = attributes.take_text("datacontenttype")?;
    if let Some(other) = content_type.as_deref().filter(|it| !is_json(it)) {
        return Err(DecodeError::UnsupportedEvent(format!(
            "data of type {other}"
        )));
    }
    let data = data.map_or_else(RawJson::null, RawJson::from);
    let (envelope, key) = attributes.envelope(content_type, data, reading)?;
    Ok(Decoded {
        envelope,
        key,
        form: Form::Structured,
    })
}
