//! Binary mode: the data are the body, and the attributes are headers (CloudEvents Kafka binding
//! 1.0.2, section 3.2; AMQP binding 1.0.2, section 3.1).

use super::{
    attributes::{Attributes, Types, Value},
    is_json,
};
use crate::{
    Binding, DecodeError, Decoded, Envelope, Form, Key, RawJson, Reading, WireMessage, WireView,
    decode,
};

impl Binding {
    /// How the names of headers begin: as they are written, and as they are read besides.
    fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Kafka => &["ce_"],
            Self::Amqp => &["cloudEvents:", "cloudEvents_"],
        }
    }

    /// The attribute that a header holds.
    fn attribute(self, header: &str) -> Option<&str> {
        let mut prefixes = self.prefixes().iter();
        prefixes.find_map(|prefix| header.strip_prefix(prefix))
    }
}

pub(crate) fn encode(envelope: &Envelope, key: &Key, binding: Binding) -> WireMessage {
    let prefix = binding.prefixes()[0];
    let mut content_type = String::new();
    let mut headers = Vec::new();
    for (name, value) in Attributes::of(envelope, key, Types::Text).into_iter() {
        let text = match value {
            Value::Text(text) => text.into_owned(),
            Value::Json(value) => value.to_string(),
        };
        match &*name {
            "datacontenttype" => content_type = text,
            name => headers.push((format!("{prefix}{name}"), text.into_bytes())),
        }
    }
    WireMessage {
        headers,
        content_type,
        body: envelope.data.as_str().into(),
    }
}

/// Whether a message is an event in binary mode.
pub(crate) fn is(message: &WireView<'_>, binding: Binding) -> bool {
    let mut names = message.headers.iter().map(|(name, _)| name);
    names.any(|name| binding.attribute(name) == Some("specversion"))
}

pub(crate) fn decode(
    message: &WireView<'_>,
    binding: Binding,
    reading: &Reading,
) -> Result<Decoded, DecodeError> {
    let mut attributes = Attributes::default();
    let mut size_bytes = message.body.len();
    for (header, value) in &message.headers {
        let Some(name) = binding.attribute(header) else {
            continue;
        };
        size_bytes += header.len() + value.len();
        if size_bytes > reading.size_bytes_max {
            break;
        }
        let value = std::str::from_utf8(value).map_err(|error| {
            let header: String = header.chars().take(40).collect();
            DecodeError::not_utf8(&format!("header `{header}`"), error)
        })?;
        attributes.push(name, Value::Text(value.into()));
    }
    let size_bytes_max = reading.size_bytes_max;
    if size_bytes > size_bytes_max {
        return Err(DecodeError::TooLarge {
            size_bytes,
            size_bytes_max,
        });
    }
    attributes.check_version()?;
    let content_type = message.content_type();
    if let Some(other) = content_type.filter(|it| !is_json(it)) {
        return Err(DecodeError::UnsupportedEvent(format!(
            "data of type {other}"
        )));
    }
    let data = match decode::text(message.body, size_bytes_max)? {
        "" => RawJson::null(),
        text => RawJson::parse(text).map_err(|error| DecodeError::NotJson(error.to_string()))?,
    };
    let content_type = content_type.map(str::to_owned);
    let (envelope, key) = attributes.envelope(content_type, data, reading)?;
    Ok(Decoded {
        envelope,
        key,
        form: Form::Binary(binding),
    })
}
