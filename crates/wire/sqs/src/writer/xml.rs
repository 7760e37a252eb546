//! Writing XML.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::Writer;
use crate::{
    members::{ListName, MapName},
    text::is_message_character,
};

/// Writes the elements of an XML document.
#[derive(Debug)]
pub(crate) struct XmlWriter {
    out: String,
}

impl XmlWriter {
    pub(crate) fn new() -> Self {
        Self {
            out: String::from("<?xml version=\"1.0\"?>"),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    pub(crate) fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    pub(crate) fn open_with_namespace(&mut self, name: &str, namespace: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(" xmlns=\"");
        self.out.push_str(namespace);
        self.out.push_str("\">");
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    pub(crate) fn empty(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str("/>");
    }

    /// An element with the content that `write` writes; `<name/>` if that is empty.
    pub(crate) fn element(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        let before = self.out.len();
        self.open(name);
        let opened = self.out.len();
        write(self);
        if self.out.len() > opened {
            return self.close(name);
        }
        self.out.truncate(before);
        self.empty(name);
    }

    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        escape(&mut self.out, text);
        self.close(name);
    }
}

/// Appends `text` as an element's content. A carriage return is written as a reference, since a
/// parser would turn a bare one into a line feed. A character that XML doesn't allow (which only an
/// echo in an error message can contain) becomes U+FFFD.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            other if is_message_character(other) => out.push(other),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

impl Writer for XmlWriter {
    fn text(&mut self, name: &str, value: &str) {
        self.leaf(name, value);
    }

    fn integer(&mut self, name: &str, value: i64) {
        self.leaf(name, &value.to_string());
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.leaf(name, if value { "true" } else { "false" });
    }

    fn blob(&mut self, name: &str, value: &[u8]) {
        self.leaf(name, &BASE64.encode(value));
    }

    fn texts(&mut self, name: ListName, values: &[String]) {
        for value in values {
            self.leaf(name.query, value);
        }
    }

    fn pairs(&mut self, name: MapName, pairs: &[(String, String)]) {
        for (key, value) in pairs {
            self.open(name.query);
            self.leaf(name.key, key);
            self.leaf("Value", value);
            self.close(name.query);
        }
    }

    fn list<T>(&mut self, name: ListName, items: &[T], write: impl Fn(&T, &mut Self)) {
        for item in items {
            self.open(name.query);
            write(item, self);
            self.close(name.query);
        }
    }

    fn map<T>(&mut self, name: MapName, items: &[(String, T)], write: impl Fn(&T, &mut Self)) {
        for (key, item) in items {
            self.open(name.query);
            self.leaf(name.key, key);
            self.open("Value");
            write(item, self);
            self.close("Value");
            self.close(name.query);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_carriage_returns_are_escaped() {
        let mut writer = XmlWriter::new();
        writer.text("Body", "<a b=\"c\">&\r\n\t\u{0}\u{1F600}");
        assert_eq!(
            String::from_utf8(writer.into_bytes()).unwrap(),
            "<?xml version=\"1.0\"?>\
             <Body>&lt;a b=&quot;c&quot;&gt;&amp;&#xD;\n\t\u{FFFD}\u{1F600}</Body>"
        );
    }
}
