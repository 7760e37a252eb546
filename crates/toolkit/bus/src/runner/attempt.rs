//! One attempt at a message, or at a batch of them, in one unit of work.
//!
//! The order is the point: begin, handle, commit. Nothing here acknowledges.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
};

use tracing::Instrument as _;

use super::{core::Core, item::BoxItem};
use crate::{
    Begun, Call, Extensions, Failure, FailureClass, HandlerFuture, Outbox, Received, Refusal,
    StoreError, TransportError, Unclaimed, Work, registry::Entry,
};

/// What came of an attempt.
#[derive(Debug)]
pub(crate) enum Attempted {
    /// All is committed.
    Committed,
    /// Nothing changed, and it is to be tried later; no attempt is counted.
    Deferred(std::time::Duration),
    /// Nothing changed, and the message is of no use.
    Dropped,
    /// Nothing changed.
    Failed(Failed),
    /// The store is away: nothing changed, or everything is committed already. To be repeated.
    Away(StoreError),
    /// The service stops; what the attempt did is undone or repeated later.
    Stopped,
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) class: FailureClass,
    /// A word that never changes.
    pub(crate) reason: String,
    pub(crate) error: String,
    pub(crate) error_type: String,
}

impl Failed {
    pub(crate) fn new(class: FailureClass, error: impl ToString) -> Self {
        Self {
            class,
            reason: class.name().to_owned(),
            error: error.to_string(),
            error_type: String::new(),
        }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self {
            class: FailureClass::Unreadable,
            reason: refusal.reason.to_owned(),
            error: refusal.detail,
            error_type: String::new(),
        }
    }
}

/// A unit of work for those of some items that could be claimed.
pub(crate) struct Opened {
    /// `None` if none could.
    pub(crate) work: Option<Box<dyn Work>>,
    /// For each item, why it couldn't be claimed.
    pub(crate) unclaimed: Vec<Option<Unclaimed>>,
}

/// Claims items, of which there is one at least.
pub(crate) async fn open(core: &Core, items: &[BoxItem]) -> Result<Opened, StoreError> {
    let mut opened = Opened {
        work: None,
        unclaimed: Vec::with_capacity(items.len()),
    };
    for item in items {
        let claim = item.claim(core);
        let unclaimed = match &mut opened.work {
            Some(work) => work.join(&claim).await?,
            None => match core.store.begin(&claim).await? {
                Begun::Work(work) => {
                    opened.work = Some(work);
                    None
                }
                Begun::Not(unclaimed) => Some(unclaimed),
            },
        };
        opened.unclaimed.push(unclaimed);
    }
    Ok(opened)
}

/// Has a handler handle the messages, and commits.
pub(crate) async fn attempt(
    core: &Core,
    entry: &Entry,
    received: &[Arc<Received>],
    mut work: Box<dyn Work>,
) -> Attempted {
    let mut lent = Extensions::new();
    work.lend(&mut lent);
    // What is sent follows from the first message of a batch: it has one cause.
    let trace = core.spans.trace_of(&tracing::Span::current());
    let outbox = Outbox::new(&core.context, received.first(), trace);
    let handled = run(core, entry, received, &lent, &outbox).await;
    let collected = outbox.seal();
    let taken_back = work.take_back(&mut lent);
    if let Err(attempted) = handled {
        if let Err(error) = work.rollback().await {
            tracing::warn!(handler = entry.name, "undoing a failed attempt: {error}");
        }
        return attempted;
    }
    if let Err(error) = taken_back {
        return of_store(error);
    }
    let messages = match collected {
        Ok(messages) => messages,
        Err(error) => return failed(FailureClass::Permanent, error),
    };
    if core.store.is_durable() {
        if let Err(error) = work.send(messages).await {
            return of_store(error);
        }
    } else if !messages.is_empty() {
        match Box::pin(core.publish(&messages)).await {
            Ok(true) => {}
            Ok(false) => return Attempted::Stopped,
            Err(error) => return of_transport(error),
        }
    }
    match work.commit().await {
        Ok(()) => Attempted::Committed,
        Err(error) => of_store(error),
    }
}

fn failed(class: FailureClass, error: impl ToString) -> Attempted {
    Attempted::Failed(Failed::new(class, error))
}

fn of_store(error: StoreError) -> Attempted {
    match error {
        StoreError::Unavailable(_) => Attempted::Away(error),
        StoreError::Refused(_) => failed(FailureClass::Permanent, error),
        StoreError::Leaked => failed(FailureClass::Error, error),
    }
}

fn of_transport(error: TransportError) -> Attempted {
    failed(FailureClass::Permanent, error)
}

/// Runs the handler, for as long as it may take.
async fn run(
    core: &Core,
    entry: &Entry,
    received: &[Arc<Received>],
    lent: &Extensions,
    outbox: &Outbox,
) -> Result<(), Attempted> {
    let mut call = Call {
        received,
        lent,
        states: &core.states,
        outbox,
        clock: &core.clock,
    };
    let called = catch_unwind(AssertUnwindSafe(|| (entry.call)(&mut call)));
    let handling = match called {
        Ok(Ok(handling)) => caught(handling),
        Ok(Err(refusal)) => return Err(Attempted::Failed(refusal.into())),
        Err(panic) => return Err(panicked(&*panic)),
    };
    let timeout = core.policy.timeout;
    let ended = tokio::select! {
        biased;
        ended = handling.in_current_span() => ended,
        () = core.clock.sleep(timeout) => {
            let error = format!("the handler took longer than {timeout:?}");
            return Err(failed(FailureClass::Timeout, error));
        }
    };
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err(of_failure(core, failure)),
        Err(panic) => Err(panicked(&*panic)),
    }
}

/// A future whose panic is its output.
async fn caught(mut future: HandlerFuture) -> Result<Result<(), Failure>, Box<dyn Any + Send>> {
    poll_fn(move |context| {
        let poll = || future.as_mut().poll(context);
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn panicked(panic: &(dyn Any + Send)) -> Attempted {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    failed(
        FailureClass::Panic,
        text.unwrap_or("a panic without a text"),
    )
}

fn of_failure(core: &Core, failure: Failure) -> Attempted {
    match failure {
        Failure::Retry(cause) => {
            let class = core
                .policy
                .class_of(&cause, |error| core.store.class_of(error));
            let chain: Vec<String> = cause.chain().map(ToString::to_string).collect();
            Attempted::Failed(Failed {
                class,
                reason: class.name().to_owned(),
                error: chain.join(": "),
                error_type: cause.error_type.to_owned(),
            })
        }
        Failure::Defer(after) => Attempted::Deferred(after),
        Failure::Reject { reason } => failed(FailureClass::Rejected, reason),
        Failure::Refuse(refusal) => Attempted::Failed(refusal.into()),
        Failure::Drop => Attempted::Dropped,
    }
}
