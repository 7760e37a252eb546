//! What all tasks of a running service share.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use prometheus_client::metrics::gauge::Gauge;
use stele_toolkit_envelope::{Context, Ids};
use tokio::sync::{Notify, watch};

use super::{history::Histories, item::Item};
use crate::{
    Alert, Backoff, Caps, Clock, Extensions, Fate, Jitter, Metrics, Observation, Observer,
    Outgoing, Policy, Spans, Store, Transport, TransportError, dead::Author,
    metrics::HandlerMetrics, registry::Registry,
};

/// The time between attempts at what must succeed: our own database, our own letters.
const OUTAGE: Backoff = Backoff {
    first: Duration::from_millis(100),
    max: Duration::from_secs(5),
    jitter: Jitter::Full,
};

/// What all tasks of a running service share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) service: String,
    pub(crate) policy: Policy,
    pub(crate) registry: Registry,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) caps: Caps,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) context: Arc<Context>,
    pub(crate) states: Extensions,
    pub(crate) author: Author,
    pub(crate) alerts: Vec<Arc<dyn Alert>>,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) metrics: Metrics,
    pub(crate) spans: Arc<dyn Spans>,
    /// Of messages without a handler.
    pub(crate) of_unreadable: HandlerMetrics,
    pub(crate) held: Gauge,
    pub(crate) body_bytes_max: usize,
    /// What is known of messages that fail, where no store keeps it.
    pub(crate) histories: Histories,
    /// How many tasks wait for the database or the broker.
    pub(crate) outages: AtomicUsize,
    /// Woken when `outages` changes to or from zero.
    pub(crate) wake: Notify,
    /// True once the service is to stop.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Core {
    /// Whether something that the service itself needs is away.
    pub(crate) fn has_outage(&self) -> bool {
        self.outages.load(Ordering::Acquire) > 0
    }

    /// Tells what became of a message.
    pub(crate) fn observe(&self, item: &Item, fate: Fate<'_>) {
        if self.observers.is_empty() {
            return;
        }
        let observation = Observation {
            service: &self.service,
            handler: &item.handler,
            message_id: &item.message_id,
            received: &item.received,
            at: self.clock.now(),
            fate,
        };
        for observer in &self.observers {
            observer.observe(&observation);
        }
    }

    /// Sends messages, in order, for as long as the broker may still take them. Fails with what it
    /// refuses for good; `Ok(false)` if the service stops first.
    pub(crate) async fn publish(&self, messages: &[Outgoing]) -> Result<bool, TransportError> {
        let mut left = messages.to_vec();
        let mut outage = Outage::none(self);
        while !left.is_empty() {
            let results = self.transport.publish(&left).await;
            let mut away = None;
            let mut again = Vec::new();
            for (message, result) in left.into_iter().zip(results) {
                match result {
                    Ok(()) => {}
                    Err(error) if error.is_transient() => {
                        again.push(message);
                        away.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            left = again;
            if let Some(error) = away
                && !outage.wait("sending messages", &error).await
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Something that the service itself needs is away. While there is one, no message is started.
#[derive(Debug)]
pub(crate) struct Outage<'a> {
    core: &'a Core,
    failures: u32,
}

impl<'a> Outage<'a> {
    /// None yet.
    pub(crate) fn none(core: &'a Core) -> Self {
        Self { core, failures: 0 }
    }

    /// Waits before another attempt; `false` if the service stops first.
    pub(crate) async fn wait(&mut self, what: &str, error: &(dyn Display + Sync)) -> bool {
        let core = self.core;
        self.failures = self.failures.saturating_add(1);
        tracing::warn!(
            service = core.service,
            attempt = self.failures,
            "{what}: {error}"
        );
        if self.failures == 1 {
            core.outages.fetch_add(1, Ordering::AcqRel);
            core.wake.notify_one();
        }
        let after = OUTAGE.after(self.failures, core.ids.random());
        // Never at once, so that this can't become a busy loop.
        let after = after.max(OUTAGE.first / 4);
        let mut stopping = core.stopping.clone();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|is_stopping| *is_stopping) => false,
            () = core.clock.sleep(after) => true,
        }
    }
}

impl Drop for Outage<'_> {
    fn drop(&mut self) {
        if self.failures > 0 {
            self.core.outages.fetch_sub(1, Ordering::AcqRel);
            self.core.wake.notify_one();
        }
    }
}
