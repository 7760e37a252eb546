//! Extractors: what handlers take as arguments.

use std::sync::Arc;

use stele_toolkit_envelope::{Envelope, Message, Metadata, Timestamp};

use crate::{Clock, Extensions, Incoming, Origin, Outbox};

/// A message that was received.
#[derive(Clone, Debug)]
pub struct Received {
    /// As it came.
    pub message: Incoming,
    /// Where it lay.
    pub origin: Origin,
    /// Its envelope; `None` if its handler reads raw messages, and this one has none.
    pub envelope: Option<Envelope>,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
}

/// One call of a handler: what its arguments are made of.
#[derive(Debug)]
pub struct Call<'a> {
    pub(crate) received: &'a [Arc<Received>],
    pub(crate) lent: &'a Extensions,
    pub(crate) states: &'a Extensions,
    pub(crate) outbox: &'a Outbox,
    pub(crate) clock: &'a Arc<dyn Clock>,
}

impl Call<'_> {
    /// The messages: one, unless the handler takes batches.
    pub fn received(&self) -> &[Arc<Received>] {
        self.received
    }

    /// What the store lent to this call; see [`crate::Work::lend`].
    pub fn lent<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.lent.of()
    }

    /// All that the store lent to this call.
    pub fn all_lent(&self) -> &Extensions {
        self.lent
    }

    /// A state of the service; see [`crate::Service::state`].
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.states.of::<Arc<T>>().cloned()
    }

    /// Where the handler's messages are collected.
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// The service's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(self.clock)
    }

    fn first(&self) -> Result<&Arc<Received>, Refusal> {
        let first = self.received.first();
        first.ok_or_else(|| Refusal::new("no_message", "the batch is empty"))
    }

    fn envelope(&self) -> Result<&Envelope, Refusal> {
        let envelope = self.first()?.envelope.as_ref();
        envelope.ok_or_else(|| Refusal::new("no_envelope", "the handler reads raw messages"))
    }
}

/// Why an argument can't be made of a message. The message becomes a dead letter at once, since the
/// same message gives the same refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A word that never changes.
    pub reason: &'static str,
    /// The reason for people.
    pub detail: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { reason, detail }
    }
}

/// What can be an argument of a handler.
///
/// Implement it for a type of your own to have handlers take it. What a store lends is taken out
/// of a [`crate::Slot`], so that it is given back when the argument is dropped.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an argument of a handler",
    note = "arguments are `Event<T>`, `Batch<T>`, `Raw`, `Meta`, `Outbox`, `State<S>`, `Attempt`, \
            `Arc<dyn Clock>`, or other types that implement `FromMessage`"
)]
pub trait FromMessage: Sized + Send + 'static {
    /// Takes the value out of a call.
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal>;

    /// Whether a service with these states can give it. Asked once, before the service starts.
    fn check(_states: &Extensions) -> Result<(), String> {
        Ok(())
    }
}

/// What can be the first argument of a handler: it says which messages the handler reads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the first argument of a handler",
    note = "the first argument says which messages are read: `Event<T>`, `Batch<T>` or `Raw`"
)]
pub trait Trigger: FromMessage {
    /// Which messages.
    fn reads() -> Reads;
}

/// Which messages a handler reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Those of a type, in envelopes.
    Type {
        /// The type's name.
        name: &'static str,
        /// Other names of it.
        aliases: &'static [&'static str],
        /// Where they are published.
        topic: &'static str,
        /// Whether several are handled at once.
        is_batch: bool,
    },
    /// All of a topic or queue, as they come.
    Raw,
}

/// A message of a type: `Event(order): Event<OrderCreated>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<T>(pub T);

impl<T: Message> FromMessage for Event<T> {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        open(call.envelope()?).map(Self)
    }
}

impl<T: Message> Trigger for Event<T> {
    fn reads() -> Reads {
        reads::<T>(false)
    }
}

/// Several messages of a type, handled and committed as one: as many as the service's
/// [`batches`](crate::Service::batches) allow. When that fails, each is handled by itself, so that
/// one bad message doesn't fail the others.
///
/// The order of a key is kept among the messages of the type, not with those of other types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<T>(pub Vec<T>);

impl<T: Message> FromMessage for Batch<T> {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        let envelopes = call.received.iter().map(|received| {
            let envelope = received.envelope.as_ref();
            envelope.ok_or_else(|| Refusal::new("no_envelope", "the handler reads raw messages"))
        });
        let events = envelopes.map(|envelope| open(envelope?));
        events.collect::<Result<_, _>>().map(Self)
    }
}

impl<T: Message> Trigger for Batch<T> {
    fn reads() -> Reads {
        reads::<T>(true)
    }
}

fn reads<T: Message>(is_batch: bool) -> Reads {
    Reads::Type {
        name: T::TYPE,
        aliases: T::ALIASES,
        topic: T::TOPIC,
        is_batch,
    }
}

fn open<T: Message>(envelope: &Envelope) -> Result<T, Refusal> {
    let opened = envelope.open();
    opened.map_err(|error| Refusal::new(error.reason(), error.to_string()))
}

/// The message as it came, whatever its body is. As a first argument it has the handler read all
/// messages of a topic or queue, without a look at their types: see [`crate::Service::on_raw`].
#[derive(Clone, Debug)]
pub struct Raw(pub Arc<Received>);

impl FromMessage for Raw {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        call.first().cloned().map(Self)
    }
}

impl Trigger for Raw {
    fn reads() -> Reads {
        Reads::Raw
    }
}

/// The message's envelope, for what follows from the message: see
/// [`Context::caused_by`](stele_toolkit_envelope::Context::caused_by).
impl FromMessage for Envelope {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        call.envelope().cloned()
    }
}

/// What the message's envelope says besides its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The message's id.
    pub message_id: String,
    /// Its type.
    pub message_type: String,
    /// Its own time.
    pub timestamp: Timestamp,
    /// The program that sent it.
    pub source: String,
    /// What it belongs to.
    pub correlation_id: String,
    /// Its key, or nothing.
    pub key: String,
    /// Everything else.
    pub metadata: Metadata,
    /// Where it lay.
    pub origin: Origin,
}

impl FromMessage for Meta {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        let envelope = call.envelope()?;
        let received = call.first()?;
        Ok(Self {
            message_id: envelope.message_id.clone(),
            message_type: envelope.message_type.clone(),
            timestamp: envelope.timestamp,
            source: envelope.source.clone(),
            correlation_id: envelope.correlation_id.clone(),
            key: received.message.key.clone(),
            metadata: envelope.metadata.clone(),
            origin: received.origin.clone(),
        })
    }
}

/// Which attempt this is; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(pub u32);

impl FromMessage for Attempt {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        Ok(Self(call.first()?.attempt))
    }
}

/// A value that the service was given: see [`crate::Service::state`].
#[derive(Debug)]
pub struct State<S>(pub Arc<S>);

impl<S: Send + Sync + 'static> FromMessage for State<S> {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        let state = call.state();
        state
            .map(Self)
            .ok_or_else(|| Refusal::new("no_state", no_state::<S>()))
    }

    fn check(states: &Extensions) -> Result<(), String> {
        match states.of::<Arc<S>>() {
            Some(_) => Ok(()),
            None => Err(no_state::<S>()),
        }
    }
}

fn no_state<S>() -> String {
    let name = std::any::type_name::<S>();
    format!("the service has no state of type {name}: give it one by Service::state")
}

impl FromMessage for Outbox {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        Ok(call.outbox())
    }
}

impl FromMessage for Arc<dyn Clock> {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        Ok(call.clock())
    }
}
