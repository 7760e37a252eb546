//! Idempotent producers (KIP-98, KIP-360): a batch that is sent again is recognised by its sequence
//! number.
//!
//! ```text
//!   remembered   [ 12..15 at 800 ][ 15..16 at 803 ]          expected next: 16
//!   sent 16..20  follows: append           sent 15..16  duplicate: answer offset 803
//!   sent 3..5    long ago: refuse          sent 18..    a batch is missing: refuse
//! ```
//!
//! An unknown producer may begin with any number, as in Kafka: the log was recreated, or the
//! producer was inactive for long, and its client can't go back to 0 without losing records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Timestamp};

use super::{
    AppendError, LogError,
    forget::{drop_oldest, look_through},
    sweep::shed,
};
use crate::{
    Command, Decision, State,
    limits::{PRODUCER_BATCHES, PRODUCER_EXPIRY_MS, PRODUCERS_MAX},
};

/// The stamp that an idempotent producer writes into a batch (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerStamp {
    /// The producer's id.
    pub id: ProducerId,
    /// Its epoch, which fences off older ones.
    pub epoch: ProducerEpoch,
    /// The sequence number of the batch's first record.
    pub sequence: Sequence,
}

/// Lists the idempotent producers that a partition remembers. Changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct DescribeProducers {
    /// The partition.
    pub partition: PartitionId,
}

/// An idempotent producer of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownProducer {
    /// The producer's id.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The sequence number of its last record.
    pub sequence_last: Sequence,
    /// The time of its last batch.
    pub at: Timestamp,
}

impl Command for DescribeProducers {
    type Reply = Vec<KnownProducer>;
    type Error = LogError;

    fn decide(
        self,
        state: &State,
        now: Timestamp,
    ) -> Result<Decision<Vec<KnownProducer>>, LogError> {
        let PartitionId { log, index, .. } = self.partition;
        let partition = state.logs.known(log)?.partition(index);
        let partition = partition.ok_or(LogError::NoSuchPartition)?;
        Ok(Decision::reply(partition.producers.known(now).collect()))
    }
}

/// The producers of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Producers {
    producers: BTreeMap<ProducerId, Producer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Producer {
    epoch: ProducerEpoch,
    /// The last batches, oldest first; never empty.
    batches: SmallVec<[Batch; PRODUCER_BATCHES]>,
    /// The time of the last one.
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Batch {
    sequence: Sequence,
    count: u32,
    base: Offset,
}

impl Producers {
    /// Checks a batch: `None` if it is the next one, or else the offset at which it already is.
    pub(crate) fn check(
        &self,
        stamp: ProducerStamp,
        count: u32,
        partition: PartitionId,
        now: Timestamp,
    ) -> Result<Option<Offset>, AppendError> {
        let known = self.producers.get(&stamp.id);
        let Some(producer) = known.filter(|producer| !producer.is_expired(now)) else {
            return Ok(None);
        };
        if stamp.epoch < producer.epoch {
            return Err(AppendError::ProducerFenced {
                got: stamp.epoch,
                current: producer.epoch,
            });
        }
        if stamp.epoch > producer.epoch {
            return producer.begin(stamp, partition);
        }
        producer.follow(stamp, count, partition)
    }

    /// The producers that haven't expired, by id.
    fn known(&self, now: Timestamp) -> impl Iterator<Item = KnownProducer> {
        let known = self
            .producers
            .iter()
            .filter(move |it| !it.1.is_expired(now));
        known.filter_map(|(id, producer)| {
            let last = producer.batches.last()?;
            Some(KnownProducer {
                id: *id,
                epoch: producer.epoch,
                sequence_last: last.sequence.plus(last.count.saturating_sub(1)),
                at: producer.at,
            })
        })
    }

    /// Adds a batch.
    pub(crate) fn note(&mut self, stamp: ProducerStamp, count: u32, base: Offset, at: Timestamp) {
        let batch = Batch {
            sequence: stamp.sequence,
            count,
            base,
        };
        let producer = self.producers.entry(stamp.id).or_insert_with(|| Producer {
            epoch: stamp.epoch,
            batches: SmallVec::new(),
            at,
        });
        if producer.epoch != stamp.epoch || stamp.sequence != producer.expected() {
            producer.epoch = stamp.epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == PRODUCER_BATCHES {
            producer.batches.remove(0);
        }
        producer.batches.push(batch);
        producer.at = at;
        drop_oldest(&mut self.producers, PRODUCERS_MAX, |producer| producer.at);
    }

    /// Removes expired producers.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        self.producers
            .retain(|_, producer| !producer.is_expired(now));
    }

    /// The same for up to `left` producers, from `first` on. Returns where to continue, if there
    /// are more.
    pub(crate) fn forget_some(
        &mut self,
        now: Timestamp,
        first: ProducerId,
        left: &mut usize,
    ) -> Option<ProducerId> {
        let is_old = |producer: &Producer| producer.is_expired(now);
        look_through(&mut self.producers, first, left, is_old)
    }

    /// Removes up to `left` producers, because the log is gone.
    pub(crate) fn shed(&mut self, left: &mut usize) {
        shed(&mut self.producers, left);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }
}

impl Producer {
    /// A new epoch begins at 0.
    fn begin(
        &self,
        stamp: ProducerStamp,
        partition: PartitionId,
    ) -> Result<Option<Offset>, AppendError> {
        if stamp.sequence == Sequence(0) {
            return Ok(None);
        }
        Err(AppendError::OutOfOrderSequence {
            partition,
            got: stamp.sequence,
            expected: Sequence(0),
        })
    }

    fn follow(
        &self,
        stamp: ProducerStamp,
        count: u32,
        partition: PartitionId,
    ) -> Result<Option<Offset>, AppendError> {
        let expected = self.expected();
        if stamp.sequence == expected {
            return Ok(None);
        }
        let mut batches = self.batches.iter();
        let same = batches.find(|batch| batch.sequence == stamp.sequence && batch.count == count);
        if let Some(batch) = same {
            return Ok(Some(batch.base));
        }
        Err(AppendError::OutOfOrderSequence {
            partition,
            got: stamp.sequence,
            expected,
        })
    }

    fn expected(&self) -> Sequence {
        let last = self.batches.last();
        last.map_or(Sequence(0), |batch| batch.sequence.plus(batch.count))
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        now.since_ms(self.at) >= PRODUCER_EXPIRY_MS
    }
}

#[cfg(test)]
mod tests;
