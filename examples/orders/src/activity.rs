//! What the services of a process do with their messages, as it happens.
//!
//! It is kept in memory, the latest of it alone: for people who look, and nothing that anything
//! depends on.
//!
//! ```text
//!  services ──observe──►┐
//!  calls ───────────────┤► Activity ──► GET /activity (server-sent events)
//!  other processes ─────┘
//! ```

mod follow;
mod recent;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{Fate, Observation, Observer, Unclaimed};
use stele_toolkit_envelope::{Envelope, Timestamp};
use tokio::sync::watch;

use crate::{calls::Call, topology};
use recent::Recent;

pub use follow::follow;

/// How many entries a process keeps.
const ENTRIES_MAX: usize = 20_000;

/// What was done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// Its work is committed.
    Handled,
    /// It had been handled before, or waits to be handled already.
    Duplicate,
    /// It waits: its handler wants it later, or a message before it isn't handled.
    Deferred,
    /// An attempt failed, and there will be another.
    Failed,
    /// It is given up, with a dead letter.
    Dead,
    /// It is given up, without one.
    Dropped,
    /// A call outside because of it failed, and is made again.
    CallFailed,
    /// A call outside because of it succeeded after failures.
    Called,
}

/// What a service did with a message, at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which entry of which start of a process: `BOOT-NUMBER`. Numbers of a start only grow.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who: `shop.inventory`.
    pub service: String,
    /// What.
    pub what: What,
    /// Whether the service undoes something because of the message.
    pub undoes: bool,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The time before the next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again_after_ms: Option<u64>,
    /// The dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter_id: Option<String>,
    /// The message.
    #[serde(flatten)]
    pub message: About,
}

/// Which message an entry is about. Its fields are empty as far as the message can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// The message.
    pub message_id: String,
    /// Its type.
    pub message_type: String,
    /// The order that it is about.
    pub order_id: String,
    /// The service that sent it.
    pub source: String,
    /// When it happened.
    pub sent_at: Timestamp,
    /// The message that it follows from.
    pub causation_id: Option<String>,
    /// Its trace.
    pub trace_id: Option<String>,
}

/// What a process keeps of it. Clones are the same.
#[derive(Clone, Debug)]
pub struct Activity {
    recent: Arc<Recent>,
    /// Something that those who look have to know besides, as JSON: the latest alone.
    notice: watch::Sender<Option<Arc<str>>>,
}

impl Activity {
    /// None yet.
    pub fn new() -> Self {
        Self {
            recent: Arc::new(Recent::new(ENTRIES_MAX)),
            notice: watch::Sender::new(None),
        }
    }

    /// Tells everybody who looks, and who will, as the event `shop`.
    pub fn notify(&self, notice: &impl Serialize) -> serde_json::Result<()> {
        let notice: Arc<str> = serde_json::to_string(notice)?.into();
        self.notice.send_replace(Some(notice));
        Ok(())
    }

    /// Adds an entry of another process, as JSON.
    pub fn relay(&self, entry: &str) {
        self.recent.push(|_| entry.into());
    }

    /// A call outside was made, which is told if it failed or had failed before.
    pub fn called(&self, service: &str, call: &Call, at: Timestamp, error: Option<&str>) {
        if error.is_none() && call.attempts == 1 {
            return;
        }
        let what = match error {
            Some(_) => What::CallFailed,
            None => What::Called,
        };
        self.add(Entry {
            id: String::new(),
            at,
            service: service.to_owned(),
            what,
            undoes: topology::undoes(service, &call.cause.message_type),
            attempt: call.attempts,
            error: error.map(str::to_owned),
            again_after_ms: None,
            letter_id: None,
            message: About::envelope(&call.cause, ""),
        });
    }

    /// `GET /activity`: what is kept, and what happens from then on.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/activity", get(stream_of))
            .with_state(self.clone())
    }

    fn add(&self, mut entry: Entry) {
        self.recent.push(|id| {
            entry.id = id;
            // It has nothing that can't be written.
            serde_json::to_string(&entry).unwrap_or_default().into()
        });
    }
}

impl Default for Activity {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Activity {
    fn observe(&self, observation: &Observation<'_>) {
        let service = observation.service;
        let mut entry = Entry {
            id: String::new(),
            at: observation.at,
            service: service.to_owned(),
            what: What::Handled,
            undoes: false,
            attempt: observation.received.attempt,
            error: None,
            again_after_ms: None,
            letter_id: None,
            message: About::observed(observation),
        };
        entry.undoes = topology::undoes(service, &entry.message.message_type);
        match observation.fate {
            // The timeline takes all events, and is itself what they are looked up in.
            Fate::Handled | Fate::Unclaimed(_) if service == topology::TIMELINE => return,
            Fate::Handled => {}
            Fate::Unclaimed(Unclaimed::Duplicate | Unclaimed::Waiting) => {
                entry.what = What::Duplicate;
            }
            Fate::Unclaimed(Unclaimed::Behind | Unclaimed::TooOld) => entry.what = What::Deferred,
            Fate::Deferred { after } => {
                entry.what = What::Deferred;
                entry.again_after_ms = Some(millis(after));
            }
            Fate::Failed { story, after } => {
                entry.what = What::Failed;
                entry.error = Some(story.error.clone());
                entry.again_after_ms = Some(millis(after));
            }
            Fate::Dead { story, letter_id } => {
                entry.what = What::Dead;
                entry.error = Some(story.error.clone());
                entry.letter_id = Some(letter_id.to_owned());
            }
            Fate::Dropped => entry.what = What::Dropped,
        }
        self.add(entry);
    }
}

impl About {
    fn observed(observation: &Observation<'_>) -> Self {
        let message = &observation.received.message;
        match &observation.received.envelope {
            Some(envelope) => Self::envelope(envelope, &message.key),
            None => Self {
                message_id: observation.message_id.to_owned(),
                message_type: String::new(),
                order_id: message.key.clone(),
                source: String::new(),
                sent_at: message.sent_at,
                causation_id: None,
                trace_id: None,
            },
        }
    }

    fn envelope(envelope: &Envelope, key: &str) -> Self {
        let trace = envelope.metadata.trace.id();
        Self {
            message_id: envelope.message_id.clone(),
            message_type: envelope.message_type.clone(),
            order_id: order_of(envelope).unwrap_or_else(|| key.to_owned()),
            source: envelope.source.clone(),
            sent_at: envelope.timestamp,
            causation_id: envelope.metadata.causation_id.clone(),
            trace_id: trace.map(|trace| trace.to_string()),
        }
    }
}

/// The order that an envelope's data names, as all messages of the shop do. The key of a saga's
/// commands is another one.
pub(crate) fn order_of(envelope: &Envelope) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct OfOrder {
        order_id: String,
    }
    let read: Result<OfOrder, _> = serde_json::from_str(envelope.data.as_str());
    read.ok().map(|it| it.order_id)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

type Told = Result<Event, std::convert::Infallible>;

/// What is sent to one who looks. `Last-Event-ID` tells what was seen before.
async fn stream_of(
    State(activity): State<Activity>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Told>> {
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let mut notices = activity.notice.subscribe();
    notices.mark_changed();
    let looking = Looking {
        reader: activity.recent.reader(last),
        notices,
    };
    let told = stream::unfold(looking, |mut looking| async move {
        let told = looking.next().await?;
        Some((Ok(told), looking))
    });
    Sse::new(told).keep_alive(KeepAlive::default())
}

/// One who looks.
struct Looking {
    reader: recent::Reader,
    notices: watch::Receiver<Option<Arc<str>>>,
}

impl Looking {
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                biased;
                changed = self.notices.changed() => {
                    changed.ok()?;
                    let notice = self.notices.borrow_and_update().clone();
                    if let Some(notice) = notice {
                        return Some(Event::default().event("shop").data(&*notice));
                    }
                }
                (id, entry) = self.reader.next() => {
                    return Some(Event::default().id(id).data(&*entry));
                }
            }
        }
    }
}
