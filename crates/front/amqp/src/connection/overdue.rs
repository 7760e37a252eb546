//! Deliveries that aren't acknowledged in time close their channel, which returns them.
//!
//! A connection has one timer, however many deliveries it holds: of each channel, only the oldest
//! delivery matters, and it is looked at when it can have become overdue.

use std::time::Duration;

use hashbrown::HashMap;
use stele_base_types::LogId;
use stele_core_engine::LogDefinition;
use tokio::time::Instant;

use super::Connection;
use crate::{errors::Fault, lookup::FACET, queue_arguments, session::Failure};

/// How long deliveries may be unacknowledged, and when to look at them next.
#[derive(Debug)]
pub(crate) struct Patience {
    /// For most queues; `None` for no limit.
    usual: Option<Duration>,
    /// For queues declared with their own.
    of_queues: HashMap<LogId, Duration>,
    /// Nothing is overdue before this.
    look_at: Option<Instant>,
}

impl Patience {
    pub(super) fn new(usual: Option<Duration>, now: Instant) -> Self {
        Self {
            usual,
            of_queues: HashMap::new(),
            look_at: usual.and_then(|usual| now.checked_add(usual)),
        }
    }

    /// Notes a queue from which messages are about to be delivered.
    pub(crate) fn note(&mut self, queue: &LogDefinition, now: Instant) {
        let own = queue.facets.get(FACET);
        let Some(own) = own.and_then(queue_arguments::consumer_timeout) else {
            return;
        };
        self.of_queues.insert(queue.id, own);
        self.look_at = earlier(self.look_at, now.checked_add(own));
    }

    /// When to call [`Connection::close_overdue`].
    pub(crate) fn next(&self) -> Option<Instant> {
        self.look_at
    }

    fn of(&self, log: LogId) -> Option<Duration> {
        self.of_queues.get(&log).copied().or(self.usual)
    }

    /// The shortest time in which a delivery made from now on can become overdue.
    fn shortest(&self) -> Option<Duration> {
        self.of_queues.values().copied().chain(self.usual).min()
    }
}

impl Connection {
    /// Closes the channels whose oldest delivery is overdue.
    pub(crate) async fn close_overdue(&mut self) {
        let now = self.now;
        if self.patience.look_at.is_none_or(|at| now < at) {
            return;
        }
        let shortest = self.patience.shortest();
        let mut look_at = shortest.and_then(|shortest| now.checked_add(shortest));
        for channel in self.session.channel_numbers() {
            let Some((log, sent)) = self.session.oldest_delivery(channel) else {
                continue;
            };
            let Some(timeout) = self.patience.of(log) else {
                continue;
            };
            let due = sent.checked_add(timeout);
            if due.is_none_or(|due| due > now) {
                look_at = earlier(look_at, due);
                continue;
            }
            let fault = Fault::unacknowledged(channel, timeout);
            let method = (0, 0);
            self.fail(Failure {
                channel,
                method,
                fault,
            })
            .await;
        }
        self.patience.look_at = look_at;
    }
}

/// The earlier of two times, either of which may never come.
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
