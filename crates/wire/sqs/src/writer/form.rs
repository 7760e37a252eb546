//! Writing a form, as a client of the query protocol does.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::Writer;
use crate::members::{ListName, MapName};

/// Writes the parameters of a form.
pub(crate) struct FormWriter {
    form: form_urlencoded::Serializer<'static, String>,
    /// The prefix of each name: empty, or the path of the current entry followed by a dot.
    prefix: String,
}

impl FormWriter {
    pub(crate) fn new() -> Self {
        Self {
            form: form_urlencoded::Serializer::new(String::new()),
            prefix: String::new(),
        }
    }

    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.form.finish().into_bytes()
    }

    fn append(&mut self, name: &str, value: &str) {
        self.form
            .append_pair(&format!("{}{name}", self.prefix), value);
    }

    fn nested(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        let length = self.prefix.len();
        self.prefix.push_str(name);
        self.prefix.push('.');
        write(self);
        self.prefix.truncate(length);
    }
}

impl Writer for FormWriter {
    fn text(&mut self, name: &str, value: &str) {
        self.append(name, value);
    }

    fn integer(&mut self, name: &str, value: i64) {
        self.append(name, &value.to_string());
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.append(name, if value { "true" } else { "false" });
    }

    fn blob(&mut self, name: &str, value: &[u8]) {
        self.append(name, &BASE64.encode(value));
    }

    fn texts(&mut self, name: ListName, values: &[String]) {
        for (index, value) in values.iter().enumerate() {
            self.append(&format!("{}.{}", name.query, index + 1), value);
        }
    }

    fn pairs(&mut self, name: MapName, pairs: &[(String, String)]) {
        for (index, (key, value)) in pairs.iter().enumerate() {
            self.nested(&format!("{}.{}", name.query, index + 1), |writer| {
                writer.append(name.key, key);
                writer.append("Value", value);
            });
        }
    }

    fn list<T>(&mut self, name: ListName, items: &[T], write: impl Fn(&T, &mut Self)) {
        for (index, item) in items.iter().enumerate() {
            self.nested(&format!("{}.{}", name.query, index + 1), |writer| {
                write(item, writer)
            });
        }
    }

    fn map<T>(&mut self, name: MapName, items: &[(String, T)], write: impl Fn(&T, &mut Self)) {
        for (index, (key, item)) in items.iter().enumerate() {
            self.nested(&format!("{}.{}", name.query, index + 1), |writer| {
                writer.append(name.key, key);
                writer.nested("Value", |writer| write(item, writer));
            });
        }
    }
}
