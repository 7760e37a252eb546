//! Messages that were received and aren't settled. They stay invisible for others as long as this
//! process extends their time, which it does at half time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry as Entry;
use stele_toolkit_bus::{Handout, TransportError};
use tokio::time::{self, Instant};

use crate::{
    errors::{refused, translate, translate_entry},
    poller::Ready,
    publisher::BATCH_MAX,
    queues::{Queue, Queues},
};

/// A message that was received.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) queue: Queue,
    pub(crate) handle: String,
}

/// The messages of one subscription.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    held: HashMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    receipt: Receipt,
    extended_at: Instant,
}

/// A lease ends, and isn't extended any more, when this is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) id: u64,
    leases: Leases,
}

impl Leases {
    pub(crate) fn hold(&self, receipt: Receipt, received_at: Instant) -> Lease {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        let held = Held {
            receipt,
            extended_at: received_at,
        };
        state.held.insert(id, held);
        drop(state);
        Lease {
            id,
            leases: self.clone(),
        }
    }

    /// Extends the leases until it is cancelled. What can't be extended, and isn't handed out yet,
    /// isn't handed out: another consumer has it.
    pub(crate) async fn keep(&self, queues: &Queues, handout: &Handout<Ready>) {
        let visibility = queues.settings.visibility_timeout;
        let mut ticks = time::interval((visibility / 8).max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            for (queue, due) in self.due(now, visibility / 2) {
                for batch in due.chunks(BATCH_MAX) {
                    self.extend(queues, handout, &queue, batch, visibility)
                        .await;
                }
            }
        }
    }

    /// The leases whose last extension is this long ago, by queue.
    fn due(&self, now: Instant, age: Duration) -> BTreeMap<Queue, Vec<(u64, String)>> {
        let mut due: BTreeMap<Queue, Vec<(u64, String)>> = BTreeMap::new();
        for (id, held) in &self.state().held {
            if now.duration_since(held.extended_at) >= age {
                let of_queue = due.entry(held.receipt.queue.clone()).or_default();
                of_queue.push((*id, held.receipt.handle.clone()));
            }
        }
        due
    }

    async fn extend(
        &self,
        queues: &Queues,
        handout: &Handout<Ready>,
        queue: &Queue,
        batch: &[(u64, String)],
        visibility: Duration,
    ) {
        let now = Instant::now();
        let handles: Vec<&str> = batch.iter().map(|(_, handle)| handle.as_str()).collect();
        match queues.change_visibility(queue, &handles, visibility).await {
            Ok(results) => {
                for ((id, _), result) in batch.iter().zip(results) {
                    match result {
                        Ok(()) => self.extended(*id, now),
                        Err(TransportError::Lost) => {
                            handout.recall(|ready| ready.lease.id == *id);
                        }
                        Err(error) => tracing::warn!(queue = queue.name, %error, "not extended"),
                    }
                }
            }
            // It is tried again at the next tick.
            Err(error) => tracing::warn!(queue = queue.name, %error, "leases aren't extended"),
        }
    }

    fn extended(&self, id: u64, at: Instant) {
        if let Some(held) = self.state().held.get_mut(&id) {
            held.extended_at = at;
        }
    }

    /// Every change is complete when the lock is given up, panic or not.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.state().held.remove(&self.id);
    }
}

impl Queues {
    /// Has messages of one queue invisible for this long from now, in whole seconds.
    pub(crate) async fn change_visibility(
        &self,
        queue: &Queue,
        handles: &[&str],
        visibility: Duration,
    ) -> Result<Vec<Result<(), TransportError>>, TransportError> {
        let seconds = visibility.as_millis().div_ceil(1000);
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        let entries = handles.iter().enumerate().map(|(number, handle)| {
            let entry = Entry::builder().id(number.to_string());
            let entry = entry.receipt_handle(*handle).visibility_timeout(seconds);
            entry.build().map_err(|error| refused(error.to_string()))
        });
        let entries: Result<Vec<_>, _> = entries.collect();
        let changing = self.client.change_message_visibility_batch();
        let changing = changing.queue_url(&queue.url).set_entries(Some(entries?));
        let changed = changing.send().await;
        let changed = changed.map_err(|error| translate(&error, &queue.name))?;
        let mut results: Vec<_> = handles.iter().map(|_| Ok(())).collect();
        for failed in changed.failed() {
            let number: Option<usize> = failed.id().parse().ok();
            if let Some(result) = number.and_then(|number| results.get_mut(number)) {
                *result = Err(translate_entry(failed, &queue.name));
            }
        }
        Ok(results)
    }
}
