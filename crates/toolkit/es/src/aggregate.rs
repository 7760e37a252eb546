//! Aggregates: what decides which events happen.

use std::{error::Error, fmt::Debug};

use stele_toolkit_envelope::{
    Context, EncodeError, Envelope, Message, OpenError, Timestamp, Version,
};

use crate::Types;

/// State that follows from its events alone.
///
/// ```text
///  command ──► decide(&state, now) ──► events, or a refusal     reads no clock, changes nothing
///  event   ──► evolve(&mut state)                               can't fail: it has happened
/// ```
///
/// Both are pure: the same events always give the same state. `evolve` changes nothing but the
/// state; what the world has to be told goes out as messages.
pub trait Aggregate: Default + Send + Sync + 'static {
    /// The kind of its streams. Never changes.
    const NAME: &'static str;

    /// What it is asked to do.
    type Command: Send + Sync;

    /// What happens to it: one message type, or several by [`events!`](crate::events).
    type Event: AggregateEvent;

    /// Why it refuses a command.
    type Error: Error + Send + Sync + 'static;

    /// What happens because of a command. No events mean that nothing has to change.
    fn decide(
        &self,
        command: &Self::Command,
        now: Timestamp,
    ) -> Result<Vec<Self::Event>, Self::Error>;

    /// The state after an event.
    fn evolve(&mut self, event: &Self::Event);
}

/// The events of an aggregate: what is stored, and how it is read.
///
/// Every [`Message`] is one. [`events!`](crate::events) makes one of several messages.
pub trait AggregateEvent: Sized + Debug + Send + Sync + 'static {
    /// The types of all of them.
    fn types() -> Types;

    /// The event in an envelope.
    fn wrap(&self, context: &Context) -> Result<Envelope, EncodeError>;

    /// Reads an event, from older versions too.
    fn open(event: &Envelope) -> Result<Self, EventError>;
}

impl<M: Message + Debug> AggregateEvent for M {
    fn types() -> Types {
        Types::of::<M>()
    }

    fn wrap(&self, context: &Context) -> Result<Envelope, EncodeError> {
        Envelope::of(self, context)
    }

    fn open(event: &Envelope) -> Result<Self, EventError> {
        Ok(event.open()?)
    }
}

/// An event of a stream can't be read by this program. It isn't skipped, since the state would be
/// wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Its type isn't one of the aggregate's.
    #[error("{found} {version} isn't one of {events}")]
    UnknownType {
        /// The aggregate's events.
        events: &'static str,
        /// The event's type.
        found: String,
        /// The event's version.
        version: Version,
    },
    /// Its type is known, but not its version or its data.
    #[error(transparent)]
    Unreadable(#[from] OpenError),
}

/// Makes an enum of the message types that happen to an aggregate. Each variant is named as its
/// type.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use stele_toolkit_envelope::Message;
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
/// #[message(version = "1.0", topic = "account.events")]
/// pub struct Deposited {
///     pub cents: i64,
/// }
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
/// #[message(version = "1.0", topic = "account.events")]
/// pub struct Withdrawn {
///     pub cents: i64,
/// }
///
/// stele_toolkit_es::events! {
///     /// What happens to an account.
///     #[derive(Clone, Debug, PartialEq)]
///     pub enum AccountEvent { Deposited, Withdrawn }
/// }
///
/// let event: AccountEvent = Deposited { cents: 100 }.into();
/// assert_eq!(event, AccountEvent::Deposited(Deposited { cents: 100 }));
/// ```
#[macro_export]
macro_rules! events {
    ($(#[$attribute:meta])* $visibility:vis enum $name:ident {
        $($(#[$of_event:meta])* $event:ident),+ $(,)?
    }) => {
        $(#[$attribute])*
        #[allow(clippy::enum_variant_names)]
        $visibility enum $name {
            $($(#[$of_event])* #[allow(missing_docs)] $event($event)),+
        }

        $(impl ::core::convert::From<$event> for $name {
            fn from(event: $event) -> Self {
                Self::$event(event)
            }
        })+

        impl $crate::AggregateEvent for $name {
            fn types() -> $crate::Types {
                $crate::Types::none()$(.and::<$event>())+
            }

            fn wrap(
                &self,
                context: &$crate::envelope::Context,
            ) -> ::core::result::Result<$crate::envelope::Envelope, $crate::envelope::EncodeError>
            {
                match self {
                    $(Self::$event(event) => $crate::envelope::Envelope::of(event, context)),+
                }
            }

            fn open(
                event: &$crate::envelope::Envelope,
            ) -> ::core::result::Result<Self, $crate::EventError> {
                $(if event.is::<$event>() {
                    return ::core::result::Result::Ok(Self::$event(event.open()?));
                })+
                ::core::result::Result::Err($crate::EventError::UnknownType {
                    events: ::core::stringify!($name),
                    found: event.message_type.clone(),
                    version: event.version,
                })
            }
        }
    };
}
