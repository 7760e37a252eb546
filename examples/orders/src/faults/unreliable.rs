//! A transport that doubles messages, and lets later ones overtake earlier ones.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Caps, Deliveries, Delivery, Depth, Destination, Outgoing, Subscription, Topology, Transport,
    TransportError,
};
use stele_toolkit_envelope::{Envelope, Message};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use crate::{
    dice::Dice,
    messages::{OrderConfirmed, OrderCreated},
};

/// How much later a message is sent a second time, at most.
const DOUBLED_AFTER_MS: u64 = 2000;

/// How long a message is held back, at most.
const HELD_MS: u64 = 1000;

/// Of so many doubles one has another message id.
const OTHER_ID_ONE_IN: u64 = 5;

/// The largest message that gets another id.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Topics of events that have no other key than their message id: under another one they are other
/// events.
const KEPT_IDS: [&str; 2] = [OrderCreated::TOPIC, OrderConfirmed::TOPIC];

/// A transport with faults.
#[derive(Debug)]
pub(super) struct Unreliable {
    pub(super) inner: Arc<dyn Transport>,
    pub(super) doubles: f64,
    pub(super) delays: f64,
    pub(super) dice: Dice,
}

impl Unreliable {
    /// Sends a message a second time, later.
    fn double(&self, message: &Outgoing) {
        let mut double = message.clone();
        if self.dice.below(OTHER_ID_ONE_IN) == 0 && !KEPT_IDS.contains(&message.to.name()) {
            give_other_id(&mut double);
        }
        let transport = Arc::clone(&self.inner);
        let after = Duration::from_millis(self.dice.below(DOUBLED_AFTER_MS));
        tokio::spawn(async move {
            sleep(after).await;
            for result in transport.publish(std::slice::from_ref(&double)).await {
                if let Err(error) = result {
                    tracing::warn!(%error, "a double wasn't sent");
                }
            }
        });
    }
}

fn give_other_id(message: &mut Outgoing) {
    if let Ok(mut envelope) = Envelope::decode(&message.body, BODY_BYTES_MAX) {
        envelope.message_id = Uuid::new_v4().to_string();
        message.message_id.clone_from(&envelope.message_id);
        message.body = envelope.encode().into();
    }
}

/// Whether it is a dead letter, of which there is to be one.
fn is_letter(message: &Outgoing) -> bool {
    matches!(&message.to, Destination::Queue(name) if name.ends_with(".dead"))
}

#[async_trait]
impl Transport for Unreliable {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    async fn declare(&self, topology: &Topology) -> Result<(), TransportError> {
        self.inner.declare(topology).await
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let results = self.inner.publish(batch).await;
        for (message, result) in batch.iter().zip(&results) {
            if result.is_ok() && !is_letter(message) && self.dice.chance(self.doubles) {
                self.double(message);
            }
        }
        results
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        Ok(Box::new(Overtaking {
            inner: self.inner.subscribe(subscription).await?,
            delays: self.delays,
            dice: self.dice.clone(),
            held: Vec::new(),
        }))
    }

    async fn depth(&self, subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        self.inner.depth(subscription).await
    }
}

/// Deliveries of which some are held back while others go ahead.
#[derive(Debug)]
struct Overtaking {
    inner: Box<dyn Deliveries>,
    delays: f64,
    dice: Dice,
    held: Vec<(Instant, Delivery)>,
}

impl Overtaking {
    /// The place of the delivery that is held back for the shortest time from now.
    fn next_held(&self) -> Option<usize> {
        let held = self.held.iter().enumerate();
        let next = held.min_by_key(|(_, (until, _))| *until);
        next.map(|(at, _)| at)
    }
}

#[async_trait]
impl Deliveries for Overtaking {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let next = self.next_held();
            let until = next.map(|at| self.held[at].0);
            let due = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {
                    if let Some(at) = next {
                        return Some(self.held.swap_remove(at).1);
                    }
                }
                delivery = self.inner.next() => {
                    let Some(delivery) = delivery else {
                        // What is dropped here isn't settled, and comes again.
                        self.held.clear();
                        return None;
                    };
                    if !self.dice.chance(self.delays) {
                        return Some(delivery);
                    }
                    let after = Duration::from_millis(self.dice.below(HELD_MS));
                    self.held.push((Instant::now() + after, delivery));
                }
            }
        }
    }

    fn pause(&self) {
        self.inner.pause();
    }

    fn resume(&self) {
        self.inner.resume();
    }

    async fn drain(mut self: Box<Self>) -> Result<(), TransportError> {
        self.held.clear();
        self.inner.drain().await
    }
}
