//! Messages that are handled several at once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use stele_toolkit_envelope::Timestamp;
use tracing::Instrument as _;

use super::{
    attempt::{Attempted, attempt, open},
    core::{Core, Outage},
    handle::{Done, handle, settled},
    item::BoxItem,
    settle,
};
use crate::{TurnEnd, registry::Entry};

/// How many messages make a batch, and how long the first waits for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchSize {
    pub(crate) messages: usize,
    pub(crate) time: Duration,
}

/// Messages that wait for their batch, by handler. A handler has one batch at a time.
pub(crate) struct Batches {
    size: BatchSize,
    by_handler: BTreeMap<String, Collecting>,
}

struct Collecting {
    entry: Arc<Entry>,
    items: Vec<BoxItem>,
    since: Timestamp,
    busy: usize,
}

impl Batches {
    pub(crate) fn new(size: BatchSize) -> Self {
        Self {
            size,
            by_handler: BTreeMap::new(),
        }
    }

    pub(crate) fn push(&mut self, entry: Arc<Entry>, item: BoxItem, now: Timestamp) {
        let collecting = self.by_handler.entry(entry.name.clone());
        let collecting = collecting.or_insert_with(|| Collecting {
            entry,
            items: Vec::new(),
            since: now,
            busy: 0,
        });
        if collecting.items.is_empty() {
            collecting.since = now;
        }
        collecting.items.push(item);
    }

    /// A batch that is full, or has waited long enough. Its handler is busy until
    /// [`Batches::finish`].
    pub(crate) fn start(&mut self, now: Timestamp) -> Option<(String, Arc<Entry>, Vec<BoxItem>)> {
        let size = self.size;
        let ready = |it: &&mut Collecting| it.ready_at(size).is_some_and(|at| at <= now);
        let collecting = self.by_handler.values_mut().find(ready)?;
        let count = collecting.items.len().min(size.messages);
        let items: Vec<BoxItem> = collecting.items.drain(..count).collect();
        collecting.busy = items.len();
        let entry = Arc::clone(&collecting.entry);
        Some((entry.name.clone(), entry, items))
    }

    /// When the next batch is ready.
    pub(crate) fn ready_at(&self) -> Option<Timestamp> {
        let all = self.by_handler.values();
        all.filter_map(|it| it.ready_at(self.size)).min()
    }

    pub(crate) fn finish(&mut self, handler: &str) {
        if let Some(collecting) = self.by_handler.get_mut(handler) {
            collecting.busy = 0;
        }
    }

    /// How many wait or are being handled.
    pub(crate) fn held(&self) -> usize {
        let all = self.by_handler.values();
        all.map(|it| it.items.len() + it.busy).sum()
    }
}

impl Collecting {
    fn ready_at(&self, size: BatchSize) -> Option<Timestamp> {
        if self.busy > 0 || self.items.is_empty() {
            return None;
        }
        let is_full = self.items.len() >= size.messages;
        Some(if is_full {
            Timestamp::MIN
        } else {
            self.since + size.time
        })
    }
}

/// Handles a batch in one unit of work. If that fails, handles its messages one by one.
pub(crate) async fn handle_batch(core: Arc<Core>, entry: Arc<Entry>, items: Vec<BoxItem>) -> Done {
    let span = tracing::info_span!(
        "batch",
        handler = entry.name,
        messages = items.len(),
        otel.name = tracing::field::Empty,
        otel.kind = tracing::field::Empty,
    );
    let received: Vec<_> = items.iter().map(|it| Arc::clone(&it.received)).collect();
    core.spans.handles(&span, &received);
    drop(received);
    let together = together(&core, &entry, items).instrument(span).await;
    let (mut done, apart) = together;
    for item in apart {
        done = done.and(handle(Arc::clone(&core), item).await);
    }
    done
}

/// Handles what can be handled together. Returns what has to be handled by itself: items that came
/// again and may have crashed the process, and all of them if one failed.
async fn together(core: &Core, entry: &Entry, items: Vec<BoxItem>) -> (Done, Vec<BoxItem>) {
    let (mut fresh, mut apart) = (Vec::new(), Vec::new());
    for item in items {
        if item.may_have_failed() {
            apart.push(item);
        } else {
            fresh.push(item);
        }
    }
    if fresh.is_empty() {
        return (Done::default(), apart);
    }
    let mut outage = Outage::none(core);
    let started = core.clock.now();
    loop {
        let opened = match open(core, &fresh).await {
            Ok(opened) => opened,
            Err(error) => {
                if outage.wait("beginning a unit of work", &error).await {
                    continue;
                }
                return (Done::ended(TurnEnd::Abandoned), Vec::new());
            }
        };
        let claimed = |index: usize| opened.unclaimed[index].is_none();
        let received: Vec<_> = (0..fresh.len())
            .filter(|index| claimed(*index))
            .map(|index| Arc::clone(&fresh[index].received))
            .collect();
        let attempted = match opened.work {
            Some(work) => attempt(core, entry, &received, work).await,
            None => Attempted::Committed,
        };
        match attempted {
            Attempted::Away(error) => {
                if outage.wait("committing a unit of work", &error).await {
                    continue;
                }
                return (Done::ended(TurnEnd::Abandoned), Vec::new());
            }
            attempted if settle::is_split(&attempted) => {
                tracing::info!("the batch failed, so its messages are handled one by one");
                fresh.append(&mut apart);
                return (Done::default(), fresh);
            }
            Attempted::Stopped => return (Done::ended(TurnEnd::Abandoned), Vec::new()),
            _ => {}
        }
        drop(outage);
        let took = core.clock.now().since(started);
        if let Some(first) = fresh.first() {
            first.metrics(core).attempted(took);
        }
        let mut done = Done::ended(TurnEnd::Succeeded);
        for (item, unclaimed) in fresh.into_iter().zip(opened.unclaimed) {
            done = done.and(match unclaimed {
                Some(reason) => settle::unclaimed(core, item, reason).await,
                None => settled(core, item, Attempted::Committed).await,
            });
        }
        return (done, apart);
    }
}
