//! Settling records without a lease: purge, expiry, trimming.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{DeathReason, Ledger, Site, ledger_record, part::Part, partition_index};
use crate::{
    Command, Decision, LedgerConfig, LedgerId, LogError, Record, State,
    limits::SWEEP_MAX,
    log::{
        clear::{Clearing, Scope},
        index::Deadline,
        record::LedgerRecord,
    },
};

/// Settles all ready and delayed records; returns how many they were.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// Whether to settle leased and moving records too. A moving one then doesn't return if the
    /// other log refuses it.
    pub leased: bool,
}

impl Command for Purge {
    type Reply = u64;
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<u64>, LogError> {
        let known = state.logs.known(self.log)?;
        let ledger = known.known_ledger(self.ledger)?;
        let mut removed = 0;
        let parts = ledger.parts.iter().enumerate();
        let ends = parts.filter_map(|(index, part)| {
            let unseen = part.delayed.range(part.visible()..).count();
            let delayed = (part.delayed.len() - unseen) as u64;
            let leased = if self.leased {
                part.leased.len() + part.moving.len()
            } else {
                0
            };
            let purged = part.ready() + delayed + leased as u64;
            removed += purged;
            (purged > 0).then_some((partition_index(index), part.visible()))
        });
        let scope = if self.leased {
            Scope::Ledger(ledger.id)
        } else {
            Scope::Unleased(ledger.id)
        };
        let clearing = Clearing {
            scope,
            ends: ends.collect(),
        };
        if removed == 0 {
            return Ok(Decision::reply(0));
        }
        let decision = state.logs.begin_to_clear(self.log, known, clearing);
        Ok(decision.answered(removed))
    }

    fn looks_at(&self) -> Option<LogId> {
        Some(self.log)
    }

    fn clears(&self) -> Option<LogId> {
        Some(self.log)
    }
}

impl Ledger {
    pub(super) fn apply_purged(
        &mut self,
        partition: PartitionIndex,
        to: Offset,
        site: &mut Site<'_>,
    ) {
        let Some(part) = self.part_mut(partition) else {
            return;
        };
        let delayed = part.purge(to);
        self.forget_delays(partition, delayed, site);
        self.refresh(partition);
    }

    pub(super) fn apply_expired(
        &mut self,
        partition: PartitionIndex,
        to: Offset,
        site: &mut Site<'_>,
    ) {
        let dies = self.config.dead_letters.contains(DeathReason::Expired);
        self.expire_to(partition, to, dies, site);
    }

    fn expire_to(
        &mut self,
        partition: PartitionIndex,
        to: Offset,
        dies: bool,
        site: &mut Site<'_>,
    ) {
        self.unnote_expiry(partition, site);
        let Some(part) = self.part_mut(partition) else {
            return;
        };
        let delayed = if dies {
            part.expire_as_dead(to)
        } else {
            part.expire(to)
        };
        self.forget_delays(partition, delayed, site);
        self.note_expiry(partition, site);
        self.refresh(partition);
    }

    /// Settles the records before `to`, including leased ones.
    pub(crate) fn apply_cleared(
        &mut self,
        partition: PartitionIndex,
        to: Offset,
        site: &mut Site<'_>,
    ) {
        self.expire_to(partition, to, false, site);
        let Some(part) = self.part_mut(partition) else {
            return;
        };
        part.forget_dead(to);
        while let Some(offset) = first_before(&part.moving, to) {
            part.drop_move(offset);
        }
        while let Some(part) = self.part_mut(partition)
            && let Some(offset) = first_before(&part.leased, to)
        {
            let was = part.settle(offset);
            self.forget_listed(partition, offset, was, site);
        }
        self.refresh(partition);
    }

    /// How far towards `to` a partition may be cleared in a piece of about `left` listed records,
    /// with or without leased ones. Subtracts what it covers from `left`.
    pub(in crate::log) fn reach(
        &self,
        partition: PartitionIndex,
        to: Offset,
        with_leased: bool,
        left: &mut usize,
    ) -> Offset {
        let part = self.part(partition);
        part.map_or(to, |part| part.reach(to, with_leased, left))
    }

    /// Expires records that are too old at `now`, or a piece of them.
    pub(crate) fn expire(
        &self,
        log: LogId,
        partition: PartitionIndex,
        now: Timestamp,
    ) -> Option<Record> {
        let part = self.part(partition)?;
        let to = part.times.expired_before(now, self.config.expiry_ms?)?;
        // Records that aren't visible yet were never offered to anyone.
        let to = to.min(part.visible());
        let to = self.reach(partition, to, false, &mut { SWEEP_MAX });
        let record = LedgerRecord::Expired { partition, to };
        Some(ledger_record(log, self.id, record))
    }

    /// Updates the time at which the next records of a partition expire.
    pub(super) fn move_expiry(
        &self,
        partition: PartitionIndex,
        before: Option<Timestamp>,
        site: &mut Site<'_>,
    ) {
        if before != self.next_expiry(partition) {
            site.unplan(before, Deadline::Expiry(self.id, partition));
            self.note_expiry(partition, site);
        }
    }

    /// Enters when the next records of a partition expire.
    pub(super) fn note_expiry(&self, partition: PartitionIndex, site: &mut Site<'_>) {
        let deadline = Deadline::Expiry(self.id, partition);
        site.plan(self.next_expiry(partition), deadline);
    }

    pub(super) fn unnote_expiry(&self, partition: PartitionIndex, site: &mut Site<'_>) {
        let deadline = Deadline::Expiry(self.id, partition);
        site.unplan(self.next_expiry(partition), deadline);
    }

    /// Applies a changed expiry.
    pub(super) fn change_expiry(&mut self, config: LedgerConfig, site: &mut Site<'_>) {
        for index in 0..self.parts.len() {
            self.unnote_expiry(partition_index(index), site);
        }
        self.config = config;
        for index in 0..self.parts.len() {
            self.note_expiry(partition_index(index), site);
        }
    }

    pub(super) fn next_expiry(&self, partition: PartitionIndex) -> Option<Timestamp> {
        let expiry_ms = self.config.expiry_ms?;
        let part = self.part(partition)?;
        let shown = (part.expired, part.visible());
        part.times.next_expiry(expiry_ms, shown)
    }

    fn forget_delays(
        &self,
        partition: PartitionIndex,
        delayed: Vec<(Offset, Timestamp)>,
        site: &mut Site<'_>,
    ) {
        for (offset, until) in delayed {
            let deadline = Deadline::Delay(self.place(partition, offset));
            site.indexes.deadlines.remove(&(until, site.log, deadline));
        }
    }
}

impl Part {
    /// How far towards `to` it may be cleared, passing up to `left` entries of each list. Subtracts
    /// the largest number passed from `left`.
    fn reach(&self, to: Offset, with_leased: bool, left: &mut usize) -> Offset {
        let mut reach = Reach {
            to,
            left: *left,
            most: 0,
        };
        reach.pass(self.returned.keys().copied());
        reach.pass(self.behind.offsets());
        reach.pass(self.delayed.keys().copied());
        reach.pass(self.ahead.starts());
        reach.pass(self.body_starts());
        if let Some(fifo) = &self.fifo {
            reach.pass(fifo.run_starts());
        }
        if with_leased {
            reach.pass(self.leased.keys().copied());
            reach.pass(self.moving.keys().copied());
            let dead = self.dead.iter().flat_map(|dead| dead.starts());
            reach.pass(dead);
        }
        *left -= reach.most;
        reach.to
    }
}

/// How far lists may be passed through.
struct Reach {
    to: Offset,
    left: usize,
    /// The largest number of entries of one list before `to`.
    most: usize,
}

impl Reach {
    /// Passes through the offsets of one list, in order.
    fn pass(&mut self, listed: impl Iterator<Item = Offset>) {
        let mut passed = 0;
        for offset in listed.take_while(|offset| *offset < self.to) {
            if passed == self.left {
                self.to = offset;
                break;
            }
            passed += 1;
        }
        self.most = self.most.max(passed);
    }
}

fn first_before<V>(map: &BTreeMap<Offset, V>, to: Offset) -> Option<Offset> {
    let (first, _) = map.first_key_value()?;
    (*first < to).then_some(*first)
}
