//! A message from its start to its acknowledgement.
//!
//! ```text
//! count the attempt ─► begin ─► handle ─► commit ─► acknowledge
//!        │               ▲         │ failed
//!        │ too many      │         ├─► park (release, without a durable store) ─► acknowledge
//!        │               │ away    └─► bury (publish the letter) ───────────────► acknowledge
//!        └───────────────┴──────────────▲
//! ```
//!
//! Invariant: nothing is acknowledged before it is handled, parked or buried.

use std::{sync::Arc, time::Duration};

use stele_toolkit_envelope::Timestamp;
use tracing::Instrument as _;

use super::{
    attempt::{Attempted, Failed, attempt, open},
    core::{Core, Outage},
    item::{BoxItem, Item, Source},
    settle,
};
use crate::{FailureClass, TurnEnd, Unclaimed, registry::Entry};

/// What came of a message, for the loop that started it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What it says about what the handler uses.
    pub(crate) end: Option<TurnEnd>,
    /// When parked messages may be due because of it.
    pub(crate) due: Option<Timestamp>,
    /// The message was given back for this time, and those of its key that wait have to be, too.
    pub(crate) given_back: Option<Duration>,
}

impl Done {
    pub(crate) fn ended(end: TurnEnd) -> Self {
        Self {
            end: Some(end),
            ..Self::default()
        }
    }

    /// Both, of messages that were handled one after the other.
    pub(crate) fn and(self, next: Self) -> Self {
        let failed = [self.end, next.end].contains(&Some(TurnEnd::Failed));
        Self {
            end: if failed {
                Some(TurnEnd::Failed)
            } else {
                self.end.or(next.end)
            },
            due: self.due.into_iter().chain(next.due).min(),
            given_back: self.given_back.or(next.given_back),
        }
    }
}

/// Handles a message, and settles it.
pub(crate) async fn handle(core: Arc<Core>, item: BoxItem) -> Done {
    let span = span(&core, &item);
    handle_in_span(&core, item).instrument(span).await
}

async fn handle_in_span(core: &Core, mut item: BoxItem) -> Done {
    let age = core.clock.now().since(item.timestamp);
    item.metrics(core).received(age);
    let Some(attempts) = count(core, &item).await else {
        return Done::ended(TurnEnd::Abandoned);
    };
    item.set_attempt(attempts);
    let entry = match &item.entry {
        Ok(entry) => Arc::clone(entry),
        Err(refusal) => {
            let failed = refusal.clone().into();
            return Box::pin(settle::failed(core, item, failed)).await;
        }
    };
    // An attempt that left neither a success nor a failure ended with its process.
    let has_crashed = attempts > settle::failures(core, &item).saturating_add(1);
    if has_crashed && attempts > core.policy.attempts_max(FailureClass::Crash) {
        return Box::pin(settle::crashed(core, item)).await;
    }
    try_until_known(core, &entry, item).await
}

/// Attempts until the store says what came of it.
async fn try_until_known(core: &Core, entry: &Entry, item: BoxItem) -> Done {
    let mut outage = Outage::none(core);
    let started = core.clock.now();
    loop {
        let opened = match open(core, std::slice::from_ref(&item)).await {
            Ok(opened) => opened,
            Err(error) => {
                if outage.wait("beginning a unit of work", &error).await {
                    continue;
                }
                return Done::ended(TurnEnd::Abandoned);
            }
        };
        let Some(work) = opened.work else {
            let reason = opened.unclaimed.first().copied().flatten();
            drop(outage);
            let reason = reason.unwrap_or(Unclaimed::Waiting);
            return Box::pin(settle::unclaimed(core, item, reason)).await;
        };
        let received = [Arc::clone(&item.received)];
        let attempted = attempt(core, entry, &received, work).await;
        if let Attempted::Away(error) = attempted {
            if outage.wait("committing a unit of work", &error).await {
                continue;
            }
            return Done::ended(TurnEnd::Abandoned);
        }
        drop(outage);
        let took = core.clock.now().since(started);
        item.metrics(core).attempted(took);
        return settled(core, item, attempted).await;
    }
}

/// Settles a message by what came of its attempt.
///
/// What is rare is boxed, here and elsewhere: the future of a message is as large as the largest of
/// its ways, and one is made for each.
pub(crate) async fn settled(core: &Core, item: BoxItem, attempted: Attempted) -> Done {
    match attempted {
        Attempted::Committed => settle::handled(core, item).await,
        Attempted::Deferred(after) => Box::pin(settle::deferred(core, item, after)).await,
        Attempted::Dropped => Box::pin(settle::dropped(core, item)).await,
        Attempted::Failed(failed) => Box::pin(settle::failed(core, item, failed)).await,
        Attempted::Away(_) | Attempted::Stopped => Done::ended(TurnEnd::Abandoned),
    }
}

/// Counts this attempt, and returns which it is; `None` if the service stops first.
pub(crate) async fn count(core: &Core, item: &Item) -> Option<u32> {
    let (attempt, is_redelivered) = match item.source {
        Source::Store { attempts } => return Some(attempts),
        Source::Delivery {
            attempt,
            is_redelivered,
            ..
        } => (attempt, is_redelivered),
    };
    if !core.store.is_durable() {
        return Some(core.histories.of(&item.message_id).attempt(attempt));
    }
    if !is_redelivered {
        return Some(1);
    }
    let mut outage = Outage::none(core);
    loop {
        match core.store.count_attempt(&item.claim(core)).await {
            // The first delivery wasn't counted, since it wasn't known that there would be more.
            Ok(count) => return Some(count.saturating_add(1)),
            Err(error) => {
                if !outage.wait("counting an attempt", &error).await {
                    return None;
                }
            }
        }
    }
}

/// The span that a message's log lines belong to.
fn span(core: &Core, item: &Item) -> tracing::Span {
    let envelope = item.received.envelope.as_ref();
    let trace_id = envelope.and_then(|it| it.metadata.trace.id());
    let span = tracing::info_span!(
        "message",
        message_id = item.message_id,
        correlation_id = envelope.map_or("", |it| &it.correlation_id),
        trace_id = trace_id.map(tracing::field::display),
        message_type = item.message_type(),
        handler = item.handler,
        attempt = item.attempt(),
        otel.name = tracing::field::Empty,
        otel.kind = tracing::field::Empty,
    );
    core.spans
        .handles(&span, std::slice::from_ref(&item.received));
    if trace_id.is_none()
        && let Some(trace) = core.spans.trace_of(&span)
        && let Some(trace_id) = trace.id()
    {
        span.record("trace_id", tracing::field::display(trace_id));
    }
    span
}

/// A failure of a message that has ended its process too often.
pub(crate) fn crash() -> Failed {
    Failed::new(
        FailureClass::Crash,
        "the process ended each time while it handled the message",
    )
}
