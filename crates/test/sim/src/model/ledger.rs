//! What is known about each record of a queue: whether it is waiting, leased or done.

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{LogId, Offset, PartitionId, SessionId, Timestamp};
use stele_core_engine::{DeathReason, DeathReasons, LeaseId, LedgerConfig, LogConfig, Outcome};

use crate::{
    event::{Event, Item, Leased, Moving, Publish, PublishId, Settling},
    letters::leaves_by_itself,
};

/// The state of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Waiting to be leased; available unless it is hidden.
    Waiting {
        /// The time until which it is hidden.
        hidden_until: Option<Timestamp>,
    },
    /// Leased to somebody.
    Leased {
        /// The lease.
        lease: LeaseId,
        /// The session that holds it.
        session: SessionId,
        /// Its deadline.
        until: Option<Timestamp>,
    },
    /// Settled; a crash may undo it.
    Done,
    /// Settled, and the client was told that this is durable.
    DoneForever,
    /// Unknown since a crash, or since a request whose effect isn't tracked here.
    Unknown,
}

/// A record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordModel {
    /// Its state.
    pub standing: Standing,
    /// Its group.
    pub group: Option<u64>,
    /// The delay with which it was appended.
    appended_hidden_until: Option<Timestamp>,
    /// It was leased or settled at some time.
    is_touched: bool,
    /// It was visible before a crash that may or may not have undone that; or it was sent more than
    /// once, and it is unknown which attempt was accepted.
    pub(crate) may_be_shown: bool,
    /// It was returned from a lease with a deadline.
    is_behind: bool,
    /// For a record sent more than once: the earliest end of its possible delays.
    first_shown: Option<Timestamp>,
    /// Why it may have left the queue by itself.
    pub(crate) may_have_left: DeathReasons,
    /// How often it was delivered, as far as is known.
    deliveries: u32,
    /// How often it may be delivered.
    deliveries_max: Option<u32>,
    /// Its append is known.
    is_appended: bool,
    /// It has a time to live.
    has_end: bool,
}

impl RecordModel {
    /// A record whose append isn't answered yet.
    const UNKNOWN: Self = Self {
        standing: Standing::Unknown,
        group: None,
        appended_hidden_until: None,
        is_touched: true,
        may_be_shown: false,
        is_behind: false,
        first_shown: None,
        may_have_left: DeathReasons::NONE,
        deliveries: 0,
        deliveries_max: None,
        is_appended: false,
        has_end: false,
    };

    /// Whether it is certainly there to be delivered.
    pub(crate) fn is_ready(&self) -> bool {
        self.standing == Standing::Waiting { hidden_until: None } && self.is_certainly_there()
    }

    /// Whether it can't have left by itself.
    pub(crate) fn is_certainly_there(&self) -> bool {
        self.may_have_left == DeathReasons::NONE
    }

    /// Whether it may leave by itself, now or later.
    pub(crate) fn may_leave(&self) -> bool {
        self.has_end || self.deliveries_max.is_some() || !self.is_certainly_there()
    }

    fn may_leave_for(&mut self, reason: DeathReason) {
        self.may_have_left = self.may_have_left.and(reason);
    }

    /// The record returns from a lease.
    fn give_back(&mut self, hidden_until: Option<Timestamp>) {
        let until = match self.standing {
            Standing::Leased { until, .. } => until,
            _ => None,
        };
        self.is_behind = hidden_until.is_none() && until.is_some();
        self.come_back(hidden_until);
    }

    fn come_back(&mut self, hidden_until: Option<Timestamp>) {
        self.standing = Standing::Waiting { hidden_until };
        if self
            .deliveries_max
            .is_some_and(|max| self.deliveries >= max)
        {
            self.may_leave_for(DeathReason::Deliveries);
        }
    }
}

/// A request to append that may have been accepted.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    at: Timestamp,
    /// The time of the latest tick since: records hidden until then are visible.
    ticked: Timestamp,
    /// The same before a crash, which may have undone the tick but not the record.
    ticked_once: Timestamp,
    /// The request is repeated if it isn't answered.
    is_repeated: bool,
}

type Partition = BTreeMap<Offset, RecordModel>;

/// The records of all queues.
#[derive(Debug, Default)]
pub(crate) struct LedgerModel {
    partitions: BTreeMap<PartitionId, Partition>,
    /// Appends that aren't answered yet.
    unanswered: BTreeMap<PublishId, Vec<Attempt>>,
    /// Logs that are being purged: which of their records are gone is unknown.
    purging: Vec<LogId>,
    /// Appends that a purge may have covered before they were answered.
    caught: BTreeSet<PublishId>,
    /// Logs from which records may be leased unseen until the process ends: the state of their
    /// waiting records after a crash is unknown.
    abandoned: BTreeSet<LogId>,
    /// The offsets up to which removal was requested.
    trimmed: BTreeMap<PartitionId, Offset>,
    /// The queues of logs.
    queues: BTreeMap<LogId, LedgerConfig>,
    /// Logs with records that live for a limited time.
    aging: BTreeSet<LogId>,
    /// When records may leave because they are too old.
    ends: BTreeSet<(Timestamp, PartitionId, Offset)>,
    /// The time of the latest tick.
    ticked: Timestamp,
}

impl LedgerModel {
    /// The known records of a partition.
    pub(crate) fn records(
        &self,
        partition: PartitionId,
    ) -> impl Iterator<Item = (Offset, &RecordModel)> {
        let records = self.partitions.get(&partition).into_iter().flatten();
        records.map(|(offset, record)| (*offset, record))
    }

    /// Records before `end`.
    pub(crate) fn before(
        &self,
        partition: PartitionId,
        end: Offset,
    ) -> impl Iterator<Item = (Offset, &RecordModel)> {
        self.records(partition)
            .take_while(move |(offset, _)| *offset < end)
    }

    /// A record.
    pub(crate) fn get(&self, partition: PartitionId, offset: Offset) -> Option<&RecordModel> {
        self.partitions.get(&partition)?.get(&offset)
    }

    /// The state of a record.
    pub(crate) fn standing(&self, partition: PartitionId, offset: Offset) -> Option<Standing> {
        Some(self.get(partition, offset)?.standing)
    }

    /// The group of a record.
    pub(crate) fn group(&self, partition: PartitionId, offset: Offset) -> Option<u64> {
        self.get(partition, offset)?.group
    }

    /// Whether a record may come after those that were ready when it was returned: it was leased
    /// with a deadline, or may have been, unseen.
    pub(crate) fn is_behind(&self, partition: PartitionId, offset: Offset) -> bool {
        let record = self.get(partition, offset);
        record.is_some_and(|record| record.is_behind) || self.abandoned.contains(&partition.log)
    }

    pub(super) fn append(
        &mut self,
        partition: PartitionId,
        offset: Offset,
        publish: &Publish,
        index: usize,
        config: &LogConfig,
    ) {
        let schedule = publish.schedules.get(index).copied().unwrap_or_default();
        let queue = config.queue.unwrap_or_default();
        let delay_ms = schedule.delay_ms.unwrap_or(queue.delay_ms);
        let attempts = self.unanswered.get(&publish.id).into_iter().flatten();
        let attempts = attempts.filter(|_| delay_ms > 0);
        let ends = attempts.clone().map(|attempt| attempt.at.plus_ms(delay_ms));
        let delays = attempts.zip(ends.clone());
        let mut shown_once = delays.clone();
        let still = delays.filter(|(attempt, end)| *end > attempt.ticked);
        let hidden_until = still.map(|(_, end)| end).max();
        let trimmed = self.trimmed.get(&partition);
        let is_caught = self.caught.contains(&publish.id)
            || self.purging.contains(&partition.log)
            || trimmed.is_some_and(|to| offset < *to);
        let record = RecordModel {
            standing: if is_caught {
                Standing::Unknown
            } else {
                Standing::Waiting { hidden_until }
            },
            group: schedule.group,
            appended_hidden_until: ends.clone().max(),
            is_touched: is_caught,
            may_be_shown: shown_once.any(|(attempt, end)| end <= attempt.ticked_once),
            is_behind: false,
            first_shown: ends.clone().min().filter(|_| ends.count() > 1),
            may_have_left: leaves_by_itself(&queue)
                .without(DeathReason::Expired)
                .without(DeathReason::Deliveries),
            deliveries: 0,
            deliveries_max: queue.deliveries_max,
            is_appended: true,
            has_end: schedule.expiry_ms.or(queue.expiry_ms).is_some(),
        };
        let life_ms = [queue.expiry_ms, schedule.expiry_ms];
        if let Some(life_ms) = life_ms.into_iter().flatten().min() {
            // An earlier clock may have been ahead of the one by which it was accepted.
            let attempts = self.unanswered.get(&publish.id).into_iter().flatten();
            let asked = attempts.map(|attempt| attempt.at).chain([publish.at]);
            let first = asked.min().unwrap_or(publish.at);
            self.ends
                .insert((first.plus_ms(life_ms), partition, offset));
        }
        let records = self.partitions.entry(partition).or_default();
        // It may have been delivered before its append was answered.
        let known = records.entry(offset).or_insert(record);
        (known.is_appended, known.has_end) = (true, record.has_end);
        self.end_lives();
    }

    /// A record is dead from the start, or may have been when it was met.
    pub(super) fn may_have_left(
        &mut self,
        partition: PartitionId,
        offset: Offset,
        reason: DeathReason,
    ) {
        let records = self.partitions.get_mut(&partition);
        if let Some(record) = records.and_then(|records| records.get_mut(&offset)) {
            record.may_leave_for(reason);
        }
    }

    /// Whether the append of a record is known.
    pub(super) fn is_appended(&self, partition: PartitionId, offset: Offset) -> bool {
        let record = self.get(partition, offset);
        record.is_some_and(|record| record.is_appended)
    }

    /// Records whose time is over may have left.
    fn end_lives(&mut self) {
        while let Some(&(end, partition, offset)) = self.ends.first()
            && end <= self.ticked
        {
            self.ends.pop_first();
            self.may_have_left(partition, offset, DeathReason::Expired);
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Published(publish) => self.attempt(publish),
            Event::Acknowledged { publish, .. } => {
                self.unanswered.remove(publish);
            }
            // Earlier attempts may have been accepted nevertheless.
            Event::Refused(publish, _) => {
                self.change_attempts(*publish, |attempts| {
                    attempts.pop();
                });
            }
            Event::Unanswered(publish) => {
                self.change_attempts(*publish, |attempts| {
                    attempts.retain(|attempt| attempt.is_repeated);
                });
            }
            Event::Defined(definition) => {
                let queue = definition.config.queue.unwrap_or_default();
                self.queues.insert(definition.id, queue);
                if queue.expiry_ms.is_some() {
                    self.aging.insert(definition.id);
                }
            }
            Event::Leased(leased) => self.lease(leased),
            Event::Abandoned(log) => {
                self.abandoned.insert(*log);
                self.may_be_delivered_unseen(*log);
            }
            Event::Settling(settling) => self.settle(settling),
            Event::Settled { asked, missing } => self.make_durable(asked, missing),
            Event::Moving(moving) => self.begin_move(moving),
            Event::Extending { log, items } => {
                for (item, until) in items {
                    self.extend(*log, item, *until);
                }
            }
            Event::SessionClosed(closed) => self.close_session(*closed),
            Event::Purging(log) => {
                self.purging.push(*log);
            }
            Event::Purged(log) => {
                self.purge(*log);
                let place = self.purging.iter().position(|purging| purging == log);
                place.map(|place| self.purging.swap_remove(place));
            }
            Event::Trimming(partition, to) => {
                let known = self.trimmed.entry(*partition).or_default();
                *known = (*known).max(*to);
                self.become_unknown(|at, offset| at == *partition && offset < *to);
            }
            Event::Ticked(now) => self.tick(*now),
            Event::Crashed(_) => {
                self.purging.clear();
                self.crash();
            }
            _ => {}
        }
        // A purge may take effect at any time until it is answered.
        for log in self.purging.clone() {
            self.purge(log);
        }
    }

    fn attempt(&mut self, publish: &Publish) {
        let attempt = Attempt {
            at: publish.at,
            ticked: Timestamp(i64::MIN),
            ticked_once: Timestamp(i64::MIN),
            is_repeated: publish.stamp.is_some(),
        };
        self.unanswered.entry(publish.id).or_default().push(attempt);
        if publish.schedules.iter().any(|it| it.expiry_ms.is_some()) {
            self.aging.extend(publish.targets.iter().map(|it| it.log));
        }
    }

    pub(super) fn forget(&mut self, log: LogId) {
        self.partitions.retain(|partition, _| partition.log != log);
    }

    pub(super) fn forget_record(&mut self, partition: PartitionId, offset: Offset) {
        if let Some(records) = self.partitions.get_mut(&partition) {
            records.remove(&offset);
        }
    }

    /// What is delivered to nobody counts.
    fn may_be_delivered_unseen(&mut self, log: LogId) {
        let partitions = self.partitions.iter_mut();
        let of_log = partitions.filter(|(partition, _)| partition.log == log);
        for record in of_log.flat_map(|(_, records)| records.values_mut()) {
            if record.deliveries_max.is_some() {
                record.may_leave_for(DeathReason::Deliveries);
            }
        }
    }

    fn lease(&mut self, leased: &Leased) {
        let queue = self.queues.get(&leased.partition.log);
        let queue = queue.copied().unwrap_or_default();
        let is_abandoned = self.abandoned.contains(&leased.partition.log);
        let records = self.partitions.entry(leased.partition).or_default();
        for one in &leased.records {
            let record = records.entry(one.offset).or_insert(RecordModel::UNKNOWN);
            record.is_touched = true;
            record.is_behind = false;
            record.deliveries = record.deliveries.max(one.deliveries);
            record.deliveries_max = queue.deliveries_max;
            let mut unknown = leaves_by_itself(&queue);
            if record.is_appended {
                unknown = unknown.without(DeathReason::Expired);
            }
            if !is_abandoned {
                unknown = unknown.without(DeathReason::Deliveries);
            }
            record.may_have_left = record.may_have_left.union(unknown);
            record.standing = if leased.is_taken {
                Standing::Done
            } else {
                Standing::Leased {
                    lease: one.lease,
                    session: leased.session,
                    until: leased.until,
                }
            };
        }
    }

    fn settle(&mut self, settling: &Settling) {
        for item in &settling.items {
            let Some(record) = self.record(settling.log, item) else {
                // An unacknowledged record may exist and be settled.
                if item.lease.is_none() {
                    let partition = PartitionId::new(settling.log, item.partition);
                    let records = self.partitions.entry(partition).or_default();
                    records.insert(item.offset, RecordModel::UNKNOWN);
                }
                continue;
            };
            let hits = match (record.standing, item.lease) {
                (Standing::Leased { lease, .. }, Some(named)) => lease == named,
                (Standing::Leased { .. } | Standing::Waiting { .. }, None) => true,
                _ => false,
            };
            if !hits {
                continue;
            }
            record.is_touched = true;
            record.may_be_shown = false;
            match settling.outcome {
                Outcome::Done | Outcome::Reject | Outcome::Expire => {
                    record.standing = Standing::Done
                }
                Outcome::Return(delay_ms) => {
                    let hidden_until = (delay_ms > 0).then(|| settling.at.plus_ms(delay_ms));
                    record.give_back(hidden_until);
                }
            }
        }
    }

    /// From now on it may be gone, in transit, or back in its place.
    fn begin_move(&mut self, moving: &Moving) {
        let partition = PartitionId::new(moving.log, moving.item.partition);
        let records = self.partitions.entry(partition).or_default();
        let record = records
            .entry(moving.item.offset)
            .or_insert(RecordModel::UNKNOWN);
        record.standing = Standing::Unknown;
        record.is_touched = true;
    }

    /// What was settled durably stays settled, even if its state was unknown before.
    fn make_durable(&mut self, asked: &Settling, missing: &[usize]) {
        let is_done = !matches!(asked.outcome, Outcome::Return(_));
        if !asked.is_durable || !is_done {
            return;
        }
        for (place, item) in asked.items.iter().enumerate() {
            if !missing.contains(&place)
                && let Some(record) = self.record(asked.log, item)
            {
                record.standing = Standing::DoneForever;
            }
        }
    }

    fn extend(&mut self, log: LogId, item: &Item, new_until: Option<Timestamp>) {
        let Some(record) = self.record(log, item) else {
            return;
        };
        if let Standing::Leased { lease, until, .. } = &mut record.standing
            && item.lease == Some(*lease)
        {
            match new_until {
                Some(_) => *until = new_until,
                None => record.give_back(None),
            }
        }
    }

    fn close_session(&mut self, closed: SessionId) {
        for record in self.partitions.values_mut().flat_map(BTreeMap::values_mut) {
            if let Standing::Leased {
                session,
                until: None,
                ..
            } = record.standing
                && session == closed
            {
                record.come_back(None);
            }
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.ticked = self.ticked.max(now);
        self.end_lives();
        for attempt in self.unanswered.values_mut().flatten() {
            attempt.ticked = attempt.ticked.max(now);
            attempt.ticked_once = attempt.ticked_once.max(now);
        }
        let aging = &self.aging;
        let records = self.partitions.iter_mut().flat_map(|(partition, records)| {
            let is_aging = aging.contains(&partition.log);
            records.values_mut().map(move |record| (is_aging, record))
        });
        for (is_aging, record) in records {
            let was_ready = record.is_ready();
            record.may_be_shown |= record.first_shown.is_some_and(|first| first <= now);
            match record.standing {
                Standing::Leased {
                    until: Some(until), ..
                } if until <= now => record.give_back(None),
                Standing::Waiting {
                    hidden_until: Some(until),
                } if until <= now => record.standing = Standing::Waiting { hidden_until: None },
                _ => {}
            }
            // Others that are to expire at an earlier time are handed out first to those who wait.
            record.is_behind |= is_aging && !was_ready && record.is_ready();
        }
    }

    /// Leases and settlements without a durable answer may or may not be lost; records that were
    /// never touched wait as they were appended.
    fn crash(&mut self) {
        for attempt in self.unanswered.values_mut().flatten() {
            attempt.ticked = Timestamp(i64::MIN);
        }
        let abandoned = std::mem::take(&mut self.abandoned);
        let partitions = self.partitions.iter_mut();
        let records = partitions.flat_map(|(partition, records)| {
            let is_abandoned = abandoned.contains(&partition.log);
            records
                .values_mut()
                .map(move |record| (is_abandoned, record))
        });
        for (is_abandoned, record) in records {
            record.is_touched |= is_abandoned;
            record.may_be_shown |= record.standing == Standing::Waiting { hidden_until: None };
            record.standing = match record.standing {
                Standing::DoneForever => Standing::DoneForever,
                Standing::Waiting { .. } if !record.is_touched => Standing::Waiting {
                    hidden_until: record.appended_hidden_until,
                },
                _ => Standing::Unknown,
            };
        }
    }

    fn purge(&mut self, log: LogId) {
        self.caught.extend(self.unanswered.keys());
        self.become_unknown(|partition, _| partition.log == log);
    }

    fn become_unknown(&mut self, which: impl Fn(PartitionId, Offset) -> bool) {
        for (partition, records) in &mut self.partitions {
            for (offset, record) in records {
                if record.standing != Standing::DoneForever && which(*partition, *offset) {
                    record.standing = Standing::Unknown;
                    record.is_touched = true;
                }
            }
        }
    }

    fn change_attempts(&mut self, publish: PublishId, change: impl FnOnce(&mut Vec<Attempt>)) {
        if let Some(attempts) = self.unanswered.get_mut(&publish) {
            change(attempts);
            if attempts.is_empty() {
                self.unanswered.remove(&publish);
            }
        }
    }

    fn record(&mut self, log: LogId, item: &Item) -> Option<&mut RecordModel> {
        let partition = PartitionId::new(log, item.partition);
        self.partitions.get_mut(&partition)?.get_mut(&item.offset)
    }
}
