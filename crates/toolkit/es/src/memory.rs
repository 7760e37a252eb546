//! A store in memory, for tests and for trying things out.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use parking_lot::Mutex;
use stele_toolkit_envelope::{Envelope, Timestamp};
use tokio::sync::watch;

use crate::{
    AppendError, Appended, EventStore, Expected, Page, Position, ReadError, Recorded, StreamId,
    Types, Until, store,
};

/// A store in memory. It is gone with the process.
#[derive(Debug)]
pub struct MemoryStore {
    kept: Mutex<Kept>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    /// All events in order. The position of the one at index `i` is `i + 1`.
    all: Vec<Recorded>,
    /// The indexes in `all` of each stream's events.
    streams: HashMap<StreamId, Vec<usize>>,
    /// The index of each event by its id.
    ids: HashMap<String, usize>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// A store without events.
    pub fn new() -> Self {
        Self {
            kept: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(
        &self,
        stream: &StreamId,
        expected: Expected,
        events: &[Envelope],
    ) -> Result<Appended, AppendError> {
        store::encoded(events)?;
        let appended = self.kept.lock().append(stream, expected, events)?;
        self.changes.send_modify(|count| *count += 1);
        Ok(appended)
    }

    async fn read(
        &self,
        stream: &StreamId,
        after: u64,
        until: Until,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let kept = self.kept.lock();
        let indexes = kept.of_stream(stream);
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let events = indexes.iter().skip(after).map(|index| &kept.all[*index]);
        let until = events.take_while(|event| until.includes(event.version, event.time));
        Ok(until.take(limit).cloned().collect())
    }

    async fn read_all(
        &self,
        after: &Position,
        types: &Types,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let after = match after {
            Position::Start => 0,
            Position::Row { xid: 0, id } => usize::try_from(*id).unwrap_or(usize::MAX),
            Position::Row { .. } | Position::Log(_) => {
                return Err(ReadError::ForeignPosition(after.clone()));
            }
        };
        let kept = self.kept.lock();
        let rest = kept.all.get(after..).unwrap_or_default();
        let seen = &rest[..rest.len().min(limit)];
        let wanted = seen
            .iter()
            .filter(|event| types.includes(&event.event.message_type));
        Ok(Page {
            events: wanted.cloned().collect(),
            position: seen
                .last()
                .map_or_else(|| row(after), |event| event.position.clone()),
            is_end: seen.len() == rest.len(),
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Kept {
    fn append(
        &mut self,
        stream: &StreamId,
        expected: Expected,
        events: &[Envelope],
    ) -> Result<Appended, AppendError> {
        if let Some(repeated) = self.repeated(stream, events)? {
            return Ok(repeated);
        }
        let actual = self.of_stream(stream).len() as u64;
        if expected
            .version()
            .is_some_and(|expected| expected != actual)
        {
            let stream = stream.clone();
            return Err(AppendError::Conflict { stream, actual });
        }
        let last = self
            .of_stream(stream)
            .last()
            .map(|index| self.all[*index].time);
        let times = events.iter().map(|event| event.timestamp);
        let time = times.chain(last).max().unwrap_or(Timestamp::MIN);
        for (version, event) in (actual + 1..).zip(events) {
            let index = self.all.len();
            self.ids.insert(event.message_id.clone(), index);
            self.streams.entry(stream.clone()).or_default().push(index);
            self.all.push(Recorded {
                position: row(index + 1),
                stream: stream.clone(),
                version,
                time,
                event: event.clone(),
            });
        }
        Ok(Appended {
            version: actual + events.len() as u64,
            position: row(self.all.len()),
            is_repeated: false,
        })
    }

    /// Where these events are if they are here already.
    fn repeated(
        &self,
        stream: &StreamId,
        events: &[Envelope],
    ) -> Result<Option<Appended>, AppendError> {
        let found: Vec<Option<&Recorded>> = events
            .iter()
            .map(|event| Some(&self.all[*self.ids.get(&event.message_id)?]))
            .collect();
        if found.iter().all(Option::is_none) {
            let mut ids = HashSet::new();
            let twice = events.iter().find(|event| !ids.insert(&event.message_id));
            return twice.map_or(Ok(None), |event| Err(in_use(event)));
        }
        let Some(all) = found.into_iter().collect::<Option<Vec<_>>>() else {
            return Err(in_use(&events[0]));
        };
        let versions = all[0].version..;
        let is_same = |(event, version): (&&Recorded, u64)| {
            event.stream == *stream && event.version == version
        };
        if !all.iter().zip(versions).all(is_same) {
            return Err(in_use(&events[0]));
        }
        let last = all[all.len() - 1];
        Ok(Some(Appended {
            version: last.version,
            position: last.position.clone(),
            is_repeated: true,
        }))
    }

    fn of_stream(&self, stream: &StreamId) -> &[usize] {
        self.streams.get(stream).map_or(&[], Vec::as_slice)
    }
}

fn in_use(event: &Envelope) -> AppendError {
    let id = event.message_id.clone();
    AppendError::IdInUse { id }
}

fn row(id: usize) -> Position {
    match id {
        0 => Position::Start,
        id => Position::Row {
            xid: 0,
            id: id as u64,
        },
    }
}
