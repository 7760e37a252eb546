//! Writing an envelope.

use std::fmt::Display;

use serde::Serialize;

use crate::{
    Envelope, Fields, Metadata, RawJson, Trace,
    fields::{ENVELOPE_FIELDS, METADATA_FIELDS},
};

/// What an envelope needs besides its data and texts, in bytes; a first guess.
const FRAME_SIZE_BYTES: usize = 512;

/// The envelope as JSON.
pub(crate) fn envelope(envelope: &Envelope) -> Vec<u8> {
    let mut object = Object::open(FRAME_SIZE_BYTES + envelope.data.as_str().len());
    object.text("messageId", &envelope.message_id);
    object.text("type", &envelope.message_type);
    object.shown("version", &envelope.version);
    object.shown("timestamp", &envelope.timestamp);
    object.text("source", &envelope.source);
    object.text("correlationId", &envelope.correlation_id);
    object.raw("data", &envelope.data);
    object.within("metadata", |object| metadata(object, &envelope.metadata));
    object.fields(&envelope.unknown, &ENVELOPE_FIELDS);
    object.close()
}

fn metadata(object: &mut Object, metadata: &Metadata) {
    if let Some(id) = metadata.trace.id() {
        object.text("traceId", &id.to_string());
    }
    object.optional("userId", metadata.user_id.as_deref());
    object.optional("causationId", metadata.causation_id.as_deref());
    if let Trace::Context { parent, state } = &metadata.trace {
        object.shown("traceparent", parent);
        object.optional(
            "tracestate",
            Some(state.as_str()).filter(|it| !it.is_empty()),
        );
    }
    if let Some(sequence) = metadata.sequence {
        object.number("sequence", sequence);
    }
    object.optional("replyTo", metadata.reply_to.as_deref());
    object.fields(&metadata.unknown, &METADATA_FIELDS);
}

/// A JSON object that is being written.
pub(crate) struct Object {
    json: Vec<u8>,
}

impl Object {
    /// An object without fields, with room for so many bytes.
    pub(crate) fn open(capacity_bytes: usize) -> Self {
        let mut json = Vec::with_capacity(capacity_bytes);
        json.push(b'{');
        Self { json }
    }

    /// The object's text.
    pub(crate) fn close(mut self) -> Vec<u8> {
        self.json.push(b'}');
        self.json
    }

    /// The object's text.
    pub(crate) fn close_text(self) -> String {
        String::from_utf8(self.close()).expect("JSON is written as UTF-8")
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        self.write(text);
    }

    pub(crate) fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A string that shows a value.
    pub(crate) fn shown(&mut self, name: &str, value: &impl Display) {
        self.text(name, &value.to_string());
    }

    pub(crate) fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        self.write(&number);
    }

    pub(crate) fn raw(&mut self, name: &str, value: &RawJson) {
        self.name(name);
        self.json.extend_from_slice(value.as_str().as_bytes());
    }

    /// Fields that aren't known, but for those that a program gave a known name: a field that is
    /// there twice can't be read.
    fn fields(&mut self, fields: &Fields, known: &[&str]) {
        for (name, value) in fields.iter().filter(|(name, _)| !known.contains(name)) {
            self.raw(name, value);
        }
    }

    /// A field that is an object itself.
    fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        self.json.push(b'{');
        write(self);
        self.json.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if !self.json.ends_with(b"{") {
            self.json.push(b',');
        }
        self.write(name);
        self.json.push(b':');
    }

    fn write(&mut self, value: &(impl Serialize + ?Sized)) {
        serde_json::to_writer(&mut self.json, value).expect("text and numbers are JSON");
    }
}
