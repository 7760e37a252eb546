//! Appending.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};

use super::{
    AppendError, Log, Logs, ProducerStamp,
    ledger::{AppendedRun, Site},
    record::Run,
};
use crate::{
    Command, Decision, Durability, Record, State,
    limits::{APPEND_RECORDS_MAX, DEDUPLICATION_MS, PRODUCER_EXPIRY_MS},
};

/// Appends a batch, whose bytes travel beside this command. Each target has a result of its own,
/// in their order: one that is gone takes nothing from the others. Where none takes it, the append
/// is refused as the first one is.
#[derive(Clone, Debug)]
pub struct Append {
    /// Where to; the body is stored once for all.
    pub targets: SmallVec<[AppendTarget; 1]>,
    /// How many records (offsets) the batch holds, from 1.
    pub count: u32,
    /// The batch's size.
    pub size_bytes: u32,
    /// The largest timestamp in it.
    pub timestamp: Timestamp,
    /// An idempotent producer's stamp. With one target only.
    pub producer: Option<ProducerStamp>,
    /// What scheduling needs to know. With `count` 1 only.
    pub schedule: Option<Schedule>,
}

/// One partition to append to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendTarget {
    /// The log.
    pub log: LogId,
    /// The partition; `None` spreads evenly over the log's.
    pub partition: Option<PartitionIndex>,
}

/// Per-record fields that scheduling needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Hidden for this long from now, in milliseconds; `None` takes the queue's own delay.
    pub delay_ms: Option<u64>,
    /// A stable hash of the message group (FIFO queues).
    pub group: Option<u64>,
    /// A stable hash of the deduplication id (FIFO queues).
    pub deduplication: Option<u128>,
}

/// Where a batch was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the batch's first record.
    pub base: Offset,
    /// The partition's start.
    pub start: Offset,
    /// It was there already (idempotent producer, FIFO deduplication): nothing was appended.
    pub duplicate: bool,
}

/// What became of a batch at one target.
pub type AppendResult = Result<Appended, AppendError>;

/// How often deduplication ids and attempts are looked through, in milliseconds: a few times in the
/// window that they are remembered for.
pub(super) const IDS_PERIOD_MS: u64 = DEDUPLICATION_MS / 5;

/// The same for producers.
const PRODUCERS_PERIOD_MS: u64 = PRODUCER_EXPIRY_MS / 5;

impl Command for Append {
    type Reply = SmallVec<[AppendResult; 1]>;
    type Error = AppendError;

    const ADDS_DATA: bool = true;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Self::Reply>, AppendError> {
        state.logs.append(self, now)
    }
}

impl Logs {
    fn append(
        &self,
        append: Append,
        now: Timestamp,
    ) -> Result<Decision<SmallVec<[AppendResult; 1]>>, AppendError> {
        check(&append)?;
        let mut durability = Durability::Volatile;
        let mut results: SmallVec<[AppendResult; 1]> = SmallVec::new();
        let mut targets = SmallVec::new();
        // Targets may share a partition: the next one's records follow.
        let mut ends = HashMap::new();
        for target in &append.targets {
            let log = self.log(target.log).ok_or(AppendError::NoSuchLog);
            let found = log.and_then(|log| Ok((log, log.destination(target, &append, now)?)));
            let (log, mut one) = match found {
                Ok(found) => found,
                Err(error) => {
                    results.push(Err(error));
                    continue;
                }
            };
            durability = durability.max(log.config.durability);
            if !one.duplicate {
                if append.targets.len() > 1 {
                    let taken = ends.entry(one.partition).or_insert(0);
                    one.base = one.base.plus(*taken);
                    *taken += u64::from(append.count);
                }
                targets.push((one.partition, one.base));
            }
            results.push(Ok(one));
        }
        if let Some(Err(error)) = results.first()
            && results.iter().all(Result::is_err)
        {
            return Err(*error);
        }
        if targets.is_empty() {
            // The original may still be on its way to the disk: this answer waits for it as well.
            return Ok(Decision {
                durability,
                ..Decision::reply(results)
            });
        }
        let record = Record::Appended {
            targets,
            count: append.count,
            size_bytes: append.size_bytes,
            timestamp: append.timestamp,
            at: now,
            producer: append.producer,
            schedule: append.schedule,
        };
        Ok(Decision::change(record, results, durability))
    }

    pub(crate) fn apply_appended(&mut self, record: &Record) {
        let Record::Appended {
            targets,
            count,
            size_bytes,
            at,
            producer,
            schedule,
            ..
        } = record
        else {
            return;
        };
        let batch = Batch {
            count: *count,
            size_bytes: *size_bytes,
            at: *at,
            producer: *producer,
            schedule: schedule.unwrap_or_default(),
        };
        for (partition, base) in targets {
            self.apply_appended_to(*partition, *base, &batch);
        }
    }

    fn apply_appended_to(&mut self, target: PartitionId, base: Offset, batch: &Batch) {
        let Some(log) = self.logs.get_mut(&target.log) else {
            return;
        };
        log.take_in(target.index, base, batch);
        for ledger in &mut log.ledgers {
            let mut site = Site {
                log: target.log,
                ledger: ledger.id(),
                indexes: &mut self.indexes,
            };
            let run = AppendedRun {
                run: Run {
                    partition: target.index,
                    first: base,
                    count: batch.count,
                },
                at: batch.at,
                delay_ms: batch.schedule.delay_ms,
                group: batch.schedule.group,
            };
            ledger.append(&run, &mut site);
        }
        let period_ms = batch.forgetting_period_ms();
        log.plan_forgetting(target.log, batch.at, period_ms, &mut self.indexes);
    }
}

/// What is known of appended records.
#[derive(Clone, Copy, Debug)]
struct Batch {
    count: u32,
    size_bytes: u32,
    at: Timestamp,
    producer: Option<ProducerStamp>,
    schedule: Schedule,
}

impl Batch {
    /// How soon to look through what is remembered of it.
    fn forgetting_period_ms(&self) -> Option<u64> {
        if self.schedule.deduplication.is_some() {
            return Some(IDS_PERIOD_MS);
        }
        self.producer.map(|_| PRODUCERS_PERIOD_MS)
    }
}

impl Log {
    /// Where a batch goes, or where it is already.
    fn destination(
        &self,
        target: &AppendTarget,
        append: &Append,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        let index = target.partition.unwrap_or(self.spread);
        let partition = PartitionId::new(target.log, index);
        let known = self.partition(index).ok_or(AppendError::NoSuchPartition)?;
        let appended = |base, duplicate| Appended {
            partition,
            base,
            start: known.start,
            duplicate,
        };
        if let Some(stamp) = append.producer
            && let Some(base) = known.producers.check(stamp, append.count, partition, now)?
        {
            return Ok(appended(base, true));
        }
        let id = append.schedule.and_then(|schedule| schedule.deduplication);
        if let Some((at, base)) = id.and_then(|id| self.deduplication.find(id, now)) {
            return Ok(Appended {
                partition: PartitionId::new(target.log, at),
                base,
                start: self.partition(at).map_or(Offset::ZERO, |at| at.start),
                duplicate: true,
            });
        }
        Ok(appended(known.end, false))
    }

    fn take_in(&mut self, index: PartitionIndex, base: Offset, batch: &Batch) {
        // The next record without a partition goes on from here, whoever chose this one.
        if index == self.spread {
            let next = PartitionIndex(index.0 + 1);
            let wraps = self.partition(next).is_none();
            self.spread = if wraps { PartitionIndex(0) } else { next };
        }
        if let Some(partition) = self.partition_mut(index) {
            partition.append(base, batch.count, batch.size_bytes);
            if let Some(stamp) = batch.producer {
                partition.producers.note(stamp, batch.count, base, batch.at);
            }
        }
        if let Some(id) = batch.schedule.deduplication.filter(|_| self.is_fifo()) {
            self.deduplication.note(id, index, base, batch.at);
        }
    }

    /// How soon to look through what is remembered for a time; `None` where nothing is.
    pub(super) fn forgetting_period_ms(&self) -> Option<u64> {
        let attempts = self.ledgers.iter().any(|ledger| ledger.has_attempts());
        if attempts || !self.deduplication.is_empty() {
            return Some(IDS_PERIOD_MS);
        }
        let producers = self.partitions.iter();
        let has_some = producers
            .into_iter()
            .any(|partition| !partition.producers.is_empty());
        has_some.then_some(PRODUCERS_PERIOD_MS)
    }
}

/// What no front should send.
fn check(append: &Append) -> Result<(), AppendError> {
    let fault = if append.targets.is_empty() {
        "no targets"
    } else if append.count == 0 {
        "no records"
    } else if append.count > APPEND_RECORDS_MAX {
        "too many records"
    } else if append.producer.is_some() && append.targets.len() > 1 {
        "a producer's batch has one target"
    } else if append.schedule.is_some() && append.count > 1 {
        "a schedule is of one record"
    } else {
        return Ok(());
    };
    Err(AppendError::Malformed(fault))
}
