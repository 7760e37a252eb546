//! The forms that an envelope has on the wire.

use crate::{
    DecodeError, Envelope, Key, Timestamp,
    cloudevents::{self, binary, structured},
    decode,
};

/// A form that an envelope has on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The envelope's own JSON: [`Envelope::encode`]. The key isn't in it.
    #[default]
    Plain,
    /// CloudEvents in structured mode: the body is the whole event as JSON. The form for SQS, where
    /// binary mode has no binding, and a message can't have as many attributes as it needs.
    Structured,
    /// CloudEvents in binary mode: the body is `data`, and everything else is in headers.
    Binary(Binding),
}

/// How the headers of CloudEvents in binary mode are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Kafka's record headers: `ce_id`.
    Kafka,
    /// AMQP's application properties: `cloudEvents:id`; `cloudEvents_id` is read too. There is a
    /// binding for AMQP 1.0 alone; in AMQP 0-9-1 they are headers, which bridges turn into these.
    Amqp,
}

/// A message as a transport carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireMessage {
    /// The headers, all of them UTF-8.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The media type of the body. Where the transport has no place for it, it goes into a header:
    /// `content-type` in Kafka, the attribute `contenttype` in SQS.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl WireMessage {
    /// A view of the message, which can be decoded.
    pub fn view(&self) -> WireView<'_> {
        let headers = self.headers.iter();
        WireView {
            headers: headers
                .map(|(name, value)| (name.as_str(), value.as_slice()))
                .collect(),
            content_type: Some(&self.content_type),
            body: &self.body,
        }
    }
}

/// A message as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireView<'a> {
    /// The headers; their values needn't be text.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The media type, if it was told outside the headers.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// How a message is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The most bytes of the body, with the headers of a CloudEvent in binary mode.
    pub size_bytes_max: usize,
    /// When the message came: the time of a CloudEvent that tells none.
    pub received_at: Timestamp,
}

/// A message that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The envelope.
    pub envelope: Envelope,
    /// The key that the message itself tells, which only CloudEvents do.
    pub key: Key,
    /// The form that it had.
    pub form: Form,
}

impl Envelope {
    /// The envelope in one of its forms.
    pub fn to_wire(&self, key: &Key, form: Form) -> WireMessage {
        match form {
            Form::Plain => WireMessage {
                headers: Vec::new(),
                content_type: cloudevents::JSON.to_owned(),
                body: self.encode(),
            },
            Form::Structured => structured::encode(self, key),
            Form::Binary(binding) => binary::encode(self, key, binding),
        }
    }
}

impl WireView<'_> {
    /// Reads an envelope in any of its forms. The form is told by the content type, by a header
    /// that names the version of CloudEvents, or by the fields of the body.
    pub fn decode(&self, reading: &Reading) -> Result<Decoded, DecodeError> {
        let content_type = self.media_type().unwrap_or_default();
        if let Some(kind) = strip_prefix(content_type, cloudevents::FAMILY) {
            return match kind {
                "+json" => self.structured(reading),
                _ => Err(DecodeError::UnsupportedEvent(content_type.to_owned())),
            };
        }
        let bindings = [Binding::Kafka, Binding::Amqp];
        if let Some(binding) = bindings.into_iter().find(|it| binary::is(self, *it)) {
            return binary::decode(self, binding, reading);
        }
        let object = decode::object(self.body, reading.size_bytes_max)?;
        if object.has("specversion") && !object.has("messageId") {
            return structured::decode(object, reading);
        }
        Ok(Decoded {
            envelope: decode::from_object(object)?,
            key: Key::none(),
            form: Form::Plain,
        })
    }

    fn structured(&self, reading: &Reading) -> Result<Decoded, DecodeError> {
        let object = decode::object(self.body, reading.size_bytes_max)?;
        structured::decode(object, reading)
    }

    /// The content type without parameters.
    fn media_type(&self) -> Option<&str> {
        let content_type = self.content_type();
        content_type.map(|it| it.split(';').next().unwrap_or(it).trim())
    }

    /// The content type, from wherever it is told.
    pub(crate) fn content_type(&self) -> Option<&str> {
        let in_headers = || {
            let named = |(name, _): &&(&str, _)| {
                name.eq_ignore_ascii_case("content-type") || *name == "contenttype"
            };
            let (_, value) = self.headers.iter().find(named)?;
            std::str::from_utf8(value).ok()
        };
        self.content_type.or_else(in_headers)
    }
}

/// What follows a prefix, whatever the prefix's case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}
