//! Events as stores keep them.

use stele_toolkit_envelope::{Envelope, Message, Timestamp};

use crate::{Position, StreamId};

/// An event in a store.
///
/// The envelope says what happened (type, version and data), who did it (`metadata.user_id`), and
/// why (`metadata.causation_id`, `correlation_id`). It is what was appended, to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place among all events.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in its stream: 1, 2, 3 and so on.
    pub version: u64,
    /// When it was recorded: the time of the latest event of its append, but never earlier than
    /// the event before it in the stream, even if a clock was set back. Travelling in time goes by
    /// this.
    pub time: Timestamp,
    /// The event.
    pub event: Envelope,
}

/// What an append did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The stream's version, which is that of the last event appended.
    pub version: u64,
    /// The place behind the last event appended.
    pub position: Position,
    /// Whether these events were there already, from an earlier attempt.
    pub is_repeated: bool,
}

/// Types of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// All of them, also those that this program doesn't know.
    All,
    /// These.
    Named(Vec<&'static str>),
}

impl Types {
    /// No type; for [`Types::and`].
    pub fn none() -> Self {
        Self::Named(Vec::new())
    }

    /// One type, by its name and its aliases.
    pub fn of<M: Message>() -> Self {
        Self::none().and::<M>()
    }

    /// One type more.
    #[must_use]
    pub fn and<M: Message>(self) -> Self {
        match self {
            Self::All => Self::All,
            Self::Named(mut names) => {
                names.push(M::TYPE);
                names.extend(M::ALIASES);
                Self::Named(names)
            }
        }
    }

    /// Whether a type is among them.
    pub fn includes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(&name),
        }
    }
}

/// A part of all events, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The events of the types that were asked for.
    pub events: Vec<Recorded>,
    /// Up to where all events were looked at, those of other types included: where the next read
    /// begins.
    pub position: Position,
    /// Whether this is the end: nothing that can be read yet follows.
    pub is_end: bool,
}
