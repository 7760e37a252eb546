//! Writing members in each of the three formats.
//!
//! A structure states its members once; the writer decides how lists and maps are encoded.

mod form;
mod json;
mod xml;

pub(crate) use form::FormWriter;
pub(crate) use json::{JsonWriter, json_text};
pub(crate) use xml::XmlWriter;

use crate::members::{ListName, MapName};

/// The namespace of every XML response.
pub(crate) const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";

/// Writes the members of one structure, in order.
pub(crate) trait Writer: Sized {
    fn text(&mut self, name: &str, value: &str);
    fn integer(&mut self, name: &str, value: i64);
    fn flag(&mut self, name: &str, value: bool);
    /// A blob, in base64.
    fn blob(&mut self, name: &str, value: &[u8]);
    fn texts(&mut self, name: ListName, values: &[String]);
    fn pairs(&mut self, name: MapName, pairs: &[(String, String)]);
    fn list<T>(&mut self, name: ListName, items: &[T], write: impl Fn(&T, &mut Self));
    fn map<T>(&mut self, name: MapName, items: &[(String, T)], write: impl Fn(&T, &mut Self));

    fn optional_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn optional_integer(&mut self, name: &str, value: Option<i32>) {
        if let Some(value) = value {
            self.integer(name, value.into());
        }
    }

    /// A list that is left out if it is empty.
    fn nonempty_list<T>(&mut self, name: ListName, items: &[T], write: impl Fn(&T, &mut Self)) {
        if !items.is_empty() {
            self.list(name, items, write);
        }
    }
}
