//! Short strings: at most 255 octets of UTF-8. As in RabbitMQ, methods accept no others, except in
//! the fields that describe a message ([`crate::ShortOctets`]).

use std::{fmt, ops::Deref};

use bytes::Bytes;

use crate::limits::SHORT_STRING_MAX_BYTES;

/// A short string. Decoded ones are slices of their frame: copy one to keep it for long, so that it
/// doesn't hold a read buffer.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortString(Bytes);

/// Why octets aren't a valid short string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShortStringError {
    /// Over 255 octets. The caller answers with its own length error.
    #[error("a short string of {0} octets is longer than 255")]
    TooLong(usize),
    /// Not UTF-8. The caller answers with a syntax error.
    #[error("malformed UTF-8 in a short string")]
    NotUtf8,
}

impl ShortString {
    /// The empty string.
    pub const EMPTY: Self = Self(Bytes::new());

    /// Wraps `octets` without copying them.
    pub fn from_bytes(octets: Bytes) -> Result<Self, ShortStringError> {
        if octets.len() > SHORT_STRING_MAX_BYTES {
            return Err(ShortStringError::TooLong(octets.len()));
        }
        match std::str::from_utf8(&octets) {
            Ok(_) => Ok(Self(octets)),
            Err(_) => Err(ShortStringError::NotUtf8),
        }
    }

    /// Copies `text`.
    pub fn new(text: &str) -> Result<Self, ShortStringError> {
        Self::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// Copies as much of `text` as fits, cut at a character boundary.
    pub fn truncated(text: &str) -> Self {
        let longest = text.len().min(SHORT_STRING_MAX_BYTES);
        let end = (0..=longest)
            .rev()
            .find(|&end| text.is_char_boundary(end))
            .unwrap_or(0);
        Self(Bytes::copy_from_slice(&text.as_bytes()[..end]))
    }

    /// A string known at compile time. Panics if it is too long.
    pub const fn from_static(text: &'static str) -> Self {
        assert!(text.len() <= SHORT_STRING_MAX_BYTES, "over 255 octets");
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("every constructor takes UTF-8 only")
    }

    /// The octets.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The octets.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Deref for ShortString {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for ShortString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ShortString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_at_a_character() {
        let text = "é".repeat(200);
        assert_eq!(ShortString::new(&text), Err(ShortStringError::TooLong(400)));
        assert_eq!(ShortString::truncated(&text).as_str(), "é".repeat(127));
    }

    #[test]
    fn only_utf8_is_taken() {
        let octets = Bytes::from_static(b"\xff\xfe");
        assert_eq!(
            ShortString::from_bytes(octets),
            Err(ShortStringError::NotUtf8)
        );
    }
}
