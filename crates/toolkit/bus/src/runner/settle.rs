//! What is done with a message once it is known what came of it.

use std::time::Duration;

use super::{
    attempt::{Attempted, Failed},
    core::{Core, Outage},
    handle::{Done, crash},
    item::{BoxItem, Item, Source},
};
use crate::{
    Begun, Burial, FailureClass, Fate, KeyOrder, Parking, Story, TransportError, TurnEnd,
    Unclaimed, Verdict, dead,
};

/// Its work is committed.
pub(crate) async fn handled(core: &Core, item: BoxItem) -> Done {
    item.metrics(core).handled();
    core.observe(&item, Fate::Handled);
    let was_parked = item.is_parked;
    core.histories.forget(&item.message_id);
    acknowledge(core, item).await;
    Done {
        // Those behind it may be due now.
        due: was_parked.then(|| core.clock.now()),
        ..Done::ended(TurnEnd::Succeeded)
    }
}

/// It couldn't be claimed.
pub(crate) async fn unclaimed(core: &Core, item: BoxItem, reason: Unclaimed) -> Done {
    core.metrics.unclaimed(&item, reason);
    match reason {
        Unclaimed::Duplicate | Unclaimed::Waiting => {
            tracing::debug!(?reason, "not handled");
            core.observe(&item, Fate::Unclaimed(reason));
            acknowledge(core, item).await;
            Done {
                due: Some(core.clock.now()),
                ..Done::ended(TurnEnd::Abandoned)
            }
        }
        Unclaimed::Behind => {
            let attempts = item.attempt().saturating_sub(1);
            let story = item.story.clone();
            let fate = Fate::Unclaimed(reason);
            park(core, item, attempts, Duration::ZERO, story.as_ref(), fate).await
        }
        Unclaimed::TooOld => {
            let failed = Failed {
                reason: "too_old".to_owned(),
                ..Failed::new(
                    FailureClass::Rejected,
                    "older than what the service remembers, so it may have been handled",
                )
            };
            let story = story(core, &item, &failed);
            let done = bury(core, item, &story).await;
            Done {
                end: Some(TurnEnd::Abandoned),
                ..done
            }
        }
    }
}

/// The handler asked to have it later.
pub(crate) async fn deferred(core: &Core, item: BoxItem, after: Duration) -> Done {
    tracing::debug!(?after, "deferred");
    let attempts = item.attempt().saturating_sub(1);
    let story = item.story.clone();
    let done = if core.store.is_durable() {
        let fate = Fate::Deferred { after };
        park(core, item, attempts, after, story.as_ref(), fate).await
    } else {
        core.observe(&item, Fate::Deferred { after });
        keep(core, item, after).await
    };
    Done {
        end: Some(TurnEnd::Succeeded),
        ..done
    }
}

/// The handler said that it is of no use.
pub(crate) async fn dropped(core: &Core, item: BoxItem) -> Done {
    core.metrics.dropped(&item);
    tracing::info!("dropped by its handler");
    discard(core, item).await
}

/// It ended its process too often.
pub(crate) async fn crashed(core: &Core, mut item: BoxItem) -> Done {
    // The attempt that isn't made doesn't count.
    item.set_attempt(item.attempt().saturating_sub(1));
    failed(core, item, crash()).await
}

/// An attempt failed.
pub(crate) async fn failed(core: &Core, item: BoxItem, failed: Failed) -> Done {
    core.metrics.failed(&item, failed.class);
    let span = tracing::Span::current();
    core.spans.failed(&span, failed.class, &failed.error);
    let story = story(core, &item, &failed);
    let verdict = core
        .policy
        .verdict(failed.class, story.attempts, core.ids.random());
    let end = match failed.class {
        // The handler, or nobody, has looked at the message: what the handler uses is there.
        FailureClass::Rejected | FailureClass::Permanent => TurnEnd::Succeeded,
        FailureClass::Unreadable | FailureClass::Crash => TurnEnd::Abandoned,
        FailureClass::Error
        | FailureClass::Transient
        | FailureClass::Timeout
        | FailureClass::Panic => TurnEnd::Failed,
    };
    let done = match verdict {
        Verdict::Retry { after } => {
            let (class, error) = (failed.class, &failed.error);
            tracing::warn!(%class, ?after, "failed, to be retried: {error}");
            let fate = Fate::Failed {
                story: &story,
                after,
            };
            if core.store.is_durable() {
                park(core, item, story.attempts, after, Some(&story), fate).await
            } else {
                core.histories.failed(&item.message_id, &story);
                core.observe(&item, fate);
                give_back(core, item, after).await
            }
        }
        Verdict::Dead if core.policy.makes_dead_letters => bury(core, item, &story).await,
        Verdict::Dead => {
            core.metrics.dropped(&item);
            tracing::error!(class = %failed.class, "dropped: {}", failed.error);
            discard(core, item).await
        }
    };
    Done {
        end: Some(end),
        ..done
    }
}

/// How many attempts there were at the latest failure that is known.
pub(crate) fn failures(core: &Core, item: &Item) -> u32 {
    known(core, item).map_or(0, |story| story.attempts)
}

fn known(core: &Core, item: &Item) -> Option<Story> {
    let known = item.story.clone();
    known.or_else(|| core.histories.of(&item.message_id).story)
}

/// The message's story, this failure included.
fn story(core: &Core, item: &Item, failed: &Failed) -> Story {
    let now = core.clock.now();
    let known = known(core, item);
    Story {
        reason: failed.reason.clone(),
        class: failed.class,
        error: failed.error.clone(),
        error_type: failed.error_type.clone(),
        attempts: item.attempt(),
        first_failed_at: known.map_or(now, |known| known.first_failed_at),
        last_failed_at: now,
    }
}

/// Puts it aside, to come back after a time.
async fn park(
    core: &Core,
    item: BoxItem,
    attempts: u32,
    after: Duration,
    story: Option<&Story>,
    fate: Fate<'_>,
) -> Done {
    let due = core.clock.now() + after;
    let parking = Parking {
        message: &item.received.message,
        origin: &item.received.origin,
        attempts,
        due,
        story,
    };
    let mut outage = Outage::none(core);
    while let Err(error) = core.store.park(&item.claim(core), &parking).await {
        if !outage.wait("parking a message", &error).await {
            return Done::ended(TurnEnd::Abandoned);
        }
    }
    drop(outage);
    core.metrics.parked(&item);
    core.observe(&item, fate);
    acknowledge(core, item).await;
    Done {
        due: Some(due),
        ..Done::ended(TurnEnd::Abandoned)
    }
}

/// Makes it a dead letter.
async fn bury(core: &Core, item: BoxItem, story: &Story) -> Done {
    let (message, origin) = (&item.received.message, &item.received.origin);
    let letter = dead::letter(core, &item, story);
    let burial = Burial {
        message,
        origin,
        story,
        letter: &letter,
    };
    let mut outage = Outage::none(core);
    loop {
        let buried = if core.store.is_durable() {
            let buried = core.store.bury(&item.claim(core), &burial).await;
            buried.map_err(|error| error.to_string())
        } else {
            match core.publish(std::slice::from_ref(&letter)).await {
                Ok(true) => Ok(()),
                Ok(false) => return Done::ended(TurnEnd::Abandoned),
                Err(error) => Err(error.to_string()),
            }
        };
        let Err(error) = buried else { break };
        if !outage.wait("making a dead letter", &error).await {
            return Done::ended(TurnEnd::Abandoned);
        }
    }
    drop(outage);
    core.metrics.dead(&item);
    let letter_id = &letter.message_id;
    core.observe(&item, Fate::Dead { story, letter_id });
    for alert in &core.alerts {
        alert.dead(&dead::notice(core, &item, story, &letter)).await;
    }
    core.histories.forget(&item.message_id);
    acknowledge(core, item).await;
    Done {
        due: Some(core.clock.now()),
        ..Done::ended(TurnEnd::Abandoned)
    }
}

/// Notes it as handled, without handling it.
async fn discard(core: &Core, item: BoxItem) -> Done {
    let mut outage = Outage::none(core);
    loop {
        let discarded = match core.store.begin(&item.claim(core)).await {
            Ok(Begun::Work(work)) => work.commit().await,
            Ok(Begun::Not(_)) => Ok(()),
            Err(error) => Err(error),
        };
        let Err(error) = discarded else { break };
        if !outage.wait("dropping a message", &error).await {
            return Done::ended(TurnEnd::Abandoned);
        }
    }
    drop(outage);
    core.observe(&item, Fate::Dropped);
    core.histories.forget(&item.message_id);
    acknowledge(core, item).await;
    Done {
        due: Some(core.clock.now()),
        ..Done::ended(TurnEnd::Succeeded)
    }
}

/// Gives it back to the broker for a time after a failed attempt, where there is no store to park
/// it in.
async fn give_back(core: &Core, item: BoxItem, after: Duration) -> Done {
    let is_ordered = is_ordered(core, &item);
    if let Source::Delivery { settle, .. } = item.source {
        let released = settle.release(after.min(core.caps.release_max)).await;
        tell_given_back(released);
    }
    given_back(is_ordered, after)
}

/// Has it wait for a time although no attempt was made, where there is no store to park it in. A
/// broker that counts must not count this: another process, which doesn't know why the message came
/// so often, would take it for one that ends its process.
pub(crate) async fn keep(core: &Core, item: BoxItem, after: Duration) -> Done {
    let is_ordered = is_ordered(core, &item);
    if let Source::Delivery { settle, .. } = item.source {
        let at_most = after.min(core.caps.release_max);
        let kept = if settle.may_keep(at_most) {
            settle.keep(at_most).await
        } else {
            core.histories.given_back(&item.message_id);
            settle.release(at_most).await
        };
        tell_given_back(kept);
    }
    given_back(is_ordered, after)
}

fn is_ordered(core: &Core, item: &Item) -> bool {
    core.policy.concurrency.order() == KeyOrder::Strict && !item.key().is_empty()
}

fn tell_given_back(result: Result<(), TransportError>) {
    if let Err(error) = result {
        tracing::warn!("giving a message back, which comes again anyway: {error}");
    }
}

fn given_back(is_ordered: bool, after: Duration) -> Done {
    Done {
        given_back: is_ordered.then_some(after),
        ..Done::ended(TurnEnd::Abandoned)
    }
}

async fn acknowledge(core: &Core, item: BoxItem) {
    if let Source::Delivery { settle, .. } = item.source
        && let Err(error) = settle.ack().await
    {
        // It comes again; a durable store knows that it was handled.
        tracing::warn!(service = core.service, "acknowledging a message: {error}");
    }
}

/// Whether the messages of a batch have to be tried one by one.
pub(crate) fn is_split(attempted: &Attempted) -> bool {
    matches!(
        attempted,
        Attempted::Failed(_) | Attempted::Deferred(_) | Attempted::Dropped
    )
}
