//! The attributes of an event, and what they are in an envelope.

use std::borrow::Cow;

use super::{JSON, is_json};
use crate::{
    DecodeError, Envelope, Fields, Key, Metadata, RawJson, Reading, Trace, Version,
    decode::checked_name,
    encode::Object,
    fields::{ENVELOPE_FIELDS, METADATA_FIELDS},
};

const SPEC_VERSION: &str = "1.0";
const METADATA: &str = "envelopemeta";
const ENVELOPE: &str = "envelopefields";
const CONTENT_TYPE: &str = "datacontenttype";
const SUBJECT: &str = "subject";

/// The field of `metadata` for a `sequence` that isn't a number.
const FOREIGN_SEQUENCE: &str = "eventsequence";

/// Names that a field of `metadata` can't have as an attribute, because they mean something else.
const RESERVED: [&str; 20] = [
    "specversion",
    "id",
    "source",
    "type",
    "time",
    SUBJECT,
    CONTENT_TYPE,
    "data",
    "eventversion",
    "correlationid",
    "causationid",
    "userid",
    "traceparent",
    "tracestate",
    "traceid",
    "partitionkey",
    "sequence",
    "replyto",
    METADATA,
    ENVELOPE,
];

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A string, or a type that is written as one.
    Text(Cow<'a, str>),
    /// A boolean or an integer, as JSON.
    Json(RawJson),
}

/// Attributes that are being read, or are to be written, in order.
#[derive(Debug, Default)]
pub(crate) struct Attributes<'a>(Vec<Option<(Cow<'a, str>, Value<'a>)>>);

/// Whether the form has attributes that aren't text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    /// Only text, as in headers.
    Text,
    /// Booleans and integers too, as in JSON.
    Json,
}

impl<'a> Attributes<'a> {
    /// The attributes of an envelope.
    pub(crate) fn of(envelope: &'a Envelope, key: &'a Key, types: Types) -> Self {
        let mut all = Self::default();
        all.text("specversion", SPEC_VERSION);
        all.text("id", &*envelope.message_id);
        all.text("source", &*envelope.source);
        all.text("type", &*envelope.message_type);
        all.text("time", envelope.timestamp.to_string());
        let metadata = &envelope.metadata;
        all.optional(SUBJECT, subject(metadata, key));
        all.text(CONTENT_TYPE, content_type(metadata));
        all.text("eventversion", envelope.version.to_string());
        all.text("correlationid", &*envelope.correlation_id);
        all.metadata(metadata);
        all.optional(
            "partitionkey",
            Some(key.as_str().into()).filter(|_| !key.is_none()),
        );
        all.fields(metadata, key, types);
        all.rest(ENVELOPE, envelope.unknown.iter().collect());
        all
    }

    /// Adds an attribute.
    pub(crate) fn push(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        self.0.push(Some((name.into(), value)));
    }

    fn text(&mut self, name: &'static str, value: impl Into<Cow<'a, str>>) {
        self.push(name, Value::Text(value.into()));
    }

    fn optional(&mut self, name: &'static str, value: Option<Cow<'a, str>>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn metadata(&mut self, metadata: &'a Metadata) {
        let borrowed = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        self.optional("causationid", borrowed(&metadata.causation_id));
        self.optional("userid", borrowed(&metadata.user_id));
        match &metadata.trace {
            Trace::None => {}
            Trace::Text(id) => self.text("traceid", &**id),
            Trace::Context { parent, state } => {
                self.text("traceparent", parent.to_string());
                if !state.is_empty() {
                    self.text("tracestate", state.as_str());
                }
            }
        }
        let sequence = metadata.sequence.map(|number| format!("{number:020}"));
        self.optional("sequence", sequence.map(Cow::Owned));
        self.optional("replyto", borrowed(&metadata.reply_to));
    }

    /// The unknown fields of `metadata`: as attributes of their own or together as one.
    fn fields(&mut self, metadata: &'a Metadata, key: &Key, types: Types) {
        let mut rest = Vec::new();
        for (name, value) in metadata.unknown.iter() {
            let is_written = match name {
                SUBJECT => subject(metadata, key)
                    .is_some_and(|subject| subject != key.as_str() && is_text(value, &subject)),
                CONTENT_TYPE => {
                    let content_type = content_type(metadata);
                    content_type != JSON && is_text(value, &content_type)
                }
                FOREIGN_SEQUENCE if metadata.sequence.is_none() => {
                    let text = value.string().filter(|text| is_text(value, text));
                    let is_foreign = text.as_deref().is_some_and(|text| number(text).is_none());
                    self.optional("sequence", text.filter(|_| is_foreign).map(Cow::Owned));
                    is_foreign
                }
                name if !is_name(name) || RESERVED.contains(&name) => false,
                name => match attribute(value, types) {
                    Some(value) => {
                        self.push(name, value);
                        true
                    }
                    None => false,
                },
            };
            if !is_written {
                rest.push((name, value));
            }
        }
        self.rest(METADATA, rest);
    }

    /// Adds fields that no attribute can hold, as one.
    fn rest(&mut self, name: &'static str, fields: Vec<(&str, &RawJson)>) {
        if fields.is_empty() {
            return;
        }
        let mut object = Object::open(64);
        for (name, value) in fields {
            object.raw(name, value);
        }
        self.text(name, object.close_text());
    }

    /// All that haven't been taken, in order.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> {
        self.0.into_iter().flatten()
    }

    /// Takes an attribute out.
    fn take(&mut self, name: &'static str) -> Result<Option<Value<'a>>, DecodeError> {
        let mut found = None;
        for slot in &mut self.0 {
            if slot.as_ref().is_some_and(|(known, _)| known == name) {
                if found.is_some() {
                    return Err(DecodeError::RepeatedField(name));
                }
                found = slot.take().map(|(_, value)| value);
            }
        }
        Ok(found)
    }

    /// Takes an attribute that has to be text.
    pub(crate) fn take_text(&mut self, name: &'static str) -> Result<Option<String>, DecodeError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.into_owned())),
            Some(Value::Json(_)) => Err(DecodeError::invalid(name, "not a string")),
        }
    }

    fn take_name(&mut self, name: &'static str) -> Result<Option<String>, DecodeError> {
        let text = self.take_text(name)?;
        text.map(|text| checked_name(name, text)).transpose()
    }

    /// Checks the version of CloudEvents, which comes before everything else.
    pub(crate) fn check_version(&mut self) -> Result<(), DecodeError> {
        let version = self.take_text("specversion")?;
        let version = version.ok_or(DecodeError::MissingField("specversion"))?;
        if version == SPEC_VERSION {
            return Ok(());
        }
        let version: String = version.chars().take(20).collect();
        Err(DecodeError::UnsupportedEvent(format!(
            "specversion {version}"
        )))
    }

    /// The envelope with these attributes, whose version and content type have been taken, and with
    /// `data`.
    pub(crate) fn envelope(
        mut self,
        content_type: Option<String>,
        data: RawJson,
        reading: &Reading,
    ) -> Result<(Envelope, Key), DecodeError> {
        let mut required = |name| self.take_name(name)?.ok_or(DecodeError::MissingField(name));
        let (message_id, source) = (required("id")?, required("source")?);
        let message_type = required("type")?;
        let correlation_id = self.take_name("correlationid")?;
        let version = self.parsed("eventversion")?.unwrap_or(Version::new(1, 0));
        let timestamp = self.parsed("time")?.unwrap_or(reading.received_at);
        let mut unknown = Fields::new();
        if let Some(content_type) = content_type.filter(|it| it != JSON) {
            unknown.push(CONTENT_TYPE.to_owned(), content_type.as_str().into());
        }
        let key = self.key(&mut unknown)?;
        let fields = self.object(ENVELOPE, &ENVELOPE_FIELDS)?;
        let envelope = Envelope {
            correlation_id: correlation_id.unwrap_or_else(|| message_id.clone()),
            message_id,
            message_type,
            version,
            timestamp,
            source,
            data,
            metadata: self.into_metadata(unknown)?,
            unknown: fields,
        };
        Ok((envelope, key))
    }

    fn parsed<T: std::str::FromStr<Err: ToString>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        let text = self.take_text(name)?;
        text.map(|text| {
            text.parse()
                .map_err(|error| DecodeError::invalid(name, error))
        })
        .transpose()
    }

    /// The key. A subject that says something else is kept.
    fn key(&mut self, unknown: &mut Fields) -> Result<Key, DecodeError> {
        let subject = self.take_text(SUBJECT)?;
        let key = self
            .take_text("partitionkey")?
            .filter(|key| !key.is_empty());
        Ok(Key(match (key, subject) {
            (Some(key), Some(subject)) => {
                if subject != key {
                    unknown.push(SUBJECT.to_owned(), subject.as_str().into());
                }
                key
            }
            (key, subject) => key.or(subject).unwrap_or_default(),
        }))
    }

    /// The fields of an attribute that holds an object as text, without those that an envelope
    /// has elsewhere.
    fn object(&mut self, name: &'static str, known: &[&str]) -> Result<Fields, DecodeError> {
        let Some(text) = self.take_text(name)? else {
            return Ok(Fields::new());
        };
        let fields = crate::decode::fields(&text);
        let mut fields = fields.map_err(|_| DecodeError::invalid(name, "not a JSON object"))?;
        fields.retain(|name| !known.contains(&name));
        Ok(fields)
    }

    fn into_metadata(mut self, mut unknown: Fields) -> Result<Metadata, DecodeError> {
        let trace_id = self.take_text("traceid")?;
        let traceparent = self.take_text("traceparent")?;
        let tracestate = self.take_text("tracestate")?;
        let sequence = self.take_text("sequence")?;
        let number = sequence.as_deref().and_then(number);
        if let Some(text) = sequence.filter(|_| number.is_none()) {
            unknown.push(FOREIGN_SEQUENCE.to_owned(), text.as_str().into());
        }
        let rest = self.object(METADATA, &METADATA_FIELDS)?;
        let mut metadata = Metadata {
            trace: Trace::of(
                trace_id.as_deref(),
                traceparent.as_deref(),
                tracestate.as_deref(),
            ),
            user_id: self.take_text("userid")?,
            causation_id: self.take_text("causationid")?,
            sequence: number,
            reply_to: self.take_text("replyto")?,
            unknown,
        };
        for (name, value) in self.into_iter().filter(|(name, _)| is_name(name)) {
            let value = match value {
                Value::Text(text) => RawJson::from(&*text),
                Value::Json(value) => value,
            };
            metadata.unknown.push(name.into_owned(), value);
        }
        metadata.unknown.append(rest);
        Ok(metadata)
    }
}

/// The subject: the key, or what an event of somebody else said besides.
fn subject<'a>(metadata: &'a Metadata, key: &'a Key) -> Option<Cow<'a, str>> {
    if key.is_none() {
        return None;
    }
    let foreign = metadata.unknown.value(SUBJECT).and_then(RawJson::string);
    let foreign = foreign.filter(|subject| is_plain(subject) && subject != key.as_str());
    Some(foreign.map_or(key.as_str().into(), Cow::Owned))
}

/// The media type of the data.
fn content_type(metadata: &Metadata) -> Cow<'static, str> {
    let other = metadata
        .unknown
        .value(CONTENT_TYPE)
        .and_then(RawJson::string);
    let other = other.filter(|it| it != JSON && is_plain(it) && is_json(it));
    other.map_or(JSON.into(), Cow::Owned)
}

/// Whether a value is the JSON of a text, byte for byte as it is written here.
fn is_text(value: &RawJson, text: &str) -> bool {
    *value == RawJson::from(text)
}

/// A value as that of an attribute, if it comes back from there as it is.
fn attribute(value: &RawJson, types: Types) -> Option<Value<'static>> {
    if let Some(text) = value.string() {
        return (is_plain(&text) && is_text(value, &text)).then(|| Value::Text(text.into()));
    }
    let json = value.as_str();
    let is_boolean = matches!(json, "true" | "false");
    let is_integer = || {
        json.parse::<i32>()
            .is_ok_and(|number| number.to_string() == json)
    };
    (types == Types::Json && (is_boolean || is_integer())).then(|| Value::Json(value.clone()))
}

/// Whether a text has only characters that a string may have in CloudEvents (section "Type
/// System"), and at least one.
fn is_plain(text: &str) -> bool {
    let is_noncharacter = |c: char| {
        let code = u32::from(c);
        (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() || is_noncharacter(c))
}

/// Whether a text is the name of an attribute: lower-case letters and digits.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    !name.is_empty() && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The number that a `sequence` is written as, with leading zeros or without.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}
