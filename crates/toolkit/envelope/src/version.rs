//! Versions of message types.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The version of a message type: `major.minor`, the string `"1.0"` in JSON.
///
/// Within a major version, programs read messages of every minor version: older ones through the
/// type's [`upcasts`](crate::Message::UPCASTS), newer ones as they are. A message of a newer major
/// version is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Changes when programs that know an older one can't read the messages any more.
    pub major: u32,
    /// Changes with every other change of the type.
    pub minor: u32,
}

impl Version {
    /// A version by its numbers.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text isn't a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} isn't a version as \"1.0\"")]
pub struct VersionError {
    /// The text, or its beginning.
    pub text: String,
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads two numbers without signs or leading zeros, with a dot between them.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (major, minor) = text.split_once('.').unwrap_or_default();
        match (number(major), number(minor)) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(VersionError {
                text: text.chars().take(64).collect(),
            }),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| is_plain && !is_padded)
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered_by_number() {
        for text in ["0.0", "1.0", "1.10", "4294967295.4294967295"] {
            let version: Version = text.parse().expect("a version");
            assert_eq!(version.to_string(), text);
        }
        assert!(Version::new(1, 9) < Version::new(1, 10));
        assert!(Version::new(1, 10) < Version::new(2, 0));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "1",
            "1.",
            ".1",
            "1.0.0",
            "v1.0",
            "+1.0",
            "01.0",
            "1.00",
            "1.4294967296",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
