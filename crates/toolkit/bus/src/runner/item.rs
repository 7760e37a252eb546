//! A message on its way through a service.

use std::sync::Arc;

use stele_toolkit_envelope::{Envelope, Timestamp};

use super::core::Core;
use crate::{
    Claim, Delivery, Destination, Origin, Parked, Received, Refusal, Settle, Story, dead,
    metrics::HandlerMetrics, registry::Entry,
};

/// An item as it is handed on: in a box, since it is large, and goes through several tasks.
pub(crate) type BoxItem = Box<Item>;

/// A message on its way through a service.
pub(crate) struct Item {
    /// Its handler, or why it has none.
    pub(crate) entry: Result<Arc<Entry>, Refusal>,
    /// The name of its handler. Of a message without one, that of its service.
    pub(crate) handler: String,
    pub(crate) received: Arc<Received>,
    pub(crate) message_id: String,
    pub(crate) timestamp: Timestamp,
    /// Whether it comes back from where it was put aside.
    pub(crate) is_parked: bool,
    pub(crate) source: Source,
    /// Its failures so far, as far as the store or the dead letter tells.
    pub(crate) story: Option<Story>,
}

/// Where an item comes from.
pub(crate) enum Source {
    /// The broker.
    Delivery {
        settle: Box<dyn Settle>,
        attempt: Option<u32>,
        is_redelivered: bool,
    },
    /// The store, which has counted the attempt.
    Store { attempts: u32 },
}

impl Item {
    /// A delivery, with its envelope read and its handler found.
    pub(crate) fn of(core: &Core, delivery: Delivery) -> Box<Self> {
        let (attempt, is_redelivered) = (delivery.attempt, delivery.is_redelivered);
        let (message, origin, settle) = delivery.into_parts();
        let is_parked = message.to == Destination::Queue(dead::retry_queue(&core.service));
        let received = Received {
            message,
            origin,
            envelope: None,
            attempt: 1,
        };
        let source = Source::Delivery {
            settle,
            attempt,
            is_redelivered,
        };
        Self::read(core, received, source, is_parked)
    }

    /// A message that was parked.
    pub(crate) fn of_parked(core: &Core, parked: Parked) -> Box<Self> {
        let received = Received {
            message: parked.message,
            origin: parked.origin,
            envelope: None,
            attempt: parked.attempts,
        };
        let attempts = parked.attempts;
        let mut item = Self::read(core, received, Source::Store { attempts }, true);
        // The store knows it by these, whatever a newer program reads in it.
        item.message_id = parked.message_id;
        if item.handler != parked.handler {
            item.entry = core
                .registry
                .named(&parked.handler)
                .cloned()
                .ok_or_else(|| {
                    let detail = format!("no handler is named {}", parked.handler);
                    Refusal::new("unknown_handler", detail)
                });
            item.handler = parked.handler;
        }
        item.story = parked.story;
        item
    }

    fn read(core: &Core, mut received: Received, source: Source, is_parked: bool) -> Box<Self> {
        let message = &mut received.message;
        if is_parked {
            dead::restore(message);
        }
        let decoded = Envelope::decode(&message.body, core.body_bytes_max);
        let (entry, envelope, is_raw) = match (core.registry.of_raw(message), decoded) {
            // It need not have one. What it has is for logs, and for what is sent because of it.
            (Some(entry), decoded) => (Ok(Arc::clone(entry)), decoded.ok(), true),
            (None, Ok(envelope)) => (entry_of(core, &envelope), Some(envelope), false),
            (None, Err(error)) => {
                let refusal = Refusal::new(error.reason(), error.to_string());
                (Err(refusal), None, false)
            }
        };
        let own = envelope.as_ref().filter(|_| !is_raw);
        let message_id = match (own, &message.message_id) {
            (Some(envelope), _) => envelope.message_id.clone(),
            (None, Some(id)) => id.clone(),
            (None, None) => place(&received.origin),
        };
        let handler = match &entry {
            Ok(entry) => entry.name.clone(),
            Err(_) => core.service.clone(),
        };
        Box::new(Self {
            entry,
            handler,
            message_id,
            timestamp: own.map_or(message.sent_at, |it| it.timestamp),
            received: Arc::new(Received {
                envelope,
                ..received
            }),
            is_parked,
            source,
            story: None,
        })
    }

    /// Its key, or nothing.
    pub(crate) fn key(&self) -> &str {
        &self.received.message.key
    }

    /// Where it is counted.
    pub(crate) fn metrics<'a>(&'a self, core: &'a Core) -> &'a HandlerMetrics {
        let own = self.entry.as_ref().ok().and_then(|it| it.metrics.get());
        own.unwrap_or(&core.of_unreadable)
    }

    /// Which attempt this is, once it is counted.
    pub(crate) fn attempt(&self) -> u32 {
        self.received.attempt
    }

    /// Whether it came before, or was parked: it is then handled by itself, so that a message that
    /// ends its process doesn't take others with it.
    pub(crate) fn may_have_failed(&self) -> bool {
        match self.source {
            Source::Delivery { is_redelivered, .. } => is_redelivered || self.is_parked,
            Source::Store { .. } => true,
        }
    }

    /// Tells it which attempt this is.
    pub(crate) fn set_attempt(&mut self, attempt: u32) {
        Arc::make_mut(&mut self.received).attempt = attempt;
    }

    /// Claims it for its handler.
    pub(crate) fn claim<'a>(&'a self, core: &'a Core) -> Claim<'a> {
        Claim {
            service: &core.service,
            handler: &self.handler,
            message_id: &self.message_id,
            timestamp: self.timestamp,
            key: self.key(),
            order: core.policy.concurrency.order(),
            is_parked: self.is_parked,
            now: core.clock.now(),
        }
    }

    /// The name of its type, as far as it is known, for logs and metrics.
    pub(crate) fn message_type(&self) -> &str {
        let envelope = self.received.envelope.as_ref();
        envelope.map_or("", |envelope| &envelope.message_type)
    }
}

fn entry_of(core: &Core, envelope: &Envelope) -> Result<Arc<Entry>, Refusal> {
    let message_type = &envelope.message_type;
    let entry = core.registry.types.get(message_type).cloned();
    entry.ok_or_else(|| {
        let detail = format!("{} has no handler for {message_type}", core.service);
        Refusal::new("unknown_type", detail)
    })
}

/// The identity of a message that has no other: where it lies.
fn place(origin: &Origin) -> String {
    let partition = origin.partition.unwrap_or_default();
    let offset = origin.offset.unwrap_or_default();
    format!("{}/{partition}/{offset}", origin.name)
}
