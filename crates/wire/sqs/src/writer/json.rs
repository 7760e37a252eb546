//! Writing JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::Writer;
use crate::members::{ListName, MapName};

/// Writes the members of a JSON object.
#[derive(Debug)]
pub(crate) struct JsonWriter {
    out: Vec<u8>,
    /// Whether it is a response of the query protocol, which encodes lists and maps differently.
    is_query: bool,
}

impl JsonWriter {
    pub(crate) fn new() -> Self {
        Self {
            out: vec![b'{'],
            is_query: false,
        }
    }

    /// A writer for a response of the query protocol.
    pub(crate) fn of_query() -> Self {
        Self {
            is_query: true,
            ..Self::new()
        }
    }

    pub(crate) fn object(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        self.braced(write);
    }

    fn braced(&mut self, write: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        write(self);
        self.out.push(b'}');
    }

    /// An entry of a map, if maps are encoded as lists.
    fn entry(&mut self, name: MapName, key: &str, write: impl FnOnce(&mut Self)) {
        self.separate();
        self.braced(|writer| {
            writer.text(name.key, key);
            write(writer);
        });
    }

    fn list_name(&mut self, name: ListName) {
        self.name(match name.json {
            "Messages" if self.is_query => "messages",
            "QueueUrls" if self.is_query => "queueUrls",
            json => json,
        });
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
        self.list_name(name);
        self.out.push(b'[');
        for value in values {
            self.separate();
            json_text(&mut self.out, value);
        }
        self.out.push(b']');
    }

    fn pairs(&mut self, name: MapName, pairs: &[(String, String)]) {
        self.name(name.json);
        if self.is_query {
            self.out.push(b'[');
            for (key, value) in pairs {
                self.entry(name, key, |writer| writer.text("Value", value));
            }
            self.out.push(b']');
            return;
        }
        self.braced(|writer| {
            for (key, value) in pairs {
                writer.text(key, value);
            }
        });
    }

    fn list<T>(&mut self, name: ListName, items: &[T], write: impl Fn(&T, &mut Self)) {
        self.list_name(name);
        self.out.push(b'[');
        for item in items {
            self.separate();
            self.braced(|writer| write(item, writer));
        }
        self.out.push(b']');
    }

    fn map<T>(&mut self, name: MapName, items: &[(String, T)], write: impl Fn(&T, &mut Self)) {
        self.name(name.json);
        if self.is_query {
            self.out.push(b'[');
            for (key, item) in items {
                self.entry(name, key, |writer| {
                    writer.object("Value", |writer| write(item, writer));
                });
            }
            self.out.push(b']');
            return;
        }
        self.braced(|writer| {
            for (key, item) in items {
                writer.object(key, |writer| write(item, writer));
            }
        });
    }

    fn nonempty_list<T>(&mut self, name: ListName, items: &[T], write: impl Fn(&T, &mut Self)) {
        if !items.is_empty() {
            self.list(name, items, write);
        } else if self.is_query {
            self.list_name(name);
            self.out.extend_from_slice(b"null");
        }
    }
}
