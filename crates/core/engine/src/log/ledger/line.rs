//! The consumers of a ledger that serves one at a time: the active one, and those that wait to take
//! over from it.
//!
//! The next one is that with the highest priority, and among equals the one that subscribed first.
//! A consumer of a higher priority doesn't displace the active one.

use std::collections::BTreeMap;

use super::{ConsumerRef, demand::Position};

#[derive(Debug, Default, PartialEq)]
pub(super) struct Line {
    active: Option<ConsumerRef>,
    /// By their positions in the ledger's queue, which are those of their subscriptions: a waiting
    /// consumer gets nothing, so its turn doesn't pass.
    waiting: BTreeMap<Position, ConsumerRef>,
}

impl Line {
    /// Adds a consumer. It becomes the active one if there is none.
    pub(super) fn join(&mut self, consumer: ConsumerRef, position: Position) {
        if self.active.is_none() {
            self.active = Some(consumer);
        } else {
            self.waiting.insert(position, consumer);
        }
    }

    /// Removes a consumer. Returns the one that takes over if it was the active one.
    pub(super) fn leave(
        &mut self,
        consumer: ConsumerRef,
        position: Position,
    ) -> Option<ConsumerRef> {
        if self.active == Some(consumer) {
            self.active = self.waiting.pop_first().map(|(_, next)| next);
            return self.active;
        }
        if self.waiting.get(&position) == Some(&consumer) {
            self.waiting.remove(&position);
        }
        None
    }

    pub(super) fn active(&self) -> Option<ConsumerRef> {
        self.active
    }

    pub(super) fn is_active(&self, consumer: ConsumerRef) -> bool {
        self.active == Some(consumer)
    }
}
