//! A broker in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    MemoryTransport,
    fault::{Fault, Faults},
    queue::{HoldId, Queue, QueueId},
};
use crate::{
    Clock, Destination, Incoming, Outgoing, Start, Subscription, Topology, TransportError,
};

/// The name of the transport, in errors too.
pub(super) const NAME: &str = "memory";

/// The largest body.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// The longest delay and release.
pub(super) const DELAY_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// A broker in memory: topics that are logs, and queues. Clones are the same broker.
#[derive(Clone, Debug)]
pub struct MemoryBroker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    faults: Faults,
    is_away: AtomicBool,
    /// Woken when anything changes that a consumer may wait for.
    changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    topics: BTreeMap<String, Topic>,
    pub(super) queues: BTreeMap<QueueId, Queue>,
    next_number: u64,
}

#[derive(Debug, Default)]
struct Topic {
    log: Vec<Incoming>,
    services: BTreeSet<String>,
}

impl MemoryBroker {
    /// An empty broker that lives by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            clock,
            faults: Faults::default(),
            is_away: AtomicBool::new(false),
            changed: Notify::new(),
        }))
    }

    /// A transport to it, as a process would have.
    pub fn transport(&self) -> MemoryTransport {
        MemoryTransport::new(self.clone())
    }

    /// Orders a fault for the next `times` messages that it can strike.
    pub fn fault(&self, fault: Fault, times: usize) {
        self.0.faults.order(fault, times);
    }

    /// Returns once a [`Fault::Crash`] has struck here.
    pub async fn crashed(&self) {
        self.0.faults.crashed().await;
    }

    /// Makes it unreachable, or reachable again: nothing is taken, handed out or acknowledged.
    pub fn set_away(&self, is_away: bool) {
        self.0.is_away.store(is_away, Ordering::Release);
        self.disconnect();
    }

    /// Loses all connections: what was handed out and isn't settled comes again.
    pub fn disconnect(&self) {
        for queue in self.state().queues.values_mut() {
            queue.abandon(|_| true);
        }
        self.changed();
    }

    /// What waits in a queue, or is handed out and not settled, in order.
    pub fn queue(&self, name: &str) -> Vec<Incoming> {
        let state = self.state();
        let queue = state.queues.get(&QueueId::Named(name.to_owned()));
        queue.map(Queue::messages).unwrap_or_default()
    }

    /// What waits for a service of the topics that it subscribes to, or is handed out and not
    /// settled, in order.
    pub fn waiting(&self, service: &str) -> Vec<Incoming> {
        let state = self.state();
        let queue = state.queues.get(&QueueId::Service(service.to_owned()));
        queue.map(Queue::messages).unwrap_or_default()
    }

    /// Everything that was published to a topic, in order.
    pub fn topic(&self, name: &str) -> Vec<Incoming> {
        let state = self.state();
        let topic = state.topics.get(name);
        topic.map(|topic| topic.log.clone()).unwrap_or_default()
    }

    pub(super) fn declare(&self, topology: &Topology) {
        let mut state = self.state();
        for topic in &topology.topics {
            state.topics.entry(topic.clone()).or_default();
        }
        for queue in &topology.queues {
            state.queue(QueueId::Named(queue.clone()));
        }
        for subscription in &topology.subscriptions {
            state.subscribe(subscription, &*self.0.clock);
        }
        drop(state);
        self.changed();
    }

    pub(super) fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let mut failed_keys = HashSet::new();
        let mut state = self.state();
        let results = batch.iter().map(|message| {
            if failed_keys.contains(message.key.as_str()) {
                return Err(TransportError::Behind);
            }
            let result = self.publish_one(&mut state, message);
            if result.is_err() && !message.key.is_empty() {
                failed_keys.insert(message.key.as_str());
            }
            result
        });
        let results = results.collect();
        drop(state);
        self.changed();
        results
    }

    fn publish_one(&self, state: &mut State, message: &Outgoing) -> Result<(), TransportError> {
        if message.body.len() > BODY_BYTES_MAX {
            return Err(TransportError::Refused {
                transport: NAME,
                reason: format!("the body has over {BODY_BYTES_MAX} bytes"),
            });
        }
        if message.delay > DELAY_MAX {
            return Err(unsupported(format!("a delay of {:?}", message.delay)));
        }
        if self.is_away() {
            return Err(TransportError::Unreachable {
                transport: NAME,
                reason: "the test has it away".to_owned(),
            });
        }
        let faults = &self.0.faults;
        if faults.strikes(Fault::RefusePublish) {
            return Err(TransportError::Busy {
                transport: NAME,
                reason: "a fault was ordered".to_owned(),
            });
        }
        let now = self.0.clock.now();
        let incoming = Incoming {
            to: message.to.clone(),
            key: message.key.clone(),
            message_id: Some(message.message_id.clone()),
            content_type: Some(message.content_type.clone()),
            headers: message.headers.clone(),
            body: message.body.clone(),
            sent_at: now,
        };
        let copies = if faults.strikes(Fault::Double) { 2 } else { 1 };
        let ids = state.receivers(&message.to, &incoming)?;
        let swaps = faults.strikes(Fault::Reorder);
        for id in ids {
            let queue = state.queue(id);
            for _ in 0..copies {
                queue.push(incoming.clone(), now + message.delay);
            }
            if swaps {
                queue.swap_last();
            }
        }
        if faults.strikes(Fault::LoseConfirm) {
            return Err(TransportError::Unreachable {
                transport: NAME,
                reason: "a fault was ordered".to_owned(),
            });
        }
        Ok(())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_away(&self) -> bool {
        self.0.is_away.load(Ordering::Acquire)
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    pub(super) fn change(&self) -> &Notify {
        &self.0.changed
    }

    pub(super) fn changed(&self) {
        self.0.changed.notify_waiters();
    }
}

impl State {
    /// Where a message is stored.
    fn receivers(
        &mut self,
        to: &Destination,
        message: &Incoming,
    ) -> Result<Vec<QueueId>, TransportError> {
        match to {
            Destination::Topic(name) => {
                let topic = self.topics.entry(name.clone()).or_default();
                topic.log.push(message.clone());
                let services = topic.services.iter().cloned();
                Ok(services.map(QueueId::Service).collect())
            }
            Destination::Queue(name) => {
                let id = QueueId::Named(name.clone());
                match self.queues.contains_key(&id) {
                    true => Ok(vec![id]),
                    false => Err(TransportError::NoSuchDestination {
                        destination: name.clone(),
                    }),
                }
            }
        }
    }

    fn queue(&mut self, id: QueueId) -> &mut Queue {
        self.queues.entry(id).or_default()
    }

    /// Makes a service's queue. A service that is new to a topic gets what is in its log, if it
    /// wants that.
    pub(super) fn subscribe(&mut self, subscription: &Subscription, clock: &dyn Clock) {
        let service = &subscription.service;
        for name in &subscription.queues {
            self.queue(QueueId::Named(name.clone()));
        }
        for name in &subscription.topics {
            let topic = self.topics.entry(name.clone()).or_default();
            let is_new = topic.services.insert(service.clone());
            let log = match (is_new, subscription.start) {
                (true, Start::Earliest) => topic.log.clone(),
                (true, Start::Latest) | (false, _) => Vec::new(),
            };
            let queue = self.queue(QueueId::Service(service.clone()));
            for message in log {
                queue.push(message, clock.now());
            }
        }
    }

    /// A number that nothing else has.
    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// A new hold of a consumer.
    pub(super) fn hold(&mut self, consumer: u64) -> HoldId {
        let number = self.number();
        HoldId { consumer, number }
    }
}

pub(super) fn unsupported(what: String) -> TransportError {
    TransportError::Unsupported {
        transport: NAME,
        what,
    }
}
