//! The store on a Kafka topic.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::KafkaError,
    producer::{FutureProducer, FutureRecord},
    types::RDKafkaErrorCode,
    util::Timeout,
};
use stele_toolkit_bus::StoreError;
use stele_toolkit_envelope::Envelope;
use tokio::{sync::watch, time};

use crate::{
    AppendError, Appended, EventStore, Expected, Page, Position, ReadError, Recorded, StreamId,
    Types, Until, store,
};

mod index;
mod partition;
mod place;
mod reader;
mod record;
mod tail;

use index::{Index, Verdict};
use reader::Readers;
use tail::Tail;

/// How a log is reached.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The brokers, `HOST:PORT,…`.
    pub brokers: String,
    /// The topic. Only [`LogStore`]s write to it.
    pub topic: String,
    /// How long to wait for the brokers.
    pub timeout: Duration,
}

/// Events in a Kafka topic.
///
/// ```text
///  append ──► one record: expected version, events ──► partition of the stream's id
///                                                          │ in the order of offsets
///                    every process: the same fold ◄────────┘
///                    expected = actual? accepted : refused, without effect
/// ```
///
/// Kafka can't append on a condition. So an append is written first, and the order of the
/// partition decides: its record counts if its stream has the expected version at that place.
/// Every process reads all records and comes to the same verdicts, and the one that appended waits
/// for its own. No process owns a partition, so none can be a second owner by mistake: what a
/// paused process writes too late is refused like any other late append. To have few conflicts,
/// send the commands of an id to one process: by a topic of commands with the same partitions,
/// keyed by the aggregate's id.
///
/// | | |
/// |---|---|
/// | memory | the index: about 200 bytes an event, in each process |
/// | opening it | reads the whole topic |
/// | the topic | keeps everything: `retention.ms` and `retention.bytes` −1, no compaction |
/// | its partitions | never become more: an id's partition follows from their number |
/// | a foreign record | is logged as an error, and is no event |
///
/// Clones share it.
#[derive(Clone, Debug)]
pub struct LogStore(Arc<Inner>);

struct Inner {
    settings: LogSettings,
    partitions: u32,
    producer: FutureProducer,
    readers: Readers,
    tail: Tail,
    changes: watch::Sender<u64>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogStore")
            .field("settings", &self.settings)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

impl LogStore {
    /// Makes the topic of a log, if it isn't there, with this many partitions and replicas.
    pub async fn create(
        settings: &LogSettings,
        partitions: u32,
        replicas: u32,
    ) -> Result<(), StoreError> {
        let admin: AdminClient<DefaultClientContext> =
            client(settings).create().map_err(unavailable)?;
        let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let replicas = TopicReplication::Fixed(number(replicas));
        let topic = NewTopic::new(&settings.topic, number(partitions), replicas)
            .set("retention.ms", "-1")
            .set("retention.bytes", "-1")
            .set("cleanup.policy", "delete");
        let options = AdminOptions::new().operation_timeout(Some(settings.timeout));
        let made = admin.create_topics([&topic], &options).await;
        match made.map_err(unavailable)?.pop() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, code))) => Err(unavailable(KafkaError::AdminOp(code))),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Opens a log whose topic is there, and reads all of it.
    pub async fn open(settings: LogSettings) -> Result<Self, StoreError> {
        let producer = client(&settings)
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .set(
                "message.timeout.ms",
                settings.timeout.as_millis().to_string(),
            )
            .create()
            .map_err(unavailable)?;
        let tail = Tail::start(&settings).await?;
        let partitions = tail.partitions();
        Ok(Self(Arc::new(Inner {
            readers: Readers::new(settings.clone()),
            settings,
            partitions,
            producer,
            tail,
            changes: watch::Sender::new(0),
        })))
    }

    /// The partition of an aggregate's events: that of Kafka's Java client for a record whose key
    /// is the aggregate's id.
    pub fn partition(&self, stream: &StreamId) -> u32 {
        partition::of(stream.id().as_bytes(), self.0.partitions)
    }

    /// Writes a record, and returns its offset.
    async fn write(&self, stream: &StreamId, body: &[u8]) -> Result<u64, StoreError> {
        let partition = i32::try_from(self.partition(stream)).unwrap_or(i32::MAX);
        let record = FutureRecord::to(&self.0.settings.topic)
            .partition(partition)
            .key(stream.as_str())
            .payload(body);
        let queued = Timeout::After(self.0.settings.timeout);
        let sent = self.0.producer.send(record, queued).await;
        let delivery = sent.map_err(|(error, _)| unavailable(error))?;
        Ok(u64::try_from(delivery.offset).unwrap_or(0))
    }
}

#[async_trait]
impl EventStore for LogStore {
    async fn append(
        &self,
        stream: &StreamId,
        expected: Expected,
        events: &[Envelope],
    ) -> Result<Appended, AppendError> {
        let body = record::encode(expected, &store::encoded(events)?);
        let partition = self.partition(stream);
        // What the index knows already needs no record. It may be behind, never ahead.
        let known = self
            .0
            .tail
            .index()
            .lock()
            .known(partition, stream, expected, events);
        let verdict = match known {
            Some(verdict) => verdict,
            None => {
                let offset = self.write(stream, &body).await?;
                let seen = self.0.tail.seen(partition, offset);
                let in_time = time::timeout(self.0.settings.timeout, seen).await;
                in_time.map_err(|_| unavailable("the log can't be read"))??;
                self.0.changes.send_modify(|count| *count += 1);
                self.0.tail.index().lock().verdict(partition, offset)
            }
        };
        match verdict {
            Verdict::Appended { version, place } => Ok(Appended {
                version,
                position: Position::Start.with_place(partition, place),
                is_repeated: false,
            }),
            Verdict::Repeated { version, place } => Ok(Appended {
                version,
                position: Position::Start.with_place(partition, place),
                is_repeated: true,
            }),
            Verdict::Conflict { actual } => {
                let stream = stream.clone();
                Err(AppendError::Conflict { stream, actual })
            }
            Verdict::IdInUse => Err(AppendError::IdInUse {
                id: events[0].message_id.clone(),
            }),
        }
    }

    async fn read(
        &self,
        stream: &StreamId,
        after: u64,
        until: Until,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let partition = self.partition(stream);
        let plan = self
            .0
            .tail
            .index()
            .lock()
            .of_stream(partition, stream, after, until, limit);
        self.0
            .readers
            .read(&Position::Start, plan, &Types::All)
            .await
    }

    async fn read_all(
        &self,
        after: &Position,
        types: &Types,
        limit: usize,
    ) -> Result<Page, ReadError> {
        if matches!(after, Position::Row { .. }) {
            return Err(ReadError::ForeignPosition(after.clone()));
        }
        let planned = self.0.tail.index().lock().behind(after, limit);
        Ok(Page {
            events: self.0.readers.read(after, planned.records, types).await?,
            position: planned.position,
            is_end: planned.is_end,
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}

/// The index of all partitions, which the tail keeps.
type SharedIndex = Arc<Mutex<Index>>;

fn client(settings: &LogSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers);
    config
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(error.into())
}
