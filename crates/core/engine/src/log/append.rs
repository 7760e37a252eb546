//! Appending batches.

use hashbrown::HashSet;
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};

use super::{
    AppendError, Columns, DeathReason, Ledger, LedgerId, Log, Logs, ProducerStamp,
    commit::Ahead,
    ledger::{Site, Taken, ledger_record},
    record::{LedgerRecord, Run},
};
use crate::{
    Adds, Command, Decision, Durability, Record, State,
    limits::{APPEND_RECORDS_MAX, DEDUPLICATION_MS, DELAYED_RECORDS_MAX, PRODUCER_EXPIRY_MS},
};

/// Appends a batch, whose bytes travel with this command. Each target has its own result, in the
/// same order; a target that doesn't exist doesn't affect the others. If no target accepts the
/// batch, the append is refused with the error that the caller can do most about.
#[derive(Clone, Debug)]
pub struct Append {
    /// The targets; the body is stored once for all of them.
    pub targets: SmallVec<[AppendTarget; 1]>,
    /// How many records (offsets) the batch has, at least 1.
    pub count: u32,
    /// The batch's size.
    pub size_bytes: u32,
    /// The largest timestamp in it.
    pub timestamp: Timestamp,
    /// An idempotent producer's stamp. Only with a single target.
    pub producer: Option<ProducerStamp>,
    /// What the engine needs to know of each record.
    pub columns: Columns,
}

/// One partition to append to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendTarget {
    /// The log.
    pub log: LogId,
    /// The partition. With `None` the engine chooses it: by the records' keys, or in turn if they
    /// have none.
    pub partition: Option<PartitionIndex>,
}

impl AppendTarget {
    /// A log, in a partition that the engine chooses.
    pub fn any_partition(log: LogId) -> Self {
        Self {
            log,
            partition: None,
        }
    }
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
    /// The batch was already there (idempotent producer, FIFO deduplication): nothing was appended.
    pub duplicate: bool,
    /// The queue is full: its records are dead letters from the start.
    pub refused: bool,
}

/// The result of an append at one target.
pub type AppendResult = Result<Appended, AppendError>;

/// How often expired deduplication ids and attempts are removed, in milliseconds: a few times
/// within their window.
pub(super) const IDS_PERIOD_MS: u64 = DEDUPLICATION_MS / 5;

/// The same for producers.
const PRODUCERS_PERIOD_MS: u64 = PRODUCER_EXPIRY_MS / 5;

impl Command for Append {
    type Reply = SmallVec<[AppendResult; 1]>;
    type Error = AppendError;

    const ADDS: Adds = Adds::Messages;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Self::Reply>, AppendError> {
        state.logs.append(self, None, now)
    }
}

impl Logs {
    /// Decides on an append. `ahead` is what earlier appends of the same commit add.
    fn append(
        &self,
        append: Append,
        ahead: Option<&mut Ahead>,
        now: Timestamp,
    ) -> Result<Decision<SmallVec<[AppendResult; 1]>>, AppendError> {
        check(&append)?;
        let mut durability = Durability::Volatile;
        let (mut is_grouped, mut is_sized) = (false, false);
        let mut results: SmallVec<[AppendResult; 1]> = SmallVec::new();
        let (mut targets, mut left) = (SmallVec::new(), Vec::new());
        // Targets may share a partition; then their records follow each other.
        let mut own = Ahead::default();
        let is_one = append.targets.len() == 1 && ahead.is_none();
        let ahead = ahead.unwrap_or(&mut own);
        for target in &append.targets {
            let (log, mut one) = match self.find(target, &append, ahead.is_final, now) {
                Ok(found) => found,
                Err(error) => {
                    results.push(Err(error));
                    continue;
                }
            };
            if !one.duplicate {
                if !is_one {
                    one.base = one.base.plus(ahead.add(one.partition, append.extent()));
                }
                targets.push((one.partition, one.base));
                left.extend(one.refused.then(|| dead_from_the_start(&one, append.count)));
            }
            durability = durability.max(log.config.durability);
            is_grouped |= log.is_grouped();
            is_sized |= log.limits_bytes();
            results.push(Ok(one));
        }
        if results.iter().all(Result::is_err)
            && let Some(error) = most_useful(&results)
        {
            return Err(error);
        }
        if targets.is_empty() {
            // The original may not be on disk yet, and this answer must wait for it.
            return Ok(Decision {
                durability,
                ..Decision::reply(results)
            });
        }
        let mut columns = append.columns;
        if is_grouped {
            columns = columns.grouped_by_key();
        }
        if !is_sized {
            columns = columns.without_body_bytes();
        }
        let record = Record::Appended {
            targets,
            count: append.count,
            size_bytes: append.size_bytes,
            timestamp: append.timestamp,
            at: now,
            producer: append.producer,
            columns,
        };
        let mut decision = Decision::change(record, results, durability);
        decision.records.extend(left);
        Ok(decision)
    }

    /// An append of a commit; refused if a log refuses it, or would dead-letter it.
    pub(super) fn append_of_commit(
        &self,
        append: Append,
        ahead: &mut Ahead,
        now: Timestamp,
    ) -> Result<Decision, AppendError> {
        let is_identified = append.columns.deduplication().any(|id| id.is_some());
        if append.producer.is_some() || is_identified {
            return Err(AppendError::Malformed("ids in a commit"));
        }
        let refuses = |target: &AppendTarget| {
            let log = self.log(target.log);
            log.is_some_and(|log| log.refuses(append.extent(), || ahead.of(target.log)))
        };
        if !ahead.is_final && append.targets.iter().any(refuses) {
            return Err(AppendError::TooLong);
        }
        let decision = self.append(append, Some(ahead), now)?;
        let failed = decision.reply.iter().find_map(|result| match result {
            Err(AppendError::NoSuchLog) | Ok(_) => None,
            Err(error) => Some(*error),
        });
        failed.map_or(Ok(decision.answered(())), Err)
    }

    /// Where a batch is appended in a log that takes it, or where it is already.
    fn find(
        &self,
        target: &AppendTarget,
        append: &Append,
        is_final: bool,
        now: Timestamp,
    ) -> Result<(&Log, Appended), AppendError> {
        let log = self.log(target.log).ok_or(AppendError::NoSuchLog)?;
        let mut one = log.destination(target, append, now)?;
        if is_final {
            return Ok((log, one));
        }
        if append.count > DELAYED_RECORDS_MAX && !one.duplicate && log.delays_too_many(append) {
            return Err(AppendError::TooManyDelayed);
        }
        if !one.duplicate {
            let taken = log.takes(append, target.partition.is_none())?;
            one.refused = taken == Taken::AsDead;
        }
        self.check_room((log, one), append)
    }

    /// Refuses what would be listed record by record where there is no room for that.
    fn check_room<'a>(
        &self,
        (log, one): (&'a Log, Appended),
        append: &Append,
    ) -> Result<(&'a Log, Appended), AppendError> {
        if one.duplicate || self.may_remember() || !log.lists(append, one.partition.index) {
            return Ok((log, one));
        }
        Err(AppendError::Full)
    }

    pub(crate) fn apply_appended(&mut self, record: &Record) {
        let Record::Appended {
            targets,
            count,
            size_bytes,
            at,
            producer,
            columns,
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
            columns,
        };
        for (partition, base) in targets {
            self.apply_appended_to(*partition, *base, &batch);
        }
    }

    fn apply_appended_to(&mut self, target: PartitionId, base: Offset, batch: &Batch<'_>) {
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
            let run = Run {
                partition: target.index,
                first: base,
                count: batch.count,
            };
            let times = (batch.at, self.doubted);
            let columns = (batch.columns, batch.each_bytes());
            ledger.append(run, columns, times, &mut site);
        }
        let period_ms = batch.forgetting_period_ms();
        log.plan_forgetting(target.log, batch.at, period_ms, &mut self.indexes);
        log.count_ids(&mut self.indexes);
        log.count_bodies(&mut self.indexes);
    }
}

/// What the engine knows of an appended batch.
#[derive(Clone, Copy, Debug)]
struct Batch<'a> {
    count: u32,
    size_bytes: u32,
    at: Timestamp,
    producer: Option<ProducerStamp>,
    columns: &'a Columns,
}

impl Append {
    /// The sizes of the records' bodies, as runs of records of the same size.
    pub(super) fn body_bytes(&self) -> impl Iterator<Item = (u32, u32)> + use<'_> {
        let each_bytes = self.size_bytes.div_ceil(self.count.max(1));
        self.columns.body_bytes(self.count, each_bytes)
    }

    /// How many records it has, and the bytes of their bodies.
    pub fn extent(&self) -> (u64, u64) {
        let sizes = self.body_bytes();
        let bytes = sizes.map(|(count, bytes)| u64::from(count) * u64::from(bytes));
        (self.count.into(), bytes.sum())
    }

    /// Whether a log limits how many bytes are ready, and the sizes of the records' bodies aren't
    /// given. Without them, each record has an equal part of the batch.
    pub fn wants_body_bytes(&self, state: &State) -> bool {
        let sized = &state.logs.indexes.sized;
        let mut targets = self.targets.iter();
        !sized.is_empty()
            && !self.columns.has_body_bytes()
            && targets.any(|target| sized.contains(&target.log))
    }
}

impl Batch<'_> {
    /// A record's part of the batch.
    fn each_bytes(&self) -> u32 {
        self.size_bytes.div_ceil(self.count.max(1))
    }

    /// How soon expired entries of this batch are to be removed.
    fn forgetting_period_ms(&self) -> Option<u64> {
        if self.columns.deduplication().next().is_some() {
            return Some(IDS_PERIOD_MS);
        }
        self.producer.map(|_| PRODUCERS_PERIOD_MS)
    }
}

impl Log {
    /// Where a batch is to be appended, or where it already is.
    fn destination(
        &self,
        target: &AppendTarget,
        append: &Append,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        let index = match target.partition {
            Some(index) => index,
            None => self.partition_of(append)?,
        };
        let partition = PartitionId::new(target.log, index);
        let known = self.partition(index).ok_or(AppendError::NoSuchPartition)?;
        let appended = |base, duplicate| Appended {
            partition,
            base,
            start: known.start,
            duplicate,
            refused: false,
        };
        if let Some(stamp) = append.producer
            && let Some(base) = known.producers.check(stamp, append.count, partition, now)?
        {
            return Ok(appended(base, true));
        }
        if let Some((at, base)) = self.known_already(append, now)? {
            return Ok(Appended {
                partition: PartitionId::new(target.log, at),
                base,
                start: self.partition(at).map_or(Offset::ZERO, |at| at.start),
                duplicate: true,
                refused: false,
            });
        }
        Ok(appended(known.end, false))
    }

    /// Whether a ledger hands out its records by group.
    fn is_grouped(&self) -> bool {
        self.ledgers.iter().any(|ledger| ledger.config().fifo)
    }

    fn delays_too_many(&self, append: &Append) -> bool {
        let mut ledgers = self.ledgers.iter();
        ledgers.any(|ledger| delayed(ledger, append) > DELAYED_RECORDS_MAX)
    }

    /// Whether its queue limits how many bytes are ready.
    pub(super) fn limits_bytes(&self) -> bool {
        let max = self.config.queue.and_then(|queue| queue.ready_bytes_max);
        max.is_some()
    }

    /// Whether some of the records are listed by themselves: hidden for a time, by their ids, or
    /// by their sizes.
    fn lists(&self, append: &Append, partition: PartitionIndex) -> bool {
        let mut ids = append.columns.deduplication();
        let mut ledgers = self.ledgers.iter();
        (self.is_fifo() && ids.any(|id| id.is_some()))
            || ledgers.any(|ledger| {
                delayed(ledger, append) > 0 || ledger.lists_bodies(partition, append.body_bytes())
            })
    }

    /// The partition for a batch whose publisher names none.
    fn partition_of(&self, append: &Append) -> Result<PartitionIndex, AppendError> {
        let partitions = self.config.partitions;
        if partitions == 1 {
            return Ok(PartitionIndex(0));
        }
        let columns = &append.columns;
        if self.config.orders_by_priority() {
            let of_priority = |priority: Option<u8>| {
                PartitionIndex(u32::from(priority.unwrap_or(0)).min(partitions - 1))
            };
            let priorities = columns.priorities().chain(std::iter::repeat(None));
            let each = (0..append.count).zip(priorities.map(of_priority));
            return Ok(in_one(each)?.unwrap_or(PartitionIndex(0)));
        }
        let keyed = (0..).zip(columns.keys());
        let keyed =
            keyed.filter_map(|(place, key)| Some((place, partition_of_key(key?, partitions))));
        Ok(in_one(keyed)?.unwrap_or(self.spread))
    }

    /// Where the batch already is, according to its deduplication ids. All of its records must be
    /// there, one after the other.
    fn known_already(
        &self,
        append: &Append,
        now: Timestamp,
    ) -> Result<Option<(PartitionIndex, Offset)>, AppendError> {
        if !self.is_fifo() {
            return Ok(None);
        }
        let is_kept = |(index, offset): &(PartitionIndex, Offset)| {
            let partition = self.partition(*index);
            partition.is_some_and(|partition| *offset >= partition.purged)
        };
        let known = |id: Option<u128>| self.deduplication.find(id?, now).filter(is_kept);
        let ids = append.columns.deduplication();
        let ids = ids
            .chain(std::iter::repeat(None))
            .take(append.count as usize);
        let mut ids = (0..).zip(ids);
        let Some((_, first)) = ids.next() else {
            return Ok(None);
        };
        if append.count == 1 {
            return Ok(known(first));
        }
        let Some((index, base)) = known(first) else {
            let mut seen: HashSet<_> = first.into_iter().collect();
            let is_known = |id| known(Some(id)).is_some();
            let second = ids.find(|(_, id)| id.is_some_and(|id| is_known(id) || !seen.insert(id)));
            return second.map_or(Ok(None), |(place, _)| Err(AppendError::Divided(place)));
        };
        let follows = |place: u32| Some((index, base.plus(u64::from(place))));
        match ids.find(|(place, id)| known(*id) != follows(*place)) {
            Some((place, _)) => Err(AppendError::Divided(place)),
            None => Ok(Some((index, base))),
        }
    }

    fn take_in(&mut self, index: PartitionIndex, base: Offset, batch: &Batch<'_>) {
        // The next record without a partition continues from here, however this one was chosen.
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
        if self.is_fifo() {
            for (place, id) in (0..).zip(batch.columns.deduplication()) {
                if let Some(id) = id {
                    let offset = base.plus(place);
                    self.deduplication.note(id, index, offset, batch.at);
                }
            }
        }
    }

    /// How soon expired entries are to be removed; `None` if there are no entries.
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

/// The records of a queue that is full, which are dead letters.
fn dead_from_the_start(appended: &Appended, count: u32) -> Record {
    let run = Run {
        partition: appended.partition.index,
        first: appended.base,
        count,
    };
    let reason = DeathReason::Length;
    let left = LedgerRecord::Left { run, reason };
    ledger_record(appended.partition.log, LedgerId::DEFAULT, left)
}

/// Why an append is refused that no target accepts: the batch is to be divided, or a target that
/// exists can't take it.
fn most_useful(results: &[AppendResult]) -> Option<AppendError> {
    let errors = results.iter().filter_map(|result| result.as_ref().err());
    let rank = |error: &&AppendError| match error {
        AppendError::Divided(_) => 0,
        AppendError::NoSuchLog => 2,
        _ => 1,
    };
    errors.min_by_key(rank).copied()
}

/// How many of the records a ledger hides for a time.
fn delayed(ledger: &Ledger, append: &Append) -> u32 {
    let own_ms = ledger.config().delay_ms;
    let pieces = append.columns.pieces(append.count);
    let delayed = pieces.filter(|piece| piece.delay_ms.unwrap_or(own_ms) > 0);
    delayed.map(|piece| piece.count).sum()
}

/// The partition of these records, by their places in a batch. Fails if they have several.
fn in_one(
    mut records: impl Iterator<Item = (u32, PartitionIndex)>,
) -> Result<Option<PartitionIndex>, AppendError> {
    let Some((_, chosen)) = records.next() else {
        return Ok(None);
    };
    match records.find(|(_, other)| *other != chosen) {
        Some((place, _)) => Err(AppendError::Divided(place)),
        None => Ok(Some(chosen)),
    }
}

/// The partition for a key's hash, as in Kafka's default partitioner.
pub fn partition_of_key(hash: u32, partitions: u32) -> PartitionIndex {
    PartitionIndex((hash & 0x7fff_ffff) % partitions.max(1))
}

/// Checks for errors that no front should make.
pub(super) fn check(append: &Append) -> Result<(), AppendError> {
    let fault = if append.targets.is_empty() {
        "no targets"
    } else if append.count == 0 {
        "no records"
    } else if append.count > APPEND_RECORDS_MAX {
        "too many records"
    } else if append.producer.is_some() && append.targets.len() > 1 {
        "a producer's batch has one target"
    } else if append.columns.exceed(append.count) {
        "columns for more records than there are"
    } else {
        return Ok(());
    };
    Err(AppendError::Malformed(fault))
}
