//! Streams of events, and where in one an append or a read stands.

use std::{fmt, str::FromStr};

use stele_toolkit_envelope::Timestamp;

use crate::limits::STREAM_BYTES_MAX;

/// The name of a stream: the kind of aggregate and its id, `BankAccount/12345` as text.
///
/// A stream has the events of one aggregate, in versions 1, 2, 3 and so on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(String);

/// A text isn't a stream's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} isn't a stream's name: KIND/ID, at most {STREAM_BYTES_MAX} bytes")]
pub struct StreamIdError {
    /// The text, or its beginning.
    pub text: String,
}

impl StreamId {
    /// The stream of the aggregate of a kind that has this id. The kind isn't empty and has no
    /// `/`; the id isn't empty; together they have at most 255 bytes.
    pub fn new(kind: &str, id: &str) -> Result<Self, StreamIdError> {
        let has_slash = kind.contains('/');
        let size_bytes = kind.len() + 1 + id.len();
        if kind.is_empty() || has_slash || id.is_empty() || size_bytes > STREAM_BYTES_MAX {
            let text = format!("{kind}/{id}").chars().take(64).collect();
            return Err(StreamIdError { text });
        }
        Ok(Self(format!("{kind}/{id}")))
    }

    /// `KIND/ID`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of aggregate.
    pub fn kind(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(kind, _)| kind)
    }

    /// The aggregate's id.
    pub fn id(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, id)| id)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StreamId {
    type Err = StreamIdError;

    fn from_str(text: &str) -> Result<Self, StreamIdError> {
        let (kind, id) = text.split_once('/').unwrap_or((text, ""));
        Self::new(kind, id)
    }
}

/// What an append expects of its stream, so that two who decide from the same state can't both
/// write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: the events go behind whatever is there.
    Any,
    /// That there is no event yet.
    NoStream,
    /// That this is the version of the last event. 0 is the same as [`Expected::NoStream`].
    Version(u64),
}

impl Expected {
    /// The version that the stream must have, if it must have one.
    pub fn version(self) -> Option<u64> {
        match self {
            Self::Any => None,
            Self::NoStream => Some(0),
            Self::Version(version) => Some(version),
        }
    }
}

/// Up to where a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To its end.
    Latest,
    /// To this version, inclusive.
    Version(u64),
    /// To the last event of this time or earlier. See [`crate::Recorded::time`].
    Time(Timestamp),
}

impl Until {
    /// Whether an event of this version and time belongs to what is read.
    pub fn includes(self, version: u64, time: Timestamp) -> bool {
        match self {
            Self::Latest => true,
            Self::Version(last) => version <= last,
            Self::Time(last) => time <= last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_at_its_first_slash() {
        let stream: StreamId = "Order/2024/17".parse().expect("a name");
        assert_eq!((stream.kind(), stream.id()), ("Order", "2024/17"));
        assert_eq!(stream.to_string(), "Order/2024/17");
    }

    #[test]
    fn names_without_kind_or_id_and_long_ones_are_refused() {
        let long = format!("Order/{}", "x".repeat(250));
        for text in ["", "Order", "Order/", "/17", &long] {
            assert!(text.parse::<StreamId>().is_err(), "{text}");
        }
        assert!(StreamId::new("a/b", "c").is_err());
        assert!(StreamId::new("Order", &"x".repeat(249)).is_ok());
    }
}
