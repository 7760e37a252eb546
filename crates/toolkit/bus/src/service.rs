//! Services: handlers with their policy, on a store and a transport.

mod checks;
mod running;

pub use checks::StartError;
pub use running::{Running, StopError, asked_to_end};

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use stele_toolkit_envelope::{Context, Ids, SystemIds};
use tokio::sync::{Notify, watch};

use crate::{
    Alert, Breaker, Call, Clock, ClockedIds, Companion, Concurrency, Destination, Extensions,
    Handler, HandlerFuture, LogAlert, Metrics, Observer, Place, Policy, Reads, Refusal, Spans,
    Start, Store, Subscription, SystemClock, Topology, Transport,
    dead::{Author, dead_queue, retry_queue},
    registry::{Entry, Registry},
    runner::{BatchSize, Histories, Parts, Runner, core::Core, prefetch},
    spans::NoSpans,
};

/// The largest body that is looked into, if nothing else is said: 1 MiB.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A service: its name, its handlers, and what becomes of the messages that they can't handle.
///
/// A service has one subscription and one policy. Handlers that need different ones are several
/// services, which may share a process.
#[must_use = "a service does nothing until it runs"]
pub struct Service {
    name: String,
    registrations: Vec<Registration>,
    companions: Vec<Arc<dyn Companion>>,
    policy: Policy,
    concurrency: Option<Concurrency>,
    timeout: Option<Duration>,
    breaker: Option<Breaker>,
    batch_size: BatchSize,
    states: Extensions,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Ids>,
    author: Author,
    alerts: Vec<Arc<dyn Alert>>,
    observers: Vec<Arc<dyn Observer>>,
    metrics: Metrics,
    spans: Arc<dyn Spans>,
    start: Start,
    prefetch: Option<u32>,
    body_bytes_max: usize,
    is_single_active: bool,
    counts_in_memory: bool,
    depth_every: Option<Duration>,
}

/// A handler that was given to a service.
struct Registration {
    reads: Reads,
    from: Destination,
    entry: Arc<Entry>,
    check: fn(&Extensions) -> Result<(), String>,
}

impl Service {
    /// A service without handlers. Its name is that of its subscription, and of its queues.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            registrations: Vec::new(),
            companions: Vec::new(),
            policy: Policy::default(),
            concurrency: None,
            timeout: None,
            breaker: None,
            batch_size: BatchSize {
                messages: 100,
                time: Duration::from_millis(50),
            },
            states: Extensions::new(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemIds),
            author: Author {
                host: std::env::var("HOSTNAME").unwrap_or_default(),
                code_version: String::new(),
            },
            alerts: vec![Arc::new(LogAlert)],
            observers: Vec::new(),
            metrics: Metrics::default(),
            spans: Arc::new(NoSpans),
            start: Start::default(),
            prefetch: None,
            body_bytes_max: BODY_BYTES_MAX,
            is_single_active: false,
            counts_in_memory: false,
            depth_every: None,
        }
    }

    /// A handler for the type of its first argument, published to the type's topic. A service has
    /// one handler of each type.
    pub fn on<Args, H: Handler<Args>>(self, handler: H) -> Self {
        let from = match H::reads() {
            Reads::Type { topic, .. } => Destination::Topic(topic.to_owned()),
            // Refused at the start: it doesn't say where its messages come from.
            Reads::Raw => Destination::Topic(String::new()),
        };
        self.register(from, handler)
    }

    /// A handler for commands of the type of its first argument, sent to a queue.
    pub fn on_queue<Args, H: Handler<Args>>(self, queue: impl Into<String>, handler: H) -> Self {
        self.register(Destination::Queue(queue.into()), handler)
    }

    /// A handler for everything that is sent to a topic or queue, without a look at its type. Its
    /// first argument is [`Raw`](crate::Raw).
    pub fn on_raw<Args, H: Handler<Args>>(self, from: Destination, handler: H) -> Self {
        self.register(from, handler)
    }

    /// A handler for a type that is known as a value alone, published to the type's topic. It takes
    /// its arguments out of the call itself. For libraries that have several types handled alike.
    pub fn on_type(
        self,
        reads: Reads,
        call: impl Fn(&mut Call<'_>) -> Result<HandlerFuture, Refusal> + Send + Sync + 'static,
    ) -> Self {
        let from = match reads {
            Reads::Type { topic, .. } => Destination::Topic(topic.to_owned()),
            Reads::Raw => Destination::Topic(String::new()),
        };
        self.add(reads, from, call, |_| Ok(()))
    }

    /// Something that runs beside the handlers.
    pub fn beside(mut self, companion: Arc<dyn Companion>) -> Self {
        self.companions.push(companion);
        self
    }

    fn register<Args, H: Handler<Args>>(self, from: Destination, handler: H) -> Self {
        self.add(H::reads(), from, move |call| handler.call(call), H::check)
    }

    fn add(
        mut self,
        reads: Reads,
        from: Destination,
        call: impl Fn(&mut Call<'_>) -> Result<HandlerFuture, Refusal> + Send + Sync + 'static,
        check: fn(&Extensions) -> Result<(), String>,
    ) -> Self {
        let (what, is_batch) = match reads {
            Reads::Type { name, is_batch, .. } => (name, is_batch),
            Reads::Raw => (from.name(), false),
        };
        let entry = Entry {
            name: format!("{}/{what}", self.name),
            is_batch,
            call: Box::new(call),
            metrics: OnceLock::new(),
        };
        self.registrations.push(Registration {
            reads,
            from,
            entry: Arc::new(entry),
            check,
        });
        self
    }

    /// What becomes of messages that can't be handled.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Pauses the subscription while what the handlers use is away.
    pub fn breaker(mut self, breaker: Breaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Up to so many messages at the same time, those of a key in order: [`Concurrency::ByKey`].
    pub fn ordered_by_key(mut self, lanes: usize) -> Self {
        self.concurrency = Some(Concurrency::ByKey(lanes));
        self
    }

    /// Up to so many messages at the same time, in any order: [`Concurrency::Any`].
    pub fn concurrency(mut self, count: usize) -> Self {
        self.concurrency = Some(Concurrency::Any(count));
        self
    }

    /// How long a handler may take, whatever the policy says.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many messages make a [`Batch`](crate::Batch) at most, and how long the first waits for
    /// others. By default 100, and 50 ms.
    pub fn batches(mut self, messages: usize, time: Duration) -> Self {
        let messages = messages.max(1);
        self.batch_size = BatchSize { messages, time };
        self
    }

    /// A value that handlers take as [`State`](crate::State).
    pub fn state<S: Send + Sync + 'static>(mut self, state: S) -> Self {
        self.states.insert(Arc::new(state));
        self
    }

    /// One process of the service gets everything, and another takes over when it is gone.
    pub fn single_active(mut self) -> Self {
        self.is_single_active = true;
        self
    }

    /// Where the subscription begins if the broker doesn't know it yet.
    pub fn start_at(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// How many messages the process takes from the broker before it has settled them. By default
    /// a few for each that is handled at the same time.
    pub fn prefetch(mut self, count: u32) -> Self {
        self.prefetch = Some(count);
        self
    }

    /// The largest body that is looked into. Larger ones become dead letters.
    pub fn body_bytes_max(mut self, size_bytes: usize) -> Self {
        self.body_bytes_max = size_bytes;
        self
    }

    /// Counts attempts in this process alone, if neither the store nor the transport counts them: a
    /// message that ends the process is then delivered again for ever.
    pub fn count_attempts_in_memory(mut self) -> Self {
        self.counts_in_memory = true;
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another source of randomness than the system's. Its clock isn't used.
    pub fn random(mut self, random: Arc<dyn Ids>) -> Self {
        self.random = random;
        self
    }

    /// The program's version, for dead letters.
    pub fn code_version(mut self, version: impl Into<String>) -> Self {
        self.author.code_version = version.into();
        self
    }

    /// The machine's name, for dead letters. By default what `HOSTNAME` says in the environment.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.author.host = name.into();
        self
    }

    /// Another who is told of dead letters, besides the log.
    pub fn alert(mut self, alert: impl Alert) -> Self {
        self.alerts.push(Arc::new(alert));
        self
    }

    /// Another who is told what becomes of each message.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Where the service counts. Several services may share it.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = metrics.clone();
        self
    }

    /// What joins the spans of the service's messages with those of other programs. By default
    /// nothing does.
    pub fn spans(mut self, spans: impl Spans) -> Self {
        self.spans = Arc::new(spans);
        self
    }

    /// Asks the broker and the store this often what waits for the service, for [`Metrics`]. By
    /// default never.
    pub fn watch_depth(mut self, every: Duration) -> Self {
        self.depth_every = Some(every);
        self
    }

    /// Runs until the process is asked to end (SIGINT or SIGTERM), and then finishes what it has
    /// begun.
    pub async fn run(self, store: impl Store, transport: impl Transport) -> Result<(), StartError> {
        let running = self.start(Arc::new(store), Arc::new(transport)).await?;
        running.until_asked_to_end().await?;
        Ok(())
    }

    /// Starts. Once it returns, messages that are published reach the service.
    ///
    /// Refuses what the policy asks and the store and transport can't give.
    pub async fn start(
        mut self,
        store: Arc<dyn Store>,
        transport: Arc<dyn Transport>,
    ) -> Result<Running, StartError> {
        if let Some(concurrency) = self.concurrency {
            self.policy.concurrency = concurrency;
        }
        if let Some(timeout) = self.timeout {
            self.policy.timeout = timeout;
        }
        let caps = transport.caps();
        self.check(&*store, transport.name(), caps)?;
        let registry = self.registry()?;
        let subscription = self.subscription();
        let (stop, stopping) = watch::channel(false);
        let ids: Arc<dyn Ids> = Arc::new(ClockedIds::new(
            Arc::clone(&self.clock),
            Arc::clone(&self.random),
        ));
        let context = Context::new(self.name.clone()).with_ids(Arc::clone(&ids));
        let context = Arc::new(context);
        let place = self.place(&*store, &context, &stopping).await?;
        let topology = Topology {
            topics: subscription.topics.clone(),
            // The subscription declares its own, such as that of retries, as it needs them.
            queues: vec![dead_queue(&self.name)],
            subscriptions: vec![subscription.clone()],
        };
        transport.declare(&topology).await?;
        let deliveries = transport.subscribe(&subscription).await?;
        let core = Arc::new(Core {
            context,
            of_unreadable: self.metrics.of_handler(&self.name),
            held: self.metrics.held(&self.name),
            service: self.name,
            policy: self.policy,
            registry,
            store,
            transport,
            caps,
            clock: self.clock,
            ids,
            states: self.states,
            author: self.author,
            alerts: self.alerts,
            observers: self.observers,
            metrics: self.metrics,
            spans: self.spans,
            body_bytes_max: self.body_bytes_max,
            histories: Histories::default(),
            outages: 0.into(),
            wake: Notify::new(),
            stopping,
        });
        let runner = Runner::new(Parts {
            core,
            deliveries,
            breaker: self.breaker,
            batch_size: self.batch_size,
            subscription,
            depth_every: self.depth_every,
            companions: self.companions,
            place: Arc::new(place),
        });
        Ok(Running::new(stop, tokio::spawn(runner.run())))
    }

    /// Where the companions run, with each of them prepared.
    async fn place(
        &self,
        store: &dyn Store,
        context: &Arc<Context>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Place, StartError> {
        let mut lent = Extensions::new();
        store.lend(&mut lent);
        let place = Place {
            service: self.name.clone(),
            context: Arc::clone(context),
            clock: Arc::clone(&self.clock),
            lent,
            alerts: self.alerts.clone(),
            stopping: stopping.clone(),
        };
        for companion in &self.companions {
            let prepared = companion.prepare(&place).await;
            prepared.map_err(StartError::Companion)?;
        }
        Ok(place)
    }

    /// What runs beside its handlers.
    pub fn companions(&self) -> &[Arc<dyn Companion>] {
        &self.companions
    }

    /// What it subscribes to, as it is set up now.
    pub fn subscription(&self) -> Subscription {
        let mut subscription = Subscription::new(&self.name).queue(retry_queue(&self.name));
        let froms: BTreeSet<&Destination> = self.registrations.iter().map(|it| &it.from).collect();
        for from in froms {
            subscription = match from {
                Destination::Topic(name) => subscription.topic(name),
                Destination::Queue(name) => subscription.queue(name),
            };
        }
        let by_default = prefetch(self.policy.concurrency).max(self.batch_size.messages);
        let by_default = u32::try_from(by_default).unwrap_or(u32::MAX);
        subscription.prefetch = self.prefetch.unwrap_or(by_default).max(1);
        subscription.is_single_active = self.is_single_active;
        subscription.start = self.start;
        subscription
    }

    fn registry(&self) -> Result<Registry, StartError> {
        let mut registry = Registry::default();
        for registration in &self.registrations {
            let entry = &registration.entry;
            entry
                .metrics
                .get_or_init(|| self.metrics.of_handler(&entry.name));
            let names: Vec<&str> = match registration.reads {
                Reads::Raw => {
                    let from = registration.from.clone();
                    if registry.raw.insert(from, Arc::clone(entry)).is_some() {
                        return Err(StartError::Repeated(entry.name.clone()));
                    }
                    continue;
                }
                Reads::Type { name, aliases, .. } => {
                    [name].into_iter().chain(aliases.iter().copied()).collect()
                }
            };
            for name in names {
                let before = registry.types.insert(name.to_owned(), Arc::clone(entry));
                if before.is_some() {
                    return Err(StartError::Repeated(format!("{}/{name}", self.name)));
                }
            }
        }
        Ok(registry)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers = self.registrations.iter().map(|it| &it.entry.name);
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("handlers", &handlers.collect::<Vec<_>>())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
