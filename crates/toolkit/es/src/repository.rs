//! Loading aggregates, and changing them.

use std::{fmt, marker::PhantomData, num::NonZeroU32, sync::Arc};

use stele_toolkit_envelope::{Context, EncodeError, Envelope, Timestamp};

use crate::{
    Aggregate, AggregateEvent, AppendError, Appended, EventError, EventStore, Expected, Position,
    Recorded, StreamId, StreamIdError, Until,
};

mod error;
mod snapshots;

pub use error::{ExecuteError, LoadError};
use snapshots::Keeping;

/// How many events are read at once.
const PAGE_EVENTS: usize = 1_000;

/// How often a command is decided, unless something else is said: once, and again after each
/// conflict.
const ATTEMPTS_MAX: NonZeroU32 = NonZeroU32::new(5).expect("5 isn't 0");

/// The aggregates of one kind in a store.
///
/// ```text
///  execute: load ──► decide ──► append at the version that was loaded
///             ▲                      │ conflict: somebody else was faster
///             └──────────────────────┘ at most `attempts_max` times
/// ```
pub struct Repository<A, S: ?Sized> {
    store: Arc<S>,
    attempts_max: NonZeroU32,
    keeping: Option<Keeping<A>>,
    of: PhantomData<fn() -> A>,
}

/// An aggregate as it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<A> {
    /// Its stream.
    pub stream: StreamId,
    /// Its state.
    pub state: A,
    /// The version of the last event; 0 without one.
    pub version: u64,
    /// The time of that event.
    pub time: Option<Timestamp>,
    /// The version of the snapshot that the events were applied to; 0 without one.
    pub snapshot_version: u64,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed<A: Aggregate> {
    /// The state after it.
    pub state: A,
    /// The events that happened, in order.
    pub events: Vec<A::Event>,
    /// The version of the stream after it.
    pub version: u64,
    /// The place behind the last event that happened: queries that have seen it have seen the
    /// command. [`Position::Start`] if nothing happened.
    pub position: Position,
}

impl<A: Aggregate, S: EventStore + ?Sized> Repository<A, S> {
    /// The aggregates in a store.
    pub fn new(store: Arc<S>) -> Self {
        Self {
            store,
            attempts_max: ATTEMPTS_MAX,
            keeping: None,
            of: PhantomData,
        }
    }

    /// The same with another limit for deciding a command: 5 by default.
    #[must_use]
    pub fn with_attempts_max(mut self, attempts_max: NonZeroU32) -> Self {
        self.attempts_max = attempts_max;
        self
    }

    /// The store.
    pub fn store(&self) -> &Arc<S> {
        &self.store
    }

    /// The stream of an aggregate.
    pub fn stream(&self, id: &str) -> Result<StreamId, StreamIdError> {
        StreamId::new(A::NAME, id)
    }

    /// An aggregate as it is now. One without events is `A::default()` at version 0.
    pub async fn load(&self, id: &str) -> Result<Loaded<A>, LoadError> {
        self.load_until(id, Until::Latest).await
    }

    /// An aggregate as it was at a version or a time.
    pub async fn load_until(&self, id: &str, until: Until) -> Result<Loaded<A>, LoadError> {
        let begun = self.begin(self.stream(id)?, until).await;
        self.follow(begun, until, |_, _| ()).await
    }

    /// Applies the events of an aggregate one after the other, from the first on, and shows each
    /// with the state after it.
    pub async fn replay(
        &self,
        id: &str,
        until: Until,
        show: impl FnMut(&Recorded, &A) + Send,
    ) -> Result<Loaded<A>, LoadError> {
        let begun = Loaded::new(self.stream(id)?);
        self.follow(begun, until, show).await
    }

    /// The audit trail of an aggregate: its events behind a version, `limit` at most, with who,
    /// when and why. Also shows events that this program can't read.
    pub async fn history(
        &self,
        id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, LoadError> {
        let stream = self.stream(id)?;
        Ok(self
            .store
            .read(&stream, after, Until::Latest, limit)
            .await?)
    }

    /// Decides a command and records what happens. After a conflict it loads and decides again.
    ///
    /// `context` says who does it and why, and is the clock.
    pub async fn execute(
        &self,
        id: &str,
        command: &A::Command,
        context: &Context,
    ) -> Result<Executed<A>, ExecuteError<A::Error>> {
        let mut attempt = 1;
        loop {
            let loaded = self.load(id).await?;
            let decided = decide(&loaded, command, context)?;
            if decided.events.is_empty() {
                return Ok(loaded.unchanged());
            }
            let expected = Expected::Version(loaded.version);
            let appended = self
                .store
                .append(&loaded.stream, expected, &decided.envelopes);
            match appended.await {
                Ok(appended) => return self.executed(loaded, decided, appended).await,
                Err(AppendError::Conflict { .. }) if attempt < self.attempts_max.get() => {
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn executed(
        &self,
        loaded: Loaded<A>,
        decided: Decided<A>,
        appended: Appended,
    ) -> Result<Executed<A>, ExecuteError<A::Error>> {
        let before = loaded.snapshot_version;
        let mut state = loaded.state;
        for event in &decided.events {
            state.evolve(event);
        }
        let times = decided.envelopes.iter().map(|event| event.timestamp);
        let time = times.chain(loaded.time).max();
        let executed = Executed {
            state,
            events: decided.events,
            version: appended.version,
            position: appended.position,
        };
        self.keep(&loaded.stream, before, &executed, time).await;
        Ok(executed)
    }

    /// Applies the events behind what is loaded, and shows each with the state after it.
    async fn follow(
        &self,
        mut loaded: Loaded<A>,
        until: Until,
        mut show: impl FnMut(&Recorded, &A) + Send,
    ) -> Result<Loaded<A>, LoadError> {
        loop {
            let (stream, after) = (&loaded.stream, loaded.version);
            let page = self.store.read(stream, after, until, PAGE_EVENTS).await?;
            for recorded in &page {
                loaded.apply(recorded)?;
                show(recorded, &loaded.state);
            }
            if page.len() < PAGE_EVENTS {
                return Ok(loaded);
            }
        }
    }
}

/// What was decided, not yet recorded.
pub(crate) struct Decided<A: Aggregate> {
    pub(crate) events: Vec<A::Event>,
    pub(crate) envelopes: Vec<Envelope>,
}

/// Decides a command on a loaded aggregate.
pub(crate) fn decide<A: Aggregate>(
    loaded: &Loaded<A>,
    command: &A::Command,
    context: &Context,
) -> Result<Decided<A>, ExecuteError<A::Error>> {
    let decided = loaded.state.decide(command, context.ids.now());
    let events = decided.map_err(ExecuteError::Refused)?;
    let wrapped = events.iter().map(|event| event.wrap(context));
    let envelopes: Result<Vec<Envelope>, EncodeError> = wrapped.collect();
    Ok(Decided {
        envelopes: envelopes?,
        events,
    })
}

impl<A: Aggregate> Loaded<A> {
    /// An aggregate without events.
    pub(crate) fn new(stream: StreamId) -> Self {
        Self {
            stream,
            state: A::default(),
            version: 0,
            time: None,
            snapshot_version: 0,
        }
    }

    /// Applies the next event.
    fn apply(&mut self, recorded: &Recorded) -> Result<(), LoadError> {
        let failed = |problem: EventError| LoadError::Event {
            stream: recorded.stream.clone(),
            version: recorded.version,
            problem,
        };
        let event = A::Event::open(&recorded.event).map_err(failed)?;
        self.state.evolve(&event);
        self.version = recorded.version;
        self.time = Some(recorded.time);
        Ok(())
    }

    fn unchanged(self) -> Executed<A> {
        Executed {
            state: self.state,
            events: Vec::new(),
            version: self.version,
            position: Position::Start,
        }
    }
}

impl<A, S: fmt::Debug + ?Sized> fmt::Debug for Repository<A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository")
            .field("store", &self.store)
            .field("attempts_max", &self.attempts_max)
            .field("keeping", &self.keeping)
            .finish()
    }
}
