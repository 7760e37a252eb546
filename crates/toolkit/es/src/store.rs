//! What an event store does.

use std::fmt::Debug;

use async_trait::async_trait;
use stele_toolkit_bus::StoreError;
use stele_toolkit_envelope::Envelope;
use tokio::sync::watch;

use crate::{
    Appended, Expected, Page, Position, Recorded, StreamId, Types, Until,
    limits::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX},
};

/// Keeps events for ever, in streams.
///
/// | promise | |
/// |---|---|
/// | atomic | an append's events are all there or none is, one behind the other |
/// | checked | of several appends that expect the same version, one succeeds |
/// | repeatable | appending the same events again, by their ids, changes nothing |
/// | ordered | [`EventStore::read_all`] shows each stream's events in the order of their versions |
/// | complete | once it has shown an event, no event appears before it |
///
/// An append that fails because the store couldn't be reached may have happened. Append the same
/// events again to find out.
#[async_trait]
pub trait EventStore: Debug + Send + Sync + 'static {
    /// Appends events to a stream: at least one, within the limits of [`crate::limits`].
    async fn append(
        &self,
        stream: &StreamId,
        expected: Expected,
        events: &[Envelope],
    ) -> Result<Appended, AppendError>;

    /// The events of a stream behind version `after`, `limit` at most. Fewer mean that there are
    /// no more up to `until`.
    async fn read(
        &self,
        stream: &StreamId,
        after: u64,
        until: Until,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError>;

    /// The events of all streams behind a position. `limit` is the number of events that are
    /// looked at, those of other types included.
    async fn read_all(
        &self,
        after: &Position,
        types: &Types,
        limit: usize,
    ) -> Result<Page, ReadError>;

    /// Changes whenever this process has appended something. Other processes are only seen by
    /// reading.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Why events weren't appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream has another version than expected. Load, decide again, append.
    #[error("{stream} has version {actual}, not the expected one")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// Its version.
        actual: u64,
    },
    /// An event's id is in use, for another event or in another append. Roll back a transaction in
    /// which this happened. Ids have to be unique: this is an error in the program. A log finds it
    /// only among the streams of one partition.
    #[error("the event id {id} is in use already")]
    IdInUse {
        /// The id, or the first one of the append if the store can't tell which.
        id: String,
    },
    /// There is nothing to append, or too much. This is an error in the program.
    #[error("{0}")]
    Limit(String),
    /// What the store has can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why events couldn't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What is stored isn't an event: something else has written there. An operator has to look at
    /// it.
    #[error("what is stored at {at} isn't an event: {reason}")]
    Corrupt {
        /// The place.
        at: Position,
        /// What is wrong with it.
        reason: String,
    },
    /// The position is one of another kind of store.
    #[error("{0} isn't a position of this store")]
    ForeignPosition(Position),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks an append against the limits, and returns its events as JSON.
pub(crate) fn encoded(events: &[Envelope]) -> Result<Vec<Vec<u8>>, AppendError> {
    let limit = |reason: String| Err(AppendError::Limit(reason));
    if events.is_empty() {
        return limit("an append needs an event".to_owned());
    }
    if events.len() > APPEND_EVENTS_MAX {
        return limit(format!(
            "an append has at most {APPEND_EVENTS_MAX} events, not {}",
            events.len()
        ));
    }
    let mut all = Vec::with_capacity(events.len());
    let mut total_bytes = 0;
    for event in events {
        let bytes = event.encode();
        total_bytes += bytes.len();
        all.push(bytes);
    }
    if total_bytes > APPEND_BYTES_MAX {
        return limit(format!(
            "an append has at most {APPEND_BYTES_MAX} bytes, not {total_bytes}"
        ));
    }
    Ok(all)
}
