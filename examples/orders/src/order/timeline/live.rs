//! A timeline as it grows, as server-sent events.

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    time::Duration,
};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use stele_toolkit_sql::Db;
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::timeout,
};

use super::{Entry, of};

/// How many changes one who looks may be behind before everything is read again.
const CHANGES_MAX: usize = 256;

/// How often a timeline is read without a change: another process may have written it.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Tells which orders' timelines grow in this process. Clones are the same.
#[derive(Clone, Debug)]
pub(in crate::order) struct Changes(broadcast::Sender<String>);

impl Changes {
    /// Tells of none yet.
    pub(in crate::order) fn new() -> Self {
        Self(broadcast::Sender::new(CHANGES_MAX))
    }

    /// This order's has grown.
    pub(super) fn tell(&self, order_id: String) {
        // It fails if nobody looks.
        self.0.send(order_id).ok();
    }
}

/// The events of an order: those that are known, and those that come. After an interruption all
/// come again; a message's id tells which are known.
pub(in crate::order) fn live(
    db: Db,
    changes: &Changes,
    order_id: String,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let live = Live {
        changes: changes.0.subscribe(),
        db,
        order_id,
        told: HashSet::new(),
        waiting: VecDeque::new(),
        is_current: false,
    };
    let told = stream::unfold(live, |mut live| async move {
        let entry = live.next().await?;
        let event = Event::default().id(&entry.message_id).json_data(&entry);
        Some((Ok(event.ok()?), live))
    });
    Sse::new(told).keep_alive(KeepAlive::default())
}

struct Live {
    db: Db,
    changes: broadcast::Receiver<String>,
    order_id: String,
    /// The ids of messages that were told.
    told: HashSet<String>,
    waiting: VecDeque<Entry>,
    /// Whether all that is known was read.
    is_current: bool,
}

impl Live {
    /// The next event; `None` if it can't be read, and so the connection ends.
    async fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return Some(entry);
            }
            if self.is_current {
                self.changed().await?;
            }
            // What changes from here on is told of again.
            self.is_current = true;
            let known = match of(&self.db, &self.order_id).await {
                Ok(known) => known,
                Err(error) => {
                    tracing::warn!(%error, "a timeline can't be read");
                    return None;
                }
            };
            let told = &mut self.told;
            let new = known.into_iter();
            self.waiting = new
                .filter(|entry| told.insert(entry.message_id.clone()))
                .collect();
        }
    }

    /// Returns when there may be something new.
    async fn changed(&mut self) -> Option<()> {
        let changed = async {
            loop {
                match self.changes.recv().await {
                    Ok(order_id) if order_id != self.order_id => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return Some(()),
                    Err(RecvError::Closed) => return None,
                }
            }
        };
        timeout(LOOK_EVERY, changed).await.unwrap_or(Some(()))
    }
}
