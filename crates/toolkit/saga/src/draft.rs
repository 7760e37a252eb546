//! A message before it has an envelope.

use stele_toolkit_envelope::{EncodeError, Key, Message, RawJson, Version};

/// A message before it has an envelope: what a pure decision can say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its type's name.
    pub message_type: &'static str,
    /// Its version.
    pub version: Version,
    /// The topic or queue that it goes to.
    pub topic: &'static str,
    /// Its key.
    pub key: Key,
    /// Its data.
    pub data: RawJson,
}

impl Draft {
    /// The draft of a message. Fails if the message can't be written as JSON.
    pub fn of<M: Message>(message: &M) -> Result<Self, EncodeError> {
        Ok(Self {
            message_type: M::TYPE,
            version: M::VERSION,
            topic: M::TOPIC,
            key: message.key(),
            data: RawJson::of_message(message)?,
        })
    }
}
