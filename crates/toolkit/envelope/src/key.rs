//! Keys of messages.

use std::fmt;

/// What a message is about: messages of one key keep their order wherever a transport orders by
/// key. Empty for a message without a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub String);

impl Key {
    /// No key.
    pub fn none() -> Self {
        Self::default()
    }

    /// A value's text as the key.
    pub fn of(value: &(impl fmt::Display + ?Sized)) -> Self {
        Self(value.to_string())
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no key.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text)
    }
}
