//! What a shard tells a session, in batches.

use std::{mem, sync::Arc};

use parking_lot::Mutex;
use stele_base_types::{ConsumerId, LogId};
use stele_core_engine::AppendError;
use tokio::sync::Notify;

use crate::{Error, LeasedBatch};

/// Something that a session hears of.
#[derive(Debug)]
pub enum Event {
    /// The publish of that tag is durable in every log it went to, or was refused. Tags of one
    /// session come in order as long as their logs share a shard.
    Published {
        /// As the session chose it.
        tag: u64,
        /// Why it was refused, if it was.
        result: Result<(), Error<AppendError>>,
    },
    /// Records for a subscribed consumer.
    Delivered {
        /// The log they were leased from.
        log: LogId,
        /// The session's consumer.
        consumer: ConsumerId,
        /// The records.
        batch: LeasedBatch,
        /// To be granted back by [`crate::Session::credit`] when the transport has taken them.
        charged_bytes: u64,
    },
    /// The consumer's log is gone, and the subscription with it.
    ConsumerCancelled {
        /// The session's consumer.
        consumer: ConsumerId,
    },
    /// The broker is short of space (`true`) or no longer.
    Blocked(bool),
}

/// A queue that is filled without waiting and emptied at once. What bounds it is said where it is
/// used: a session's events are bounded by its consumers' credit and its own publishes.
#[derive(Debug)]
pub struct Mailbox<T = Event> {
    items: Mutex<Vec<T>>,
    arrived: Notify,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self {
            items: Mutex::default(),
            arrived: Notify::new(),
        }
    }
}

impl<T> Mailbox<T> {
    /// Puts an item in; never waits.
    pub fn push(&self, item: T) {
        let mut items = self.items.lock();
        let was_empty = items.is_empty();
        items.push(item);
        drop(items);
        // The receiver takes all that is there, so only the first item needs to wake it.
        if was_empty {
            self.arrived.notify_one();
        }
    }

    /// Takes all that is there; `items` must be empty, its memory is reused.
    pub fn take(&self, items: &mut Vec<T>) {
        debug_assert!(
            items.is_empty(),
            "taking swaps: what is in would be put back"
        );
        mem::swap(&mut *self.items.lock(), items);
    }

    /// Returns once something was put in since the last taking. Cancelling loses nothing.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

/// The receiving end of a session.
#[derive(Debug)]
pub struct Events {
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Events {
    /// Waits until there are events and takes all of them: `events` is filled in order; what it
    /// held before is dropped, its memory reused. Cancelling loses nothing.
    pub async fn receive(&mut self, events: &mut Vec<Event>) {
        events.clear();
        loop {
            self.take(events);
            if !events.is_empty() {
                return;
            }
            self.mailbox.arrived().await;
        }
    }

    /// Takes what is there, which may be nothing. `events` must be empty.
    pub fn take(&mut self, events: &mut Vec<Event>) {
        self.mailbox.take(events);
    }
}
