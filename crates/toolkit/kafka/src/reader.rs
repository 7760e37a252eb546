//! The thread that reads one group's records.

use std::{sync::Arc, thread, time::Duration};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult},
};
use stele_toolkit_bus::TransportError;
use tokio::{sync::oneshot, time::Instant};

use crate::{
    errors::translate,
    fields::incoming,
    partitions::{Group, Step},
    rebalance::{Rebalancing, commit},
};

/// How long the reader waits for a record before it looks at what else there is to do.
const POLL: Duration = Duration::from_millis(20);

/// How often finished records are committed.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// For how long there may be no room before partitions are paused, which throws away what was
/// fetched ahead. Until then the client library isn't called.
const STALL: Duration = Duration::from_secs(1);

/// How long going back in a partition may take.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// Begins to read. The receiver is told once the consumer has left its group.
pub(crate) fn start(
    group: &Arc<Group>,
    config: &ClientConfig,
) -> Result<oneshot::Receiver<()>, TransportError> {
    let context = Rebalancing(Arc::clone(group));
    let name = &group.name;
    let consumer: KafkaResult<BaseConsumer<Rebalancing>> = config.create_with_context(context);
    let consumer = consumer.map_err(|error| translate(&error, name))?;
    let topics: Vec<&str> = group.topics.iter().map(String::as_str).collect();
    let subscribed = consumer.subscribe(&topics);
    subscribed.map_err(|error| translate(&error, name))?;
    let (ended, end) = oneshot::channel();
    let reader = Reader {
        group: Arc::clone(group),
        consumer,
        committed_at: Instant::now(),
        stalled_at: None,
    };
    let builder = thread::Builder::new().name("kafka-reader".to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "the client library blocks, for as long as the subscription lives"
    )]
    let spawned = builder.spawn(move || {
        reader.run();
        // Nobody waits for it if the subscription was dropped.
        ended.send(()).ok();
    });
    let thread = spawned.map_err(|error| TransportError::Busy {
        transport: crate::errors::NAME,
        reason: format!("no thread for {name}: {error}"),
    })?;
    group.reader.get_or_init(|| thread.thread().clone());
    Ok(end)
}

struct Reader {
    group: Arc<Group>,
    consumer: BaseConsumer<Rebalancing>,
    committed_at: Instant,
    /// Since when there is no room.
    stalled_at: Option<Instant>,
}

impl Reader {
    fn run(mut self) {
        while !self.group.is_stopped() {
            self.commit_in_time();
            let has_room = self.group.handout.room() > 0 || self.group.handout.is_closed();
            let is_stalled = self.is_stalled(has_room);
            self.steer(is_stalled);
            if !has_room && !is_stalled {
                thread::park_timeout(POLL);
                continue;
            }
            if let Err(error) = self.poll() {
                tracing::error!(group = self.group.name, %error, "the subscription ends");
                self.group.handout.close();
                return;
            }
        }
        commit(&self.group, &self.consumer, None);
    }

    fn commit_in_time(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.committed_at) >= COMMIT_INTERVAL || self.group.must_commit() {
            self.committed_at = now;
            commit(&self.group, &self.consumer, None);
        }
    }

    fn is_stalled(&mut self, has_room: bool) -> bool {
        if has_room {
            self.stalled_at = None;
            return false;
        }
        let now = Instant::now();
        let since = *self.stalled_at.get_or_insert(now);
        now.duration_since(since) >= STALL
    }

    /// Pauses, resumes and goes back.
    fn steer(&self, is_stalled: bool) {
        for step in self.group.steps(is_stalled) {
            let done = match &step {
                Step::Pause((topic, partition)) => self.consumer.pause(&list(topic, *partition)),
                Step::Resume((topic, partition)) => self.consumer.resume(&list(topic, *partition)),
                Step::Rewind(place, offset) => {
                    let at = Offset::Offset(*offset);
                    let sought = self.consumer.seek(&place.0, place.1, at, SEEK_TIMEOUT);
                    if sought.is_ok() {
                        self.group.rewound(place, *offset);
                    }
                    sought
                }
            };
            if let Err(error) = done {
                // The partition was revoked meanwhile, or going back is tried again.
                tracing::debug!(?step, %error, "not done");
            }
        }
    }

    /// Waits for a record, and takes it. Fails if the consumer can't go on.
    fn poll(&self) -> Result<(), KafkaError> {
        match self.consumer.poll(POLL) {
            Some(Ok(record)) => {
                let place = (record.topic().to_owned(), record.partition());
                let message = || incoming(&record, |topic| self.group.destination(topic));
                self.group.accept(place, record.offset(), message);
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
            Some(Err(error)) => {
                tracing::debug!(group = self.group.name, %error, "librdkafka");
            }
            None => {}
        }
        Ok(())
    }
}

fn list(topic: &str, partition: i32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    list
}
