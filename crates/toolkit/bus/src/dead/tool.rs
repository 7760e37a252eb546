//! What people do with dead letters.

use async_trait::async_trait;
use bytes::Bytes;
use stele_toolkit_envelope::Envelope;

use crate::{Destination, Headers, StoreError, Story, TransportError};

/// A service's dead letters, wherever they are kept: in its database, or in its dead-letter queue.
#[async_trait]
pub trait DeadLetters: std::fmt::Debug + Send + Sync {
    /// The letters that a filter lets through, the oldest first.
    async fn list(&self, filter: &Filter) -> Result<Vec<DeadLetter>, LettersError>;

    /// Has the letters handled again, by their own handler and nobody else, as if it were the first
    /// attempt. Returns how many.
    async fn retry(&self, filter: &Filter) -> Result<usize, LettersError>;

    /// Has a letter handled again with another body. The message keeps its id.
    async fn edit(&self, id: &str, edit: Edit) -> Result<(), LettersError>;

    /// Forgets the letters, for good. Returns how many.
    async fn forget(&self, filter: &Filter) -> Result<usize, LettersError>;

    /// A letter by its id.
    async fn show(&self, id: &str) -> Result<DeadLetter, LettersError> {
        let mut letters = self.list(&Filter::of_id(id)).await?;
        letters
            .pop()
            .ok_or_else(|| LettersError::NoSuchLetter { id: id.to_owned() })
    }
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The letter's own id.
    pub id: String,
    /// Who couldn't handle the message.
    pub handler: String,
    /// The message's id.
    pub message_id: String,
    /// Its key, or nothing.
    pub key: String,
    /// What its sender addressed.
    pub to: Destination,
    /// Where it lay: `topic[partition]@offset`.
    pub origin: String,
    /// Its failures.
    pub story: Story,
    /// Its headers.
    pub headers: Headers,
    /// Its body, byte for byte.
    pub body: Bytes,
}

impl DeadLetter {
    /// The message's type, if its body is an envelope.
    pub fn message_type(&self) -> Option<String> {
        let envelope = Envelope::decode(&self.body, self.body.len()).ok()?;
        Some(envelope.message_type)
    }
}

/// Another body for a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The body, which replaces the one that it has.
    pub body: Bytes,
}

/// Which letters. Every field that is set has to fit; without any, all do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The letter's id.
    pub id: Option<String>,
    /// The reason's word.
    pub reason: Option<String>,
    /// The message's type.
    pub message_type: Option<String>,
    /// The handler's name.
    pub handler: Option<String>,
    /// The message's key.
    pub key: Option<String>,
}

impl Filter {
    /// The letter of an id.
    pub fn of_id(id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }

    /// The letters with a reason.
    pub fn of_reason(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::default()
        }
    }

    /// Whether a letter is one of them.
    pub fn fits(&self, letter: &DeadLetter) -> bool {
        let fits = |wanted: &Option<String>, has: &str| match wanted {
            Some(wanted) => wanted == has,
            None => true,
        };
        fits(&self.id, &letter.id)
            && fits(&self.reason, &letter.story.reason)
            && fits(&self.handler, &letter.handler)
            && fits(&self.key, &letter.key)
            && (self.message_type.is_none() || self.message_type == letter.message_type())
    }
}

/// Why something can't be done with dead letters.
#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    /// There is none of this id. It may have been retried or dropped.
    #[error("there is no dead letter {id}")]
    NoSuchLetter {
        /// The id.
        id: String,
    },
    /// The broker can't do it; some letters may have been done.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The database can't do it; nothing is changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
