//! Reading the log as it grows, into the index.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
};
use stele_toolkit_bus::StoreError;
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time,
};

use super::{LogSettings, SharedIndex, client, index::Index, record, unavailable};

/// How long to wait after an error of the client, which goes on by itself.
const RETRY: Duration = Duration::from_millis(100);

/// Reads all partitions for as long as it is there.
#[derive(Debug)]
pub(super) struct Tail {
    index: SharedIndex,
    partitions: u32,
    /// Changes with each record.
    progress: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tail {
    /// Starts to read, and returns once everything is read that was there before.
    pub(super) async fn start(settings: &LogSettings) -> Result<Self, StoreError> {
        let consumer = consumer(settings)?;
        let asked = settings.clone();
        // The client's calls for metadata block.
        let asking = spawn_blocking(move || ends(&consumer, &asked).map(|ends| (consumer, ends)));
        let (consumer, ends) = asking.await.map_err(unavailable)??;
        let partitions = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        let mut all = TopicPartitionList::new();
        for partition in 0..partitions {
            let number = i32::try_from(partition).unwrap_or(i32::MAX);
            all.add_partition_offset(&settings.topic, number, Offset::Beginning)
                .map_err(unavailable)?;
        }
        consumer.assign(&all).map_err(unavailable)?;
        let index = Arc::new(Mutex::new(Index::new(partitions)));
        let (report, progress) = watch::channel(0);
        let task = tokio::spawn(follow(consumer, Arc::clone(&index), report));
        let tail = Self {
            index,
            partitions,
            progress,
            task,
        };
        for (partition, end) in (0..partitions).zip(ends) {
            let Some(last) = end.checked_sub(1) else {
                continue;
            };
            let seen = time::timeout(settings.timeout, tail.seen(partition, last)).await;
            seen.map_err(|_| unavailable("the log can't be read in time"))??;
        }
        Ok(tail)
    }

    /// Returns once a record has been taken in.
    pub(super) async fn seen(&self, partition: u32, offset: u64) -> Result<(), StoreError> {
        let mut progress = self.progress.clone();
        let is_seen = |_: &u64| self.index.lock().next(partition) > offset;
        let seen = progress.wait_for(is_seen).await;
        seen.map(drop).map_err(unavailable)
    }

    pub(super) fn index(&self) -> &SharedIndex {
        &self.index
    }

    pub(super) fn partitions(&self) -> u32 {
        self.partitions
    }
}

/// A consumer that belongs to no group.
pub(super) fn consumer(settings: &LogSettings) -> Result<StreamConsumer, StoreError> {
    let created = client(settings)
        // The client wants one even though it never joins.
        .set("group.id", "event-store")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", "10")
        .create();
    created.map_err(unavailable)
}

/// The offset behind the last record of each partition.
fn ends(consumer: &StreamConsumer, settings: &LogSettings) -> Result<Vec<u64>, StoreError> {
    let (topic, timeout) = (&settings.topic, settings.timeout);
    let metadata = consumer.fetch_metadata(Some(topic), timeout);
    let metadata = metadata.map_err(unavailable)?;
    let found = metadata.topics().iter().find(|it| it.name() == topic);
    let count = found.map_or(0, |topic| topic.partitions().len());
    if count == 0 {
        return Err(unavailable(format!("there is no topic {topic}")));
    }
    let end = |partition: usize| {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let marks = consumer.fetch_watermarks(topic, partition, timeout);
        let (_, high) = marks.map_err(unavailable)?;
        Ok(u64::try_from(high).unwrap_or(0))
    };
    (0..count).map(end).collect()
}

async fn follow(consumer: StreamConsumer, index: SharedIndex, report: watch::Sender<u64>) {
    loop {
        let message = match consumer.recv().await {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%error, "the log can't be read at the moment");
                time::sleep(RETRY).await;
                continue;
            }
        };
        let partition = u32::try_from(message.partition()).unwrap_or(0);
        let offset = u64::try_from(message.offset()).unwrap_or(0);
        let append = match record::decode(message.key(), message.payload()) {
            Ok(append) => Some(append),
            Err(reason) => {
                let topic = message.topic();
                tracing::error!(topic, partition, offset, reason, "a record isn't an append");
                None
            }
        };
        index.lock().apply(partition, offset, append);
        report.send_modify(|count| *count += 1);
    }
}
