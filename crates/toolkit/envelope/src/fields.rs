//! Fields of a JSON object that nothing here reads.

use crate::RawJson;

/// The fields that every envelope has.
pub(crate) const ENVELOPE_FIELDS: [&str; 8] = [
    "messageId",
    "type",
    "version",
    "timestamp",
    "source",
    "correlationId",
    "data",
    "metadata",
];

/// The fields of `metadata` that mean something here.
pub(crate) const METADATA_FIELDS: [&str; 7] = [
    "traceId",
    "userId",
    "causationId",
    "traceparent",
    "tracestate",
    "sequence",
    "replyTo",
];

/// The fields of an object that aren't known, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, RawJson)>);

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a field; one of this name is replaced in its place.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<RawJson>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds a field as it came, without a look at the others.
    pub(crate) fn push(&mut self, name: String, value: RawJson) {
        self.0.push((name, value));
    }

    /// Adds the fields of another object behind these.
    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Removes the fields with other names.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// The value of a field.
    pub fn value(&self, name: &str) -> Option<&RawJson> {
        let mut all = self.0.iter();
        all.find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawJson)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Fields {
    type Item = (String, RawJson);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<N: Into<String>, V: Into<RawJson>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut all = Self::new();
        for (name, value) in fields {
            all.set(name, value);
        }
        all
    }
}
