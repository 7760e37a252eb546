//! Short strings without an encoding requirement: those that messages carry.

use std::fmt;

use bytes::Bytes;

use crate::{ShortString, ShortStringError, limits::SHORT_STRING_MAX_BYTES};

/// At most 255 octets, usually UTF-8. As with [`ShortString`], decoded ones are slices of their
/// frame.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortOctets(Bytes);

impl ShortOctets {
    /// The empty string.
    pub const EMPTY: Self = Self(Bytes::new());

    /// Wraps `octets` without copying them.
    pub fn from_bytes(octets: Bytes) -> Result<Self, ShortStringError> {
        match octets.len() {
            0..=SHORT_STRING_MAX_BYTES => Ok(Self(octets)),
            longer => Err(ShortStringError::TooLong(longer)),
        }
    }

    /// Text known at compile time. Panics if it is too long.
    pub const fn from_static(text: &'static str) -> Self {
        assert!(text.len() <= SHORT_STRING_MAX_BYTES, "over 255 octets");
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The octets.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The text, if it is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The number of octets.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<ShortString> for ShortOctets {
    fn from(text: ShortString) -> Self {
        Self(text.into_bytes())
    }
}

/// Invalid UTF-8 is replaced.
impl fmt::Display for ShortOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for ShortOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_octets_are_taken_up_to_255() {
        let octets = ShortOctets::from_bytes(Bytes::from_static(b"a\xff")).unwrap();
        assert_eq!((octets.as_text(), octets.len()), (None, 2));
        assert_eq!(octets.to_string(), "a\u{fffd}");
        let long = Bytes::from_static(&[0; 256]);
        assert_eq!(
            ShortOctets::from_bytes(long),
            Err(ShortStringError::TooLong(256))
        );
    }
}
