//! Sending outside of handlers, and asking.
//!
//! ```text
//!  ask ── request, replyTo = {name}.replies.{instance} ──► handler ── Outbox::reply ─┐
//!   ▲                                                                                │
//!   └── by the reply's causationId ◄── the client's own queue ◄──────────────────────┘
//! ```

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use stele_toolkit_envelope::{Context, EncodeError, Envelope, Ids, Message, OpenError};
use tokio::{sync::oneshot, task::AbortHandle};

use crate::{
    Call, Clock, ClockedIds, Deliveries, Destination, Extensions, FromMessage, Outgoing, Refusal,
    Spans, Subscription, SystemClock, Topology, Transport, TransportError,
    outbox::{enveloped, outgoing},
    spans::NoSpans,
};

/// The largest reply.
const REPLY_BYTES_MAX: usize = 1 << 20;

/// How many replies the broker may hand out that aren't looked at yet.
const PREFETCH: u32 = 256;

/// Sends messages, and asks for replies. Clones are the same client.
///
/// What it sends goes to the broker at once, and stays sent whatever becomes of the handler that
/// sends it: inside a handler, prefer an [`Outbox`](crate::Outbox). A handler that takes a client,
/// which its service got by [`Service::state`](crate::Service::state), sends messages that follow
/// from its own.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    context: Context,
    spans: Arc<dyn Spans>,
}

struct Shared {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    replies: String,
    /// By the ids of requests.
    pending: Mutex<HashMap<String, oneshot::Sender<Envelope>>>,
    late: AtomicU64,
    listener: Mutex<Option<AbortHandle>>,
}

/// Who a client is.
#[derive(Clone, Debug)]
pub struct ClientName {
    /// The program: the `source` of its messages.
    pub name: String,
    /// Which of the program's processes: each has a queue for its replies. A name that is the same
    /// after a restart has the queue used again.
    pub instance: String,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// None came in time. Whether the request was handled isn't known.
    #[error("no reply came within {0:?}")]
    Timeout(Duration),
    /// The request can't be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The request wasn't sent, or it isn't known whether it was.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The reply isn't what was asked for. Its envelope tells what it is.
    #[error(transparent)]
    Reply(#[from] OpenError),
}

impl Client {
    /// A client with the system's clock and randomness.
    pub async fn connect(
        name: ClientName,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, TransportError> {
        let ids = Arc::new(stele_toolkit_envelope::SystemIds);
        Self::connect_with(name, transport, Arc::new(SystemClock), ids).await
    }

    /// A client with another clock and randomness.
    pub async fn connect_with(
        name: ClientName,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Ids>,
    ) -> Result<Self, TransportError> {
        let replies = format!("{}.replies.{}", name.name, name.instance);
        let mut subscription = Subscription::new(replies.clone()).queue(replies.clone());
        subscription.prefetch = PREFETCH;
        let topology = Topology {
            subscriptions: vec![subscription.clone()],
            ..Topology::default()
        };
        transport.declare(&topology).await?;
        let deliveries = transport.subscribe(&subscription).await?;
        let ids = Arc::new(ClockedIds::new(Arc::clone(&clock), random));
        let shared = Arc::new(Shared {
            transport,
            clock,
            replies,
            pending: Mutex::default(),
            late: AtomicU64::new(0),
            listener: Mutex::default(),
        });
        // Weak, so that the listener ends with the last client.
        let listener = tokio::spawn(listen(Arc::downgrade(&shared), deliveries));
        *shared.listener() = Some(listener.abort_handle());
        let context = Context::new(name.name).with_ids(ids);
        let spans = Arc::new(NoSpans);
        Ok(Self {
            shared,
            context,
            spans,
        })
    }

    /// The same client, whose messages belong to the trace of the span that is current when they
    /// are sent, such as that of an HTTP request.
    #[must_use]
    pub fn with_spans(mut self, spans: impl Spans) -> Self {
        self.spans = Arc::new(spans);
        self
    }

    fn context(&self) -> Context {
        let context = self.context.clone();
        match self.spans.trace_of(&tracing::Span::current()) {
            Some(trace) => context.with_trace(trace),
            None => context,
        }
    }

    /// Publishes an event to its type's topic. Returns once the broker has it.
    pub async fn publish<M: Message>(&self, event: &M) -> Result<(), AskError> {
        let to = Destination::Topic(M::TOPIC.to_owned());
        self.deliver(outgoing(event, to, &self.context())?).await
    }

    /// Sends a command to a queue. Returns once the broker has it.
    pub async fn send<M: Message>(&self, queue: &str, command: &M) -> Result<(), AskError> {
        let to = Destination::Queue(queue.to_owned());
        self.deliver(outgoing(command, to, &self.context())?).await
    }

    /// Publishes a request to its type's topic, and returns the first reply.
    pub async fn ask<R: Message>(
        &self,
        request: &impl Message,
        timeout: Duration,
    ) -> Result<R, AskError> {
        let to = Destination::Topic(topic_of(request).to_owned());
        self.ask_at(to, request, timeout).await
    }

    /// Sends a request to a queue or topic, and returns the first reply.
    pub async fn ask_at<R: Message>(
        &self,
        to: Destination,
        request: &impl Message,
        timeout: Duration,
    ) -> Result<R, AskError> {
        let mut envelope = Envelope::of(request, &self.context())?;
        envelope.metadata.reply_to = Some(self.shared.replies.clone());
        let (reply, replied) = oneshot::channel();
        let pending = Pending::new(&self.shared, envelope.message_id.clone(), reply);
        let message = enveloped(&envelope, request.key().0, to);
        let asking = async {
            self.deliver(message).await?;
            // The sender is dropped with `pending` alone.
            replied.await.map_err(|_| AskError::Timeout(timeout))
        };
        let reply = tokio::select! {
            biased;
            reply = asking => reply?,
            () = self.shared.clock.sleep(timeout) => return Err(AskError::Timeout(timeout)),
        };
        drop(pending);
        Ok(reply.open()?)
    }

    /// How many replies came that nobody waited for any more.
    pub fn late_replies(&self) -> u64 {
        self.shared.late.load(Ordering::Relaxed)
    }

    async fn deliver(&self, message: Outgoing) -> Result<(), AskError> {
        let mut results = self.shared.transport.publish(&[message]).await;
        let result = results.pop().unwrap_or(Err(TransportError::Closed));
        Ok(result?)
    }
}

fn topic_of<M: Message>(_: &M) -> &'static str {
    M::TOPIC
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.shared.replies)
    }
}

impl FromMessage for Client {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        let client = call.state::<Self>();
        let client = client.ok_or_else(|| Refusal::new("no_client", NO_CLIENT))?;
        let received = call.received().first();
        let envelope = received.and_then(|received| received.envelope.as_ref());
        let context = match envelope {
            Some(envelope) => client.context.caused_by(envelope),
            None => client.context.clone(),
        };
        Ok(Self {
            shared: Arc::clone(&client.shared),
            context,
            spans: Arc::clone(&client.spans),
        })
    }

    fn check(states: &Extensions) -> Result<(), String> {
        match states.of::<Arc<Self>>() {
            Some(_) => Ok(()),
            None => Err(NO_CLIENT.to_owned()),
        }
    }
}

const NO_CLIENT: &str = "the service has no client: give it one by Service::state";

impl Shared {
    fn pending(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Envelope>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listener(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a reply to whoever waits for it.
    fn replied(&self, reply: Envelope) {
        let request = reply.metadata.causation_id.as_ref();
        let waiting = request.and_then(|id| self.pending().remove(id));
        let is_late = match waiting {
            Some(waiting) => waiting.send(reply).is_err(),
            None => true,
        };
        if is_late {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(listener) = self.listener().take() {
            listener.abort();
        }
    }
}

/// A request that waits for its reply. Dropping it gives up.
struct Pending<'a> {
    shared: &'a Shared,
    id: String,
}

impl<'a> Pending<'a> {
    fn new(shared: &'a Shared, id: String, reply: oneshot::Sender<Envelope>) -> Self {
        shared.pending().insert(id.clone(), reply);
        Self { shared, id }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.shared.pending().remove(&self.id);
    }
}

/// Takes replies until the last client is gone. A reply is of use to this process alone, and only
/// now, so it is acknowledged whatever it is.
async fn listen(shared: std::sync::Weak<Shared>, mut deliveries: Box<dyn Deliveries>) {
    while let Some(delivery) = deliveries.next().await {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        match Envelope::decode(&delivery.message.body, REPLY_BYTES_MAX) {
            Ok(reply) => shared.replied(reply),
            Err(error) => tracing::warn!("a reply that can't be read: {error}"),
        }
        if let Err(error) = delivery.ack().await {
            tracing::debug!("acknowledging a reply: {error}");
        }
    }
}
