//! The events that shards send to a session, in batches.

use std::{mem, sync::Arc};

use parking_lot::Mutex;
use stele_base_types::{ConsumerId, LogId};
use stele_core_engine::AppendError;
use tokio::sync::Notify;

use crate::{Error, LeasedBatch};

/// An event for a session.
#[derive(Debug)]
pub enum Event {
    /// The publish with this tag is durable in every log it was routed to, or was refused. The tags
    /// of a session arrive in order if their logs are on the same shard.
    Published {
        /// The tag that the session chose.
        tag: u64,
        /// The reason, if it was refused.
        result: Result<(), Error<AppendError>>,
    },
    /// The session's transaction is final, or was refused. A session commits one at a time.
    Committed {
        /// The positions of the batches that no log took, among those that the shard appends
        /// itself ([`crate::Sent::position`]); or the reason for the refusal.
        result: Result<Vec<usize>, Error<AppendError>>,
    },
    /// Records for a subscribed consumer.
    Delivered {
        /// The log that leased them.
        log: LogId,
        /// The session's consumer.
        consumer: ConsumerId,
        /// The records.
        batch: LeasedBatch,
        /// The session grants these back with [`crate::Session::credit`] once the transport has
        /// taken the records.
        charged_bytes: u64,
    },
    /// A [`crate::Reader`] can go on: there are more records, or its log is gone.
    Readable {
        /// The consumer that reads.
        consumer: ConsumerId,
    },
    /// The consumer's log was deleted, which ended the subscription.
    ConsumerCancelled {
        /// The session's consumer.
        consumer: ConsumerId,
    },
    /// The broker is short of disk space (`true`), or all shards accept data again (`false`).
    /// Publishes sent in between wait in the broker, so publishers should stop.
    Blocked(bool),
}

/// A queue that is filled without waiting and emptied at once. It has no bound of its own: each
/// user has to bound it. A session's events are bounded by its consumers' credit and its own
/// publishes.
#[derive(Debug)]
pub struct Mailbox<T = Event> {
    content: Mutex<Content<T>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Content<T> {
    items: Vec<T>,
    /// The number of shards that are short of space, as last reported.
    blocked_shards: usize,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self {
            content: Mutex::new(Content {
                items: Vec::new(),
                blocked_shards: 0,
            }),
            arrived: Notify::new(),
        }
    }
}

impl<T> Mailbox<T> {
    /// Adds an item; never waits.
    pub fn push(&self, item: T) {
        self.push_from(|_| Some(item));
    }

    /// Takes all items. `items` must be empty; its memory is reused.
    pub fn take(&self, items: &mut Vec<T>) {
        debug_assert!(
            items.is_empty(),
            "taking swaps the vectors, so this one must be empty"
        );
        mem::swap(&mut self.content.lock().items, items);
    }

    /// Returns when an item was added since the last `take`. Safe to cancel.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Adds the item that the closure makes of the content, if any.
    fn push_from(&self, item: impl FnOnce(&mut Content<T>) -> Option<T>) {
        let mut content = self.content.lock();
        let was_empty = content.items.is_empty();
        let Some(item) = item(&mut content) else {
            return;
        };
        content.items.push(item);
        drop(content);
        // A receiver takes all items at once, so only the first one needs to wake it.
        if was_empty {
            self.arrived.notify_one();
        }
    }
}

impl Mailbox {
    /// Notes that a shard became short of space, or no longer is. The session gets an event for the
    /// first shard that is short, and another one when no shard is.
    pub(crate) fn note_blocked(&self, is_blocked: bool) {
        self.push_from(|content| {
            let before = content.blocked_shards;
            content.blocked_shards = if is_blocked {
                before + 1
            } else {
                before.saturating_sub(1)
            };
            let was_blocked = before > 0;
            let is_blocked = content.blocked_shards > 0;
            (was_blocked != is_blocked).then_some(Event::Blocked(is_blocked))
        });
    }
}

/// The receiving end of a session.
#[derive(Debug)]
pub struct Events {
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Events {
    /// Waits for events and takes all of them, in order. `events` is cleared first; its memory is
    /// reused. Safe to cancel.
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

    /// Takes the events that are there, if any. `events` must be empty.
    pub fn take(&mut self, events: &mut Vec<Event>) {
        self.mailbox.take(events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_blocked_while_any_shard_is() {
        let mailbox = Mailbox::default();
        let mut told = Vec::new();
        for (is_blocked, expected) in [
            (true, Some(true)),
            (true, None),
            (false, None),
            (true, None),
            (false, None),
            (false, Some(false)),
        ] {
            mailbox.note_blocked(is_blocked);
            mailbox.take(&mut told);
            let found = told
                .pop()
                .map(|event| matches!(event, Event::Blocked(true)));
            assert_eq!(found, expected);
        }
    }
}
