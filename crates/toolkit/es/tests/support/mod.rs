//! What several tests need.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use stele_toolkit_envelope::{Context, Envelope, RawJson};
use stele_toolkit_es::{
    AggregateEvent, AppendError, Appended, EventStore, Expected, MemoryStore, Page, Position,
    ReadError, Recorded, StreamId, Types, Until,
};
use tokio::sync::watch;

/// An event of any type, with an id of its own.
pub(crate) fn envelope(name: &str, version: &str, data: &str, context: &Context) -> Envelope {
    let timestamp = context.ids.now();
    Envelope {
        message_id: context.ids.message_id(timestamp),
        message_type: name.to_owned(),
        version: version.parse().expect("a version"),
        timestamp,
        source: context.source.clone(),
        correlation_id: "correlation".to_owned(),
        data: RawJson::parse(data).expect("JSON"),
        metadata: Default::default(),
        unknown: Default::default(),
    }
}

/// A store in which somebody else appends an event just before each of the first appends.
#[derive(Debug)]
pub(crate) struct Interfering<E> {
    store: MemoryStore,
    left: AtomicU32,
    event: E,
}

impl<E: AggregateEvent> Interfering<E> {
    pub(crate) fn new(times: u32, event: E) -> Self {
        Self {
            store: MemoryStore::new(),
            left: AtomicU32::new(times),
            event,
        }
    }

    /// Appends events without interference.
    pub(crate) async fn seed(&self, events: &[E], context: &Context) {
        let stream = "BankAccount/12345".parse().expect("a name");
        let wrapped = events.iter().map(|event| event.wrap(context));
        let events: Vec<Envelope> = wrapped.map(|event| event.expect("JSON")).collect();
        let appended = self.store.append(&stream, Expected::NoStream, &events);
        appended.await.expect("a new stream");
    }
}

#[async_trait]
impl<E: AggregateEvent> EventStore for Interfering<E> {
    async fn append(
        &self,
        stream: &StreamId,
        expected: Expected,
        events: &[Envelope],
    ) -> Result<Appended, AppendError> {
        let less = |left: u32| left.checked_sub(1);
        let order = Ordering::SeqCst;
        if self.left.fetch_update(order, order, less).is_ok() {
            let event = self.event.wrap(&Context::new("other")).expect("JSON");
            self.store.append(stream, Expected::Any, &[event]).await?;
        }
        self.store.append(stream, expected, events).await
    }

    async fn read(
        &self,
        stream: &StreamId,
        after: u64,
        until: Until,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.store.read(stream, after, until, limit).await
    }

    async fn read_all(
        &self,
        after: &Position,
        types: &Types,
        limit: usize,
    ) -> Result<Page, ReadError> {
        self.store.read_all(after, types, limit).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.store.changes()
    }
}
