//! What is known of messages that fail, where no store keeps it: in this process, until it ends.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::Story;

/// How many messages are remembered. Beyond, the count of an arbitrary one begins anew: it may be
/// tried more often than the policy says.
const MESSAGES_MAX: usize = 100_000;

/// Histories by message ids.
#[derive(Debug, Default)]
pub(crate) struct Histories(Mutex<HashMap<String, History>>);

/// What is known of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Its failures.
    pub(crate) story: Option<Story>,
    /// Attempts that failed.
    failed: u32,
    /// Deliveries that weren't attempts, deferred or given back because of another message, where
    /// the transport couldn't keep them from counting.
    uncounted: u32,
}

impl History {
    /// Which attempt a delivery is. Where the broker counts deliveries, so that crashes count too,
    /// its count is used, less what wasn't an attempt.
    pub(crate) fn attempt(&self, delivered: Option<u32>) -> u32 {
        match delivered {
            Some(count) => count.saturating_sub(self.uncounted).max(1),
            None => self.failed.saturating_add(1),
        }
    }
}

impl Histories {
    /// What is known of a message.
    pub(crate) fn of(&self, message_id: &str) -> History {
        let histories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        histories.get(message_id).cloned().unwrap_or_default()
    }

    /// A failed attempt.
    pub(crate) fn failed(&self, message_id: &str, story: &Story) {
        self.change(message_id, |history| {
            history.failed = history.failed.saturating_add(1);
            history.story = Some(story.clone());
        });
    }

    /// A delivery that wasn't an attempt.
    pub(crate) fn given_back(&self, message_id: &str) {
        self.change(message_id, |history| {
            history.uncounted = history.uncounted.saturating_add(1);
        });
    }

    /// The message is done.
    pub(crate) fn forget(&self, message_id: &str) {
        let mut histories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        histories.remove(message_id);
    }

    fn change(&self, message_id: &str, change: impl FnOnce(&mut History)) {
        let mut histories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if histories.len() >= MESSAGES_MAX && !histories.contains_key(message_id) {
            let any = histories.keys().next().cloned();
            any.and_then(|any| histories.remove(&any));
        }
        change(histories.entry(message_id.to_owned()).or_default());
    }
}
