//! Reading an envelope.
//!
//! An object is first split into its fields, whose values stay text, and then each is read by
//! itself, so that an error names its field. Neither step is recursive in the depth of the text.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{DecodeError, Envelope, Fields, Metadata, RawJson, Trace, limits::NAME_BYTES_MAX};

impl Envelope {
    /// Reads an envelope of at most `size_bytes_max` bytes: JSON with the fields that are shown at
    /// [`Envelope`], which are all required but for `metadata`. [`WireView::decode`] reads
    /// CloudEvents too.
    ///
    /// [`WireView::decode`]: crate::WireView::decode
    pub fn decode(body: &[u8], size_bytes_max: usize) -> Result<Self, DecodeError> {
        from_object(object(body, size_bytes_max)?)
    }
}

/// The fields of a body that has to be a JSON object.
pub(crate) fn object(body: &[u8], size_bytes_max: usize) -> Result<Object<'_>, DecodeError> {
    Object::of(text(body, size_bytes_max)?)
}

/// The fields of a text that has to be a JSON object.
pub(crate) fn fields(text: &str) -> Result<Fields, DecodeError> {
    Object::of(text).map(Object::rest)
}

/// A body that has to be text.
pub(crate) fn text(body: &[u8], size_bytes_max: usize) -> Result<&str, DecodeError> {
    if body.len() > size_bytes_max {
        return Err(DecodeError::TooLarge {
            size_bytes: body.len(),
            size_bytes_max,
        });
    }
    std::str::from_utf8(body).map_err(|error| DecodeError::not_utf8("the body", error))
}

/// The envelope with these fields.
pub(crate) fn from_object(mut fields: Object<'_>) -> Result<Envelope, DecodeError> {
    Ok(Envelope {
        message_id: fields.required_name("messageId")?,
        message_type: fields.required_name("type")?,
        version: fields.required("version")?,
        timestamp: fields.required("timestamp")?,
        source: fields.required_name("source")?,
        correlation_id: fields.required_name("correlationId")?,
        data: fields
            .take("data")?
            .ok_or(DecodeError::MissingField("data"))?
            .into(),
        metadata: metadata(fields.take("metadata")?)?,
        unknown: fields.rest(),
    })
}

fn metadata(value: Option<&RawValue>) -> Result<Metadata, DecodeError> {
    let Some(value) = value.filter(|value| value.get() != "null") else {
        return Ok(Metadata::default());
    };
    let mut fields = Object::of(value.get())
        .map_err(|_| DecodeError::invalid("metadata", "not an object"))?
        .within("metadata.");
    let trace_id: Option<String> = fields.optional("traceId")?;
    let traceparent: Option<String> = fields.optional("traceparent")?;
    let tracestate: Option<String> = fields.optional("tracestate")?;
    Ok(Metadata {
        trace: Trace::of(
            trace_id.as_deref(),
            traceparent.as_deref(),
            tracestate.as_deref(),
        ),
        user_id: fields.optional("userId")?,
        causation_id: fields.optional("causationId")?,
        sequence: fields.optional("sequence")?,
        reply_to: fields.optional("replyTo")?,
        unknown: fields.rest(),
    })
}

/// The fields of an object that haven't been taken yet, in order.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    fields: Vec<Option<(String, &'a RawValue)>>,
    prefix: &'static str,
}

impl<'a> Object<'a> {
    fn of(text: &'a str) -> Result<Self, DecodeError> {
        serde_json::from_str(text).map_err(|error| {
            if error.is_data() {
                DecodeError::NotAnObject
            } else {
                DecodeError::NotJson(error.to_string())
            }
        })
    }

    /// The same object, whose fields have names behind `prefix` in errors.
    fn within(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// Whether there is a field of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().flatten().any(|(known, _)| known == name)
    }

    /// Takes a field out.
    pub(crate) fn take(&mut self, name: &'static str) -> Result<Option<&'a RawValue>, DecodeError> {
        let mut found = None;
        for slot in &mut self.fields {
            if slot.as_ref().is_some_and(|(known, _)| known == name) {
                if found.is_some() {
                    return Err(DecodeError::RepeatedField(name));
                }
                found = slot.take().map(|(_, value)| value);
            }
        }
        Ok(found)
    }

    /// Takes and reads a field; `null` is none.
    pub(crate) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        let Some(value) = self.take(name)? else {
            return Ok(None);
        };
        serde_json::from_str(value.get()).map_err(|error| {
            let error = error.to_string();
            // The position is that in the value, which helps nobody.
            let problem = error.split(" at line ").next().unwrap_or(&error);
            DecodeError::invalid(&format!("{}{name}", self.prefix), problem)
        })
    }

    /// Takes and reads a field that has to be there.
    pub(crate) fn required<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
    ) -> Result<T, DecodeError> {
        self.optional(name)?.ok_or(DecodeError::MissingField(name))
    }

    /// Takes a field that has to be there and to be a name.
    pub(crate) fn required_name(&mut self, name: &'static str) -> Result<String, DecodeError> {
        let text: String = self.required(name)?;
        checked_name(name, text)
    }

    /// The fields that are left.
    pub(crate) fn rest(self) -> Fields {
        let mut rest = Fields::new();
        for (name, value) in self.fields.into_iter().flatten() {
            rest.push(name, RawJson::from(value));
        }
        rest
    }
}

/// A text that identifies something.
pub(crate) fn checked_name(field: &'static str, text: String) -> Result<String, DecodeError> {
    match text.len() {
        0 => Err(DecodeError::invalid(field, "empty")),
        1..=NAME_BYTES_MAX => Ok(text),
        length => {
            let problem = format!("{length} bytes, more than {NAME_BYTES_MAX}");
            Err(DecodeError::invalid(field, problem))
        }
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;

        impl<'de> Visitor<'de> for FieldVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(Some(field));
                }
                Ok(Object { fields, prefix: "" })
            }
        }

        deserializer.deserialize_map(FieldVisitor)
    }
}
