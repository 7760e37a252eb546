//! The model: a simple list of all records with their state.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::*,
    entry::{Condition, Entry},
};
use crate::Outcome;

pub(super) struct Oracle {
    config: LedgerConfig,
    partitions: Vec<Records>,
    pub(super) consumers: BTreeMap<ConsumerRef, u32>,
    /// How often a record was returned behind the others.
    given_back: u64,
}

#[derive(Default)]
struct Records {
    start: u64,
    shown: u64,
    records: Vec<Entry>,
}

impl Oracle {
    pub(super) fn new(config: LedgerConfig, partitions: u32) -> Self {
        Self {
            config,
            partitions: (0..partitions).map(|_| Records::default()).collect(),
            consumers: BTreeMap::new(),
            given_back: 0,
        }
    }

    /// The records that are there form one group.
    pub(super) fn become_fifo(&mut self) {
        self.config.fifo = true;
        self.for_each(|entry| {
            entry.group = None;
            entry.behind = None;
        });
    }

    /// Whether records may leave by themselves.
    pub(super) fn is_mortal(&self) -> bool {
        self.config.deliveries_max.is_some()
    }

    pub(super) fn append(&mut self, partition: u32, schedules: &[Schedule], now: Timestamp) -> u64 {
        let records = &mut self.partitions[partition as usize].records;
        let base = records.len() as u64;
        let bytes = super::size_of_each(schedules);
        let new = schedules.iter();
        records.extend(new.map(|schedule| Entry::new(schedule, bytes, now, &self.config)));
        base
    }

    pub(super) fn commit(&mut self) {
        for partition in &mut self.partitions {
            partition.shown = partition.records.len() as u64;
        }
    }

    pub(super) fn bytes_of(&self, run: &LeasedRun) -> u64 {
        let records = &self.partitions[run.partition.0 as usize].records;
        let handed_out = run.records.iter();
        handed_out
            .map(|record| records[record.offset.0 as usize].bytes)
            .sum()
    }

    /// How many records could be handed out at once.
    pub(super) fn available(&self) -> u64 {
        let all = self.partitions.iter();
        if !self.config.fifo {
            return all.map(Records::ready).sum();
        }
        all.map(|partition| {
            let groups: BTreeSet<_> = partition.records.iter().map(|entry| entry.group).collect();
            let each = groups.iter().map(|group| partition.available_of(*group));
            each.sum::<u64>()
        })
        .sum()
    }

    /// Checks that these records may be handed out, and marks them.
    pub(super) fn hand_out(
        &mut self,
        runs: &[LeasedRun],
        holder: ConsumerRef,
        until: Option<Timestamp>,
    ) {
        let busy: Vec<BTreeMap<_, _>> = self.partitions.iter().map(Records::busy_groups).collect();
        for run in runs {
            let index = run.partition.0 as usize;
            for record in &run.records {
                let partition = &mut self.partitions[index];
                let first =
                    partition.first_available(self.config.fifo, &busy[index], record.offset.0);
                assert_eq!(first, Some(record.offset.0), "out of order");
                let entry = &mut partition.records[record.offset.0 as usize];
                entry.condition = Condition::Leased(holder, record.lease, until);
                entry.deliveries += 1;
                entry.last = Some(record.lease);
                entry.behind = None;
                assert_eq!(record.deliveries, entry.deliveries);
            }
        }
        if let Some(prefetch) = self.consumers.get(&holder) {
            assert!(self.held(holder) <= u64::from(*prefetch));
        }
    }

    pub(super) fn a_consumer_has_room(&self) -> bool {
        let mut consumers = self.consumers.iter();
        consumers.any(|(consumer, prefetch)| self.held(*consumer) < u64::from(*prefetch))
    }

    fn held(&self, holder: ConsumerRef) -> u64 {
        let entries = self.partitions.iter().flat_map(|one| &one.records);
        entries
            .filter(|entry| matches!(entry.condition, Condition::Leased(by, ..) if by == holder))
            .count() as u64
    }

    /// An unsettled record, or sometimes a settled one.
    pub(super) fn pick(&self, pick: usize) -> Option<(u32, u64)> {
        let all = self
            .partitions
            .iter()
            .zip(0..)
            .flat_map(|(one, partition)| {
                let records = one.records.iter().zip(0..);
                records
                    .filter(move |(entry, _)| {
                        entry.is_leased()
                            || (pick.is_multiple_of(2) && entry.is_dead())
                            || (pick.is_multiple_of(7) && entry.condition != Condition::Settled)
                            || pick.is_multiple_of(31)
                    })
                    .map(move |(_, offset)| (partition, offset))
            });
        let all: Vec<_> = all.collect();
        all.get(pick % all.len().max(1)).copied()
    }

    /// The lease of a record, or one that it never had.
    pub(super) fn lease_of(&self, partition: u32, offset: u64) -> LeaseId {
        match self.partitions[partition as usize].records[offset as usize].condition {
            Condition::Leased(_, lease, _) => lease,
            _ => LeaseId(1),
        }
    }

    /// Returns whether the item named a record for which the outcome is possible, or already
    /// happened.
    pub(super) fn settle(&mut self, item: &SettleItem, outcome: Outcome, now: Timestamp) -> bool {
        let given_back = self.given_back(item.partition.0);
        let config = &self.config;
        let partition = &mut self.partitions[item.partition.0 as usize];
        let shown = item.offset.0 < partition.shown;
        let entry = &mut partition.records[item.offset.0 as usize];
        let is_settled = entry.condition == Condition::Settled;
        let is_repeated = is_settled && item.lease.is_some() && outcome == Outcome::Done;
        let found = match (item.lease, outcome) {
            (None, Outcome::Done | Outcome::Reject | Outcome::Expire) => shown && entry.may_end(),
            _ => entry.holds(item.lease),
        };
        if found {
            match outcome {
                Outcome::Done => entry.condition = Condition::Settled,
                Outcome::Reject => entry.leave(DeathReason::Rejected, config),
                Outcome::Expire => entry.leave(DeathReason::Expired, config),
                Outcome::Return(0) => {
                    let behind = given_back.filter(|_| entry.has_deadline());
                    entry.give_back(Condition::Ready, behind, config);
                }
                Outcome::Return(delay_ms) => {
                    let until = now.plus_ms(delay_ms);
                    entry.give_back(Condition::Delayed(until), None, config);
                }
            }
        }
        found || is_repeated
    }

    /// Begins a move, or a copy to one of several logs; returns whether the item named a record for
    /// which that is possible.
    pub(super) fn begin_move(&mut self, item: &SettleItem, is_copied: bool) -> bool {
        let partition = &mut self.partitions[item.partition.0 as usize];
        let shown = item.offset.0 < partition.shown;
        let entry = &mut partition.records[item.offset.0 as usize];
        let is_possible = match item.lease {
            None => shown && entry.may_end(),
            lease => entry.holds(lease),
        };
        let found = is_possible && (!is_copied || entry.is_dead());
        if found {
            entry.condition = match entry.condition {
                Condition::Dead(reason) => Condition::Away { reason, is_copied },
                _ => Condition::Moving,
            };
            entry.behind = None;
        }
        found
    }

    /// How many logs have a copy of a record.
    pub(super) fn copies(&self, partition: u32, offset: u64) -> u64 {
        self.partitions[partition as usize].records[offset as usize].copies
    }

    /// A record that is or was moving.
    pub(super) fn pick_moving(&self, pick: usize) -> Option<(u32, u64)> {
        let partitions = self.partitions.iter().zip(0..);
        let all = partitions.flat_map(|(one, partition)| {
            let records = one.records.iter().zip(0..);
            let fitting =
                records.filter(move |(entry, _)| entry.is_moving() || pick.is_multiple_of(17));
            fitting.map(move |(_, offset)| (partition, offset))
        });
        let all: Vec<_> = all.collect();
        all.get(pick % all.len().max(1)).copied()
    }

    pub(super) fn end_move(&mut self, partition: u32, offset: u64, taken: bool) {
        let entry = &mut self.partitions[partition as usize].records[offset as usize];
        entry.end_move(taken, &self.config);
    }

    /// A delivered record, with its last lease and its delivery count.
    pub(super) fn pick_delivered(&self, pick: usize) -> Option<(u32, u64, LeaseId, u32)> {
        let partitions = self.partitions.iter().zip(0..);
        let all = partitions.flat_map(|(one, partition)| {
            let records = one.records.iter().zip(0..);
            let fitting = records.filter(|(entry, _)| entry.condition != Condition::Settled);
            fitting.filter_map(move |(entry, offset)| {
                Some((partition, offset, entry.last?, entry.deliveries))
            })
        });
        let all: Vec<_> = all.collect();
        all.get(pick % all.len().max(1)).copied()
    }

    pub(super) fn extend(&mut self, extension: &Extension, now: Timestamp) -> bool {
        let (item, term_ms) = (extension.item, extension.term_ms);
        let given_back = self.given_back(item.partition.0);
        let config = &self.config;
        let partition = &mut self.partitions[item.partition.0 as usize];
        let entry = &mut partition.records[item.offset.0 as usize];
        if let (Condition::Ready, Some(renewal)) = (entry.condition, extension.renewal) {
            let is_last = renewal.deliveries == entry.deliveries;
            if let Some(lease) = entry.last.filter(|_| is_last && term_ms > 0) {
                let until = Some(now.plus_ms(term_ms));
                entry.condition = Condition::Leased(renewal.holder, lease, until);
                entry.behind = None;
            }
            return is_last;
        }
        let Condition::Leased(holder, lease, _) = entry.condition else {
            return false;
        };
        if term_ms == 0 {
            let behind = given_back.filter(|_| entry.has_deadline());
            entry.give_back(Condition::Ready, behind, config);
        } else {
            entry.condition = Condition::Leased(holder, lease, Some(now.plus_ms(term_ms)));
        }
        true
    }

    pub(super) fn pass(&mut self, now: Timestamp) {
        while let Some((partition, first)) = self.first_ended(now) {
            let records = self.partitions[partition].records.len();
            for offset in first..records {
                let behind = self.given_back(partition as u32);
                let entry = &mut self.partitions[partition].records[offset];
                if entry.ends().is_none_or(|end| end > now) {
                    break;
                }
                entry.give_back(Condition::Ready, behind, &self.config);
            }
        }
        self.for_each(|entry| match entry.condition {
            Condition::Delayed(until) if until <= now => entry.condition = Condition::Ready,
            _ => {}
        });
    }

    /// Those of these records that are too old, all of them shown, leave or don't return.
    pub(super) fn expire(&mut self, run: Run, now: Timestamp) {
        let config = &self.config;
        let partition = &mut self.partitions[run.partition.0 as usize];
        let range = run.first.0 as usize..run.end().0 as usize;
        assert!(range.end as u64 <= partition.shown);
        for entry in &mut partition.records[range] {
            assert!(!entry.may_expire() || entry.is_over(now), "{run:?}");
            entry.expire(config);
        }
    }

    /// Checks that the end of every record's time was noticed.
    pub(super) fn check_ends(&self, now: Timestamp) {
        let mut shown = self.partitions.iter().flat_map(Records::shown);
        assert!(!shown.any(|entry| entry.may_expire() && entry.is_over(now)));
    }

    /// The lease that ends first. Adjacent ones end with it.
    fn first_ended(&self, now: Timestamp) -> Option<(usize, usize)> {
        let partitions = self.partitions.iter().enumerate();
        let ends = partitions.flat_map(|(index, one)| {
            let records = one.records.iter().enumerate();
            records.filter_map(move |(offset, entry)| Some((entry.ends()?, index, offset)))
        });
        let first = ends.min().filter(|(end, ..)| *end <= now);
        first.map(|(_, index, offset)| (index, offset))
    }

    /// Where a record that is returned now is put.
    fn given_back(&mut self, partition: u32) -> Option<(u64, u64)> {
        self.given_back += 1;
        let end = self.partitions[partition as usize].records.len() as u64;
        (!self.config.fifo).then_some((end, self.given_back))
    }

    pub(super) fn close_session(&mut self, session: SessionId) {
        self.consumers
            .retain(|consumer, _| consumer.session != session);
        let config = self.config;
        self.for_each(|entry| {
            if matches!(entry.condition, Condition::Leased(by, _, None) if by.session == session) {
                entry.give_back(Condition::Ready, None, &config);
            }
        });
    }

    pub(super) fn restart(&mut self) {
        self.consumers.clear();
        self.commit();
        let config = self.config;
        self.for_each(|entry| {
            if matches!(entry.condition, Condition::Leased(_, _, None)) {
                entry.give_back(Condition::Ready, None, &config);
            }
        });
    }

    pub(super) fn purge(&mut self) -> u64 {
        let mut removed = 0;
        for partition in &mut self.partitions {
            for entry in partition.records.iter_mut().take(partition.shown as usize) {
                if entry.is_waiting() {
                    entry.condition = Condition::Settled;
                    removed += 1;
                }
            }
        }
        removed
    }

    pub(super) fn trim(&mut self, partition: u32, to: u64) {
        let partition = &mut self.partitions[partition as usize];
        partition.start = to;
        for entry in partition.records.iter_mut().take(to as usize) {
            entry.condition = Condition::Settled;
        }
    }

    /// The start, the high watermark, and the first unsettled record.
    pub(super) fn bounds(&self, partition: u32) -> (u64, u64, u64) {
        let partition = &self.partitions[partition as usize];
        let mut records = partition.records.iter();
        let needed = records.position(|entry| entry.condition != Condition::Settled);
        let needed = needed.unwrap_or(partition.records.len());
        (partition.start, partition.shown, needed as u64)
    }

    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let count = |holds: fn(&Entry) -> bool| {
            let entries = self.partitions.iter().flat_map(|one| &one.records);
            entries.filter(|entry| holds(entry)).count() as u64
        };
        (
            self.partitions.iter().map(Records::ready).sum(),
            count(Entry::is_leased),
            count(|entry| matches!(entry.condition, Condition::Delayed(_))),
        )
    }

    /// The bytes of the bodies that are ready.
    pub(super) fn ready_bytes(&self) -> u64 {
        let shown = self.partitions.iter().flat_map(Records::shown);
        let ready = shown.filter(|entry| entry.condition == Condition::Ready);
        ready.map(|entry| entry.body_bytes).sum()
    }

    /// The visible records that aren't settled, as a look at the ledger should find them.
    pub(super) fn unsettled(&self) -> Vec<PeekedRecord> {
        let mut unsettled = Vec::new();
        for (partition, index) in self.partitions.iter().zip((0..).map(PartitionIndex)) {
            let shown = (0..partition.shown).zip(&partition.records);
            unsettled.extend(shown.filter_map(|(offset, entry)| entry.peeked(index, offset)));
        }
        unsettled
    }

    /// The dead records that aren't being moved, with the number of logs that have each.
    pub(super) fn dead(&self) -> Vec<(PartitionIndex, Offset, DeathReason, u64)> {
        let mut dead = Vec::new();
        for (partition, index) in self.partitions.iter().zip((0..).map(PartitionIndex)) {
            let entries = partition.records.iter().zip((0..).map(Offset));
            dead.extend(entries.filter_map(|(entry, offset)| match entry.condition {
                Condition::Dead(reason) => Some((index, offset, reason, entry.copies)),
                _ => None,
            }));
        }
        dead
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let entries = self.partitions.iter().flat_map(|one| &one.records);
        let deadlines = entries.filter_map(|entry| match entry.condition {
            Condition::Leased(_, _, until) => until,
            Condition::Delayed(until) => Some(until),
            _ => None,
        });
        let shown = self.partitions.iter().flat_map(Records::shown);
        let mortal = shown.filter(|entry| entry.may_expire());
        let ends = mortal.filter_map(|entry| entry.lives_until);
        deadlines.chain(ends).min()
    }

    /// Whether the time of a record, which may be settled, ends then.
    pub(super) fn ends_at(&self, at: Timestamp) -> bool {
        let mut shown = self.partitions.iter().flat_map(Records::shown);
        shown.any(|entry| entry.life_ends.contains(&Some(at)))
    }

    fn for_each(&mut self, change: impl FnMut(&mut Entry)) {
        let partitions = self.partitions.iter_mut();
        partitions.flat_map(|one| &mut one.records).for_each(change);
    }
}

impl Records {
    fn shown(&self) -> &[Entry] {
        &self.records[..self.shown as usize]
    }

    fn ready(&self) -> u64 {
        let shown = self.shown().iter();
        shown
            .filter(|entry| entry.condition == Condition::Ready)
            .count() as u64
    }

    /// Groups with a record that is out, each with the first such record.
    fn busy_groups(&self) -> BTreeMap<Option<u64>, u64> {
        let all = self.records.iter().enumerate().rev();
        let out = all.filter(|(_, entry)| entry.is_out());
        out.map(|(at, entry)| (entry.group, at as u64)).collect()
    }

    /// How many records of a group could be handed out at once.
    fn available_of(&self, group: Option<u64>) -> u64 {
        let of_group = self.shown().iter().filter(|entry| entry.group == group);
        of_group
            .take_while(|entry| !entry.is_out())
            .filter(|entry| entry.is_waiting())
            .take_while(|entry| entry.condition == Condition::Ready)
            .count() as u64
    }

    /// The record that must be handed out first: of the partition or, in a FIFO queue, of the group
    /// of `offset`.
    fn first_available(
        &self,
        fifo: bool,
        busy: &BTreeMap<Option<u64>, u64>,
        offset: u64,
    ) -> Option<u64> {
        let group = self.records[offset as usize].group;
        let mut shown = self.shown().iter().zip(0..);
        if fifo {
            let (first, at) =
                shown.find(|(entry, _)| entry.group == group && entry.is_waiting())?;
            let waits = busy.get(&group).is_some_and(|out| *out < at);
            return (first.condition == Condition::Ready && !waits).then_some(at);
        }
        let ready = shown.filter(|(entry, _)| entry.condition == Condition::Ready);
        let turns = ready.map(|(entry, at)| match entry.behind {
            Some((end, number)) => (end, 0, number, at),
            None => (at, 1, 0, at),
        });
        turns.min().map(|(.., at)| at)
    }
}
