//! What a group's consumer shares with its deliveries.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::Thread,
    time::Duration,
};

use rdkafka::{Offset, TopicPartitionList, error::KafkaResult};
use stele_toolkit_bus::{Destination, Handout, Incoming, TransportError};
use tokio::time::Instant;

use crate::{
    errors::unsupported,
    partition::{Accepted, Partition, Reading},
};

/// The longest time for which a partition waits: longer is a mistake rather than a wish.
pub(crate) const RELEASE_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A topic's partition.
pub(crate) type Place = (String, i32);

/// A record that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) place: Place,
    pub(crate) epoch: u64,
    pub(crate) offset: i64,
}

/// A record that isn't handed out yet.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) group: Arc<Group>,
    pub(crate) held: Held,
    pub(crate) message: Incoming,
    pub(crate) is_redelivered: bool,
}

/// One group of a subscription: that of the service for its topics, or that of a queue.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) topics: Vec<String>,
    pub(crate) is_queue: bool,
    pub(crate) handout: Handout<Ready>,
    partitions: Mutex<HashMap<Place, Partition>>,
    epochs: AtomicU64,
    is_paused: AtomicBool,
    is_stopped: AtomicBool,
    /// The thread that reads.
    pub(crate) reader: OnceLock<Thread>,
}

/// What the reader has to do with one partition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Pause(Place),
    Resume(Place),
    Rewind(Place, i64),
}

impl Group {
    pub(crate) fn of_topics(name: &str, topics: &[String], handout: &Handout<Ready>) -> Self {
        Self::new(name, topics.to_vec(), false, handout)
    }

    pub(crate) fn of_queue(name: &str, handout: &Handout<Ready>) -> Self {
        Self::new(name, vec![name.to_owned()], true, handout)
    }

    fn new(name: &str, topics: Vec<String>, is_queue: bool, handout: &Handout<Ready>) -> Self {
        Self {
            name: name.to_owned(),
            topics,
            is_queue,
            handout: handout.clone(),
            partitions: Mutex::default(),
            epochs: AtomicU64::new(0),
            is_paused: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            reader: OnceLock::new(),
        }
    }

    pub(crate) fn destination(&self, topic: String) -> Destination {
        match self.is_queue {
            true => Destination::Queue(topic),
            false => Destination::Topic(topic),
        }
    }

    /// Wakes the reader, which sleeps while there is no room.
    pub(crate) fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }

    pub(crate) fn pause(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Relaxed);
        self.wake();
    }

    /// Has the reader commit and leave its group.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// A partition is this consumer's. `end` is its end at the moment.
    pub(crate) fn assign(&self, place: Place, end: i64) {
        let epoch = self.epochs.fetch_add(1, Ordering::Relaxed);
        let partition = Partition::assigned(epoch, end);
        self.partitions().insert(place, partition);
    }

    /// Partitions are no longer this consumer's; what it holds of them is lost.
    pub(crate) fn revoke(self: &Arc<Self>, places: &[Place]) {
        let mut partitions = self.partitions();
        for place in places {
            partitions.remove(place);
        }
        self.handout
            .recall(|ready| self.is_mine(ready) && places.contains(&ready.held.place));
    }

    /// Takes a record that was read, whose message is made only if it is to be delivered.
    pub(crate) fn accept(
        self: &Arc<Self>,
        place: Place,
        offset: i64,
        message: impl FnOnce() -> Incoming,
    ) {
        let mut partitions = self.partitions();
        let Some(partition) = partitions.get_mut(&place) else {
            return;
        };
        let Accepted::Deliver { is_redelivered } = partition.accept(offset, now()) else {
            return;
        };
        let epoch = partition.epoch;
        let ready = Ready {
            group: Arc::clone(self),
            held: Held {
                place,
                epoch,
                offset,
            },
            message: message(),
            is_redelivered,
        };
        // A closed handout is one that is being drained: the record isn't committed.
        self.handout.put(ready).ok();
    }

    pub(crate) fn finish(&self, held: &Held) -> Result<(), TransportError> {
        let mut partitions = self.partitions();
        let partition = current(&mut partitions, held)?;
        match partition.finish(held.offset) {
            true => Ok(()),
            false => Err(TransportError::Lost),
        }
    }

    /// Has a record read again after this time, and what is behind it, too, if it isn't handed out.
    pub(crate) fn give_back(
        self: &Arc<Self>,
        held: &Held,
        after: Duration,
    ) -> Result<(), TransportError> {
        if after > RELEASE_MAX {
            return Err(unsupported(format!("a release for {after:?}")));
        }
        let now = now();
        let mut partitions = self.partitions();
        let partition = current(&mut partitions, held)?;
        if !partition.give_back(held.offset, now + after, true) {
            return Err(TransportError::Lost);
        }
        let behind = self.handout.recall(|ready| {
            let at = &ready.held;
            self.is_mine(ready) && at.place == held.place && at.offset > held.offset
        });
        for ready in behind {
            partition.give_back(ready.held.offset, now, false);
        }
        Ok(())
    }

    /// What the reader has to do so that each partition is read or paused as it should be.
    pub(crate) fn steps(&self, is_stalled: bool) -> Vec<Step> {
        let now = now();
        let is_paused = is_stalled || self.is_paused.load(Ordering::Relaxed);
        let mut steps = Vec::new();
        for (place, partition) in &mut *self.partitions() {
            let reading = match partition.reading(now) {
                _ if is_paused => Reading::Pause,
                reading => reading,
            };
            let pauses = reading == Reading::Pause;
            if let Reading::Rewind(offset) = reading {
                steps.push(Step::Rewind(place.clone(), offset));
            }
            if pauses != partition.is_paused {
                partition.is_paused = pauses;
                steps.push(match pauses {
                    true => Step::Pause(place.clone()),
                    false => Step::Resume(place.clone()),
                });
            }
        }
        steps
    }

    /// The reader has gone back to this offset.
    pub(crate) fn rewound(&self, place: &Place, offset: i64) {
        if let Some(partition) = self.partitions().get_mut(place) {
            partition.rewound(offset);
        }
    }

    /// Whether a partition can't be read on before a commit.
    pub(crate) fn must_commit(&self) -> bool {
        self.partitions().values().any(Partition::must_commit)
    }

    /// The offsets to commit, of these partitions or of all.
    pub(crate) fn to_commit(&self, of: Option<&[Place]>) -> KafkaResult<TopicPartitionList> {
        let mut offsets = TopicPartitionList::new();
        for (place, partition) in &*self.partitions() {
            if of.is_none_or(|of| of.contains(place))
                && let Some(offset) = partition.to_commit()
            {
                offsets.add_partition_offset(&place.0, place.1, Offset::Offset(offset))?;
            }
        }
        Ok(offsets)
    }

    pub(crate) fn committed(&self, offsets: &TopicPartitionList) {
        let mut partitions = self.partitions();
        for element in offsets.elements() {
            let place = (element.topic().to_owned(), element.partition());
            if let (Some(partition), Some(offset)) =
                (partitions.get_mut(&place), element.offset().to_raw())
            {
                partition.committed(offset);
            }
        }
    }

    fn is_mine(self: &Arc<Self>, ready: &Ready) -> bool {
        Arc::ptr_eq(self, &ready.group)
    }

    /// Every change is complete when the lock is given up, panic or not.
    fn partitions(&self) -> MutexGuard<'_, HashMap<Place, Partition>> {
        let partitions = self.partitions.lock();
        partitions.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The partition of a held record, if it is still this consumer's by the same assignment.
fn current<'a>(
    partitions: &'a mut HashMap<Place, Partition>,
    held: &Held,
) -> Result<&'a mut Partition, TransportError> {
    let partition = partitions.get_mut(&held.place);
    let partition = partition.filter(|partition| partition.epoch == held.epoch);
    partition.ok_or(TransportError::Lost)
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
