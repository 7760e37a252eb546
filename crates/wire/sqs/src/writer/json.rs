//! Writing JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::Writer;
use crate::members::{ListName, MapName};

/// Writes the members of a JSON object.
#[derive(Debug)]
pub(crate) struct JsonWriter {
    out: Vec<u8>,
}

impl JsonWriter {
    pub(crate) fn new() -> Self {
        Self { out: vec![b'{'] }
    }

    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }

    fn separate(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    fn name(&mut self, name: &str) {
        self.separate();
        json_text(&mut self.out, name);
        self.out.push(b':');
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn json_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing a string to memory can't fail");
}

impl Writer for JsonWriter {
    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        json_text(&mut self.out, value);
    }

    fn integer(&mut self, name: &str, value: i64) {
        self.name(name);
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn blob(&mut self, name: &str, value: &[u8]) {
        self.text(name, &BASE64.encode(value));
    }

    fn texts(&mut self, name: ListName, values: &[String]) {
        self.name(name.json);
        self.out.push(b'[');
        for value in values {
            self.separate();
            json_text(&mut self.out, value);
        }
        self.out.push(b']');
    }

    fn pairs(&mut self, name: MapName, pairs: &[(String, String)]) {
        self.name(name.json);
        self.out.push(b'{');
        for (key, value) in pairs {
            self.text(key, value);
        }
        self.out.push(b'}');
    }

    fn list<T>(&mut self, name: ListName, items: &[T], write: impl Fn(&T, &mut Self)) {
        self.name(name.json);
        self.out.push(b'[');
        for item in items {
            self.separate();
            self.out.push(b'{');
            write(item, self);
            self.out.push(b'}');
        }
        self.out.push(b']');
    }

    fn map<T>(&mut self, name: MapName, items: &[(String, T)], write: impl Fn(&T, &mut Self)) {
        self.name(name.json);
        self.out.push(b'{');
        for (key, item) in items {
            self.name(key);
            self.out.push(b'{');
            write(item, self);
            self.out.push(b'}');
        }
        self.out.push(b'}');
    }
}
