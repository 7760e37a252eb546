//! What a handler sends.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use stele_toolkit_envelope::{Context, EncodeError, Envelope, Message, Trace};

use crate::{Destination, Outgoing, Received};

/// Collects the messages that a handler sends. They are sent if the handler succeeds: by the store,
/// once its work is committed, or without a durable store before the message is acknowledged.
///
/// Clones are the same outbox. What is published after the handler has returned isn't sent; the
/// log says so.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    /// The service's own context.
    service: Arc<Context>,
    /// The handled message; of a batch, the first.
    received: Option<Arc<Received>>,
    /// The trace of the span that the handler runs in, if that is recorded.
    trace: Option<Trace>,
    /// The context of what follows from the handled message: made once, and only if something does.
    context: OnceLock<Context>,
    collected: Mutex<Collected>,
}

#[derive(Default)]
struct Collected {
    messages: Vec<Outgoing>,
    problem: Option<OutboxError>,
    is_sealed: bool,
}

/// A handler's message can't be sent. The handler fails, and its work is undone.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OutboxError {
    /// It can't be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It is a reply to a message that doesn't say where replies go.
    #[error("the message has no `replyTo`, so {message_type} can't be its reply")]
    NoReplyTo {
        /// The reply's type.
        message_type: &'static str,
    },
}

impl Outbox {
    pub(crate) fn new(
        service: &Arc<Context>,
        received: Option<&Arc<Received>>,
        trace: Option<Trace>,
    ) -> Self {
        Self(Arc::new(Inner {
            service: Arc::clone(service),
            received: received.cloned(),
            trace,
            context: OnceLock::new(),
            collected: Mutex::default(),
        }))
    }

    /// Publishes an event to its type's topic.
    pub fn publish<M: Message>(&self, event: &M) {
        self.add(event, topic::<M>(), Duration::ZERO);
    }

    /// Publishes an event to its type's topic, to come no earlier than after this time. Without a
    /// durable store, [`crate::Caps::delay_max`] is the longest.
    pub fn publish_after<M: Message>(&self, delay: Duration, event: &M) {
        self.add(event, topic::<M>(), delay);
    }

    /// Publishes an event to its type's topic, with its number among those of this service and its
    /// key: for receivers that look for gaps by [`crate::Sequences`].
    pub fn publish_numbered<M: Message>(&self, number: u64, event: &M) {
        match Envelope::of(event, self.context()) {
            Ok(mut envelope) => {
                envelope.metadata.sequence = Some(number);
                self.forward(enveloped(&envelope, event.key().0, topic::<M>()));
            }
            Err(error) => self.fail(error.into()),
        }
    }

    /// Sends a command to a queue.
    pub fn send<M: Message>(&self, queue: impl Into<String>, command: &M) {
        self.add(command, Destination::Queue(queue.into()), Duration::ZERO);
    }

    /// Sends a command to a queue, to come no earlier than after this time.
    pub fn send_after<M: Message>(&self, delay: Duration, queue: impl Into<String>, command: &M) {
        self.add(command, Destination::Queue(queue.into()), delay);
    }

    /// Answers the message, at the address that it gives. Fails the handler if it gives none.
    pub fn reply<M: Message>(&self, reply: &M) {
        let reply_to = self
            .cause()
            .and_then(|cause| cause.metadata.reply_to.as_ref());
        match reply_to {
            Some(queue) => self.send(queue, reply),
            None => self.fail(OutboxError::NoReplyTo {
                message_type: M::TYPE,
            }),
        }
    }

    /// Sends a message that is in its form already.
    pub fn forward(&self, message: Outgoing) {
        let mut collected = self.collected();
        if collected.is_sealed {
            tracing::error!(
                message_id = message.message_id,
                to = message.to.name(),
                "not sent: it was published after its handler had returned"
            );
            return;
        }
        collected.messages.push(message);
    }

    fn add<M: Message>(&self, message: &M, to: Destination, delay: Duration) {
        match outgoing(message, to, self.context()) {
            Ok(mut message) => {
                message.delay = delay;
                self.forward(message);
            }
            Err(error) => self.fail(error.into()),
        }
    }

    fn cause(&self) -> Option<&Envelope> {
        self.0.received.as_ref()?.envelope.as_ref()
    }

    fn context(&self) -> &Context {
        self.0.context.get_or_init(|| {
            let context = match self.cause() {
                Some(cause) => self.0.service.caused_by(cause),
                None => (*self.0.service).clone(),
            };
            match &self.0.trace {
                Some(trace) => context.with_trace(trace.clone()),
                None => context,
            }
        })
    }

    fn fail(&self, problem: OutboxError) {
        self.collected().problem.get_or_insert(problem);
    }

    /// What was collected. From now on nothing is.
    pub(crate) fn seal(&self) -> Result<Vec<Outgoing>, OutboxError> {
        let mut collected = self.collected();
        collected.is_sealed = true;
        match collected.problem.take() {
            Some(problem) => Err(problem),
            None => Ok(std::mem::take(&mut collected.messages)),
        }
    }

    fn collected(&self) -> MutexGuard<'_, Collected> {
        let collected = self.0.collected.lock();
        collected.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.collected().messages.len();
        write!(f, "Outbox({count} messages)")
    }
}

fn topic<M: Message>() -> Destination {
    Destination::Topic(M::TOPIC.to_owned())
}

/// A message of a type, in its envelope, on its way.
pub(crate) fn outgoing<M: Message>(
    message: &M,
    to: Destination,
    context: &Context,
) -> Result<Outgoing, EncodeError> {
    let envelope = Envelope::of(message, context)?;
    Ok(enveloped(&envelope, message.key().0, to))
}

/// An envelope on its way.
pub(crate) fn enveloped(envelope: &Envelope, key: String, to: Destination) -> Outgoing {
    Outgoing::json(to, envelope.message_id.clone(), envelope.encode()).with_key(key)
}
