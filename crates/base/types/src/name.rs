//! Names of logs, exchanges, groups and virtual hosts.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Serialize};

/// The virtual host of Kafka and SQS clients.
pub const VHOST_DEFAULT: &str = "/";

/// The virtual host of logs that the broker keeps for itself. No client can open it.
pub const VHOST_INTERNAL: &str = "stele.internal";

/// The longest name that any protocol here allows: an AMQP short string (0-9-1, section 4.2.5.3).
const LENGTH_MAX_BYTES: usize = 255;

/// A name: UTF-8, at most 255 bytes, cheap to clone. Protocols restrict names further (topic names
/// in Kafka, `QueueName` in SQS); those rules are in their fronts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name(Arc<str>);

/// Why a text isn't a valid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Over 255 bytes. The caller answers with its protocol's length error.
    #[error("a name of {0} bytes is longer than 255")]
    TooLong(usize),
}

impl Name {
    /// Makes a name of `text`.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.len() > LENGTH_MAX_BYTES {
            return Err(NameError::TooLong(text.len()));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The default virtual host, `/`.
    pub fn vhost_default() -> Self {
        Self(Arc::from(VHOST_DEFAULT))
    }

    /// The virtual host of the broker's own logs.
    pub fn vhost_internal() -> Self {
        Self(Arc::from(VHOST_INTERNAL))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for Name {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_255_bytes_is_the_longest() {
        assert!(Name::new(&"a".repeat(255)).is_ok());
        assert_eq!(Name::new(&"a".repeat(256)), Err(NameError::TooLong(256)));
    }
}
