//! The world that services are tested in.

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{
    Clock, ClockedIds, Destination, NoStore, Outgoing, Service, Transport, dead_queue,
    memory::{Crash, Fault, MemoryBroker, MemoryStore, MemoryTransport, VirtualClock},
};
use stele_toolkit_envelope::{Context, Envelope, Ids, Message, SeededIds, Timestamp};
use tokio::sync::Mutex;

#[cfg(feature = "sql")]
use super::sqlite::Database;
use super::{
    Dead, TestStore,
    process::{Process, Surroundings},
    watched::Watch,
};
use crate::{
    difference::{Item, assert_same},
    message::{command, event},
};

/// How much time passes at most until nothing is left to do: more is an endless loop.
const PATIENCE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A broker in memory, virtual time, and the services that a test runs in them.
///
/// It needs a runtime of the current thread, as that of `#[tokio::test]` is. Time stands still
/// until [`Harness::run_to_idle`] or [`Harness::run_for`] lets it pass. No test waits for real.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use stele_toolkit_bus::{Event, Failure, Service};
/// # use stele_toolkit_envelope::Message;
/// use stele_toolkit_test::Harness;
///
/// # #[derive(Serialize, Deserialize, Message)]
/// # #[message(version = "1.0", topic = "order.created", key = order)]
/// # struct OrderCreated { order: String }
/// # async fn fail(_: Event<OrderCreated>) -> Result<(), Failure> { Err(Failure::retry("no")) }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let harness = Harness::new();
/// harness.start(|| Service::new("inventory").on(fail)).await;
/// let id = harness.publish(&OrderCreated { order: "o-1".to_owned() }).await;
/// harness.run_to_idle().await;
/// assert_eq!(harness.attempts("inventory", &id), 3);
/// harness.then_dead("inventory", [("OrderCreated", "error")]);
/// # }
/// ```
#[derive(Debug)]
pub struct Harness {
    surroundings: Surroundings,
    watch: Arc<Watch>,
    processes: Mutex<Vec<Process>>,
    crashes: std::sync::atomic::AtomicUsize,
    #[cfg(feature = "sql")]
    databases: std::sync::Mutex<Vec<Database>>,
}

impl Harness {
    /// A world without services, at the beginning of 2024.
    ///
    /// # Panics
    ///
    /// If the runtime isn't one of the current thread, or something else has paused its time.
    #[must_use]
    pub fn new() -> Self {
        let clock = VirtualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let random = Arc::new(SeededIds::new(1, Timestamp::UNIX_EPOCH));
        Self {
            surroundings: Surroundings {
                broker: MemoryBroker::new(Arc::clone(&shared)),
                ids: Arc::new(ClockedIds::new(shared, random)),
                clock,
            },
            watch: Arc::default(),
            processes: Mutex::default(),
            crashes: 0.into(),
            #[cfg(feature = "sql")]
            databases: std::sync::Mutex::default(),
        }
    }

    /// Starts a service on a store in memory of its own, which this returns. `make` is called again
    /// when the service starts again after a crash.
    pub async fn start(&self, make: impl Fn() -> Service + 'static) -> MemoryStore {
        let store = MemoryStore::new(Arc::new(self.clock()));
        self.start_on(&store, make).await;
        store
    }

    /// Starts a service on a store.
    pub async fn start_on<S: TestStore>(&self, store: &S, make: impl Fn() -> Service + 'static) {
        let mut process = Process::new(store.clone(), &self.watch, make);
        process.start(&self.surroundings).await;
        self.processes.lock().await.push(process);
    }

    /// Starts a service without a store.
    pub async fn start_without_store(&self, make: impl Fn() -> Service + 'static) {
        self.start_on(&NoStore, make).await;
    }

    /// Publishes an event to its type's topic, and returns the id of its message.
    pub async fn publish<M: Message>(&self, event: &M) -> String {
        self.put(Destination::Topic(M::TOPIC.to_owned()), event)
            .await
    }

    /// Sends a command to a queue, and returns the id of its message.
    pub async fn send<M: Message>(&self, queue: impl Into<String>, command: &M) -> String {
        self.put(Destination::Queue(queue.into()), command).await
    }

    /// Sends a message as it is. One that the broker doesn't take for now, or doesn't confirm, is
    /// sent again, as an outbox does.
    ///
    /// # Panics
    ///
    /// If the broker refuses it for good, or again and again.
    pub async fn forward(&self, message: Outgoing) {
        const TRIES: usize = 100;
        let mut refusal = None;
        for _ in 0..TRIES {
            let transport = self.surroundings.broker.transport();
            let sent = transport.publish(std::slice::from_ref(&message)).await;
            match sent.into_iter().find_map(Result::err) {
                None => return,
                Some(error) if error.is_transient() => refusal = Some(error),
                Some(error) => panic!("the broker doesn't take the message: {error}"),
            }
        }
        panic!("the broker takes the message none of {TRIES} times: {refusal:?}");
    }

    /// Has everything run that can, without time passing.
    pub async fn settle(&self) {
        loop {
            tokio::select! {
                biased;
                () = self.crashed() => self.restart().await,
                () = self.surroundings.clock.settle() => return,
            }
        }
    }

    /// Lets time pass until no service has anything left to do: no message to handle, to send or
    /// to try again. Time passes in jumps, to the next moment at which somebody waits for it.
    ///
    /// A service that crashes is started again, and with it all others.
    ///
    /// # Panics
    ///
    /// If that isn't so after 30 days: something goes round in circles, or is away for good.
    pub async fn run_to_idle(&self) {
        let until = self.now() + PATIENCE;
        loop {
            self.settle().await;
            let left = self.left().await;
            if left.is_empty() {
                return;
            }
            let has_time = self.now() < until;
            if !has_time || !self.surroundings.clock.step().await {
                let why = match has_time {
                    true => "nobody waits for a time",
                    false => "30 days have passed",
                };
                panic!("{why}, and this is left to do:\n  {}", left.join("\n  "));
            }
        }
    }

    /// Lets this much time pass.
    pub async fn run_for(&self, duration: Duration) {
        let until = self.now() + duration;
        loop {
            let left = until.since(self.now());
            tokio::select! {
                biased;
                () = self.crashed() => self.restart().await,
                () = self.surroundings.clock.advance(left) => return,
            }
        }
    }

    /// Orders a fault for the next `times` messages that the broker can have it with: doubles,
    /// reorders, loses what they are acknowledged by.
    pub fn fault(&self, fault: Fault, times: usize) {
        match fault {
            Fault::Crash(crash) => (0..times).for_each(|_| self.crash(crash)),
            fault => self.surroundings.broker.fault(fault, times),
        }
    }

    /// Orders a crash at this point, of whichever service comes there first. All services end with
    /// it, and start again.
    pub fn crash(&self, point: Crash) {
        match point {
            Crash::BeforeCommit | Crash::AfterCommit => self.watch.order(point),
            Crash::BeforeAck | Crash::AfterPublish => {
                self.surroundings.broker.fault(Fault::Crash(point), 1);
            }
        }
    }

    /// How many crashes there were.
    pub fn crashes(&self) -> usize {
        self.crashes.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Makes all stores unreachable for services, for their handlers as for the loops that look
    /// after the deadlines of sagas, or reachable again.
    pub fn database_away(&self, is_away: bool) {
        self.watch.set_away(is_away);
    }

    /// Makes the broker unreachable, or reachable again. What was handed out comes again.
    pub fn broker_away(&self, is_away: bool) {
        self.surroundings.broker.set_away(is_away);
    }

    /// Ends all services in good order, and starts them again.
    pub async fn restart_in_good_order(&self) {
        for process in self.processes.lock().await.iter_mut() {
            process.stop().await;
            process.start(&self.surroundings).await;
        }
    }

    /// How often a service has begun to handle a message.
    pub fn attempts(&self, service: &str, message_id: &str) -> usize {
        self.watch.attempts(service, message_id)
    }

    /// All events of a type that were published, by whomever.
    #[track_caller]
    pub fn published<M: Message>(&self) -> Vec<M> {
        let all = self.surroundings.broker.topic(M::TOPIC);
        opened(all.iter().map(|message| message.body.as_ref()))
    }

    /// The commands of a type that wait in a queue.
    #[track_caller]
    pub fn waiting<M: Message>(&self, queue: &str) -> Vec<M> {
        let all = self.surroundings.broker.queue(queue);
        opened(all.iter().map(|message| message.body.as_ref()))
    }

    /// A service's dead letters.
    pub fn dead(&self, service: &str) -> Vec<Dead> {
        let letters = self.surroundings.broker.queue(&dead_queue(service));
        letters.into_iter().map(Dead::of).collect()
    }

    /// Panics unless exactly these events of their type were published, in this order.
    #[track_caller]
    pub fn then_published<M: Message>(&self, expected: impl IntoIterator<Item = M>) {
        let item = |message: &M| event(message).into_item();
        let expected: Vec<Item> = expected.into_iter().map(|it| item(&it)).collect();
        let got: Vec<Item> = self.published::<M>().iter().map(item).collect();
        let what = format!("other messages were published to {}", M::TOPIC);
        assert_same(&what, &expected, &got);
    }

    /// Panics unless exactly these commands of their type wait in a queue, in this order.
    #[track_caller]
    pub fn then_waiting<M: Message>(&self, queue: &str, expected: impl IntoIterator<Item = M>) {
        let item = |message: &M| command(message).into_item();
        let expected: Vec<Item> = expected.into_iter().map(|it| item(&it)).collect();
        let got: Vec<Item> = self.waiting::<M>(queue).iter().map(item).collect();
        assert_same(&format!("other messages wait in {queue}"), &expected, &got);
    }

    /// Panics unless a service has exactly these dead letters, each by the type of its message and
    /// the reason, in this order.
    #[track_caller]
    pub fn then_dead<'a>(
        &self,
        service: &str,
        expected: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        let line = |name: &str, reason: &str| Item::line(format!("{name}: {reason}"));
        let expected = expected
            .into_iter()
            .map(|(name, reason)| line(name, reason));
        let expected: Vec<Item> = expected.collect();
        let dead = self.dead(service);
        let got = dead.iter().map(|it| line(&it.message_type, &it.reason));
        let got: Vec<Item> = got.collect();
        assert_same(
            &format!("{service} has other dead letters"),
            &expected,
            &got,
        );
    }

    /// The clock.
    pub fn clock(&self) -> VirtualClock {
        self.surroundings.clock.clone()
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.surroundings.clock.now()
    }

    /// The broker.
    pub fn broker(&self) -> &MemoryBroker {
        &self.surroundings.broker
    }

    /// A transport to the broker, for what isn't a service.
    pub fn transport(&self) -> MemoryTransport {
        self.surroundings.broker.transport()
    }

    /// The context of messages that the test itself sends.
    pub fn context(&self) -> Context {
        Context::new("test").with_ids(self.ids())
    }

    /// Ids that are the same in each run, with the times of the clock.
    pub fn ids(&self) -> Arc<dyn Ids> {
        Arc::clone(&self.surroundings.ids)
    }

    #[cfg(feature = "sql")]
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    #[cfg(feature = "sql")]
    pub(super) fn keep(&self, database: Database) {
        let databases = self.databases.lock();
        let mut databases = databases.unwrap_or_else(std::sync::PoisonError::into_inner);
        databases.push(database);
    }

    async fn put<M: Message>(&self, to: Destination, message: &M) -> String {
        let envelope = Envelope::of(message, &self.context()).expect("a message that is JSON");
        let id = envelope.message_id.clone();
        let outgoing = Outgoing::json(to, &id, envelope.encode()).with_key(message.key().0);
        self.forward(outgoing).await;
        id
    }

    /// What is left to do, in words.
    async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for process in self.processes.lock().await.iter() {
            left.extend(process.left(&self.surroundings).await);
        }
        left
    }

    async fn crashed(&self) {
        tokio::select! {
            () = self.watch.crashed.notified() => {}
            () = self.surroundings.broker.crashed() => {}
        }
    }

    /// Ends all services where one has crashed, and starts them again.
    async fn restart(&self) {
        // Until then all else gets as far as it can: so each run is the same.
        self.surroundings.clock.settle().await;
        self.crashes
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut processes = self.processes.lock().await;
        processes.iter_mut().for_each(Process::crash);
        // What they had begun ends before they begin anew.
        self.surroundings.clock.settle().await;
        for process in processes.iter_mut() {
            process.start(&self.surroundings).await;
        }
    }
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

/// Those of the bodies that are messages of this type.
#[track_caller]
fn opened<'a, M: Message>(bodies: impl Iterator<Item = &'a [u8]>) -> Vec<M> {
    let envelopes = bodies.filter_map(|body| Envelope::decode(body, body.len()).ok());
    let of_type = envelopes.filter(Envelope::is::<M>);
    let open = |envelope: Envelope| match envelope.open() {
        Ok(message) => message,
        Err(error) => panic!("a message can't be read: {error}"),
    };
    of_type.map(open).collect()
}
