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
    /// The broker is short of space (`true`), or takes data on every shard again. What is published
    /// meanwhile waits in the broker, so whoever publishes stops until then.
    Blocked(bool),
}

/// A queue that is filled without waiting and emptied at once. What bounds it is said where it is
/// used: a session's events are bounded by its consumers' credit and its own publishes.
#[derive(Debug)]
pub struct Mailbox<T = Event> {
    content: Mutex<Content<T>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Content<T> {
    items: Vec<T>,
    /// How many shards have told that they are short of space, and not yet that they no longer are.
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
    /// Puts an item in; never waits.
    pub fn push(&self, item: T) {
        self.push_from(|_| Some(item));
    }

    /// Takes all that is there; `items` must be empty, its memory is reused.
    pub fn take(&self, items: &mut Vec<T>) {
        debug_assert!(
            items.is_empty(),
            "taking swaps: what is in would be put back"
        );
        mem::swap(&mut self.content.lock().items, items);
    }

    /// Returns once something was put in since the last taking. Cancelling loses nothing.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Puts in what comes of the content, if anything.
    fn push_from(&self, item: impl FnOnce(&mut Content<T>) -> Option<T>) {
        let mut content = self.content.lock();
        let was_empty = content.items.is_empty();
        let Some(item) = item(&mut content) else {
            return;
        };
        content.items.push(item);
        drop(content);
        // The receiver takes all that is there, so only the first item needs to wake it.
        if was_empty {
            self.arrived.notify_one();
        }
    }
}

impl Mailbox {
    /// A shard has become short of space, or is no longer. The session is told with the first one
    /// that is, and when none is any more: a shard that has space says nothing of the others.
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
