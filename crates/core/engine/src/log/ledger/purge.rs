//! Settling without a holder: purge, expiry, trimming.

use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{Ledger, Purged, Site, ledger_record, partition_index};
use crate::{
    Command, Decision, LedgerConfig, LedgerId, LogError, Record, State,
    log::{index::Deadline, record::LedgerRecord},
};

/// Settles everything that is ready or delayed; answered with how many records that was.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// And what is leased, or on its way to another log: that doesn't come back where it isn't
    /// taken there. Without, it is left alone.
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
        let record = if self.leased {
            LedgerRecord::Cleared(ends.collect())
        } else {
            LedgerRecord::Purged(ends.collect())
        };
        if removed == 0 {
            return Ok(Decision::reply(0));
        }
        Ok(Decision::change(
            ledger_record(self.log, ledger.id, record),
            removed,
            known.config.durability,
        ))
    }

    fn looks_at(&self) -> Option<LogId> {
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
        let purged = part.purge(to);
        self.leave(partition, purged, site);
        self.refresh(partition);
    }

    pub(super) fn apply_expired(
        &mut self,
        partition: PartitionIndex,
        to: Offset,
        site: &mut Site<'_>,
    ) {
        self.unnote_expiry(partition, site);
        let Some(part) = self.part_mut(partition) else {
            return;
        };
        let purged = part.expire(to);
        self.leave(partition, purged, site);
        self.note_expiry(partition, site);
        self.refresh(partition);
    }

    /// What is before `to` is settled, leased or not.
    pub(crate) fn apply_cleared(
        &mut self,
        partition: PartitionIndex,
        to: Offset,
        site: &mut Site<'_>,
    ) {
        self.apply_expired(partition, to, site);
        let Some(part) = self.part_mut(partition) else {
            return;
        };
        let leased: Vec<Offset> = part.leased.range(..to).map(|(offset, _)| *offset).collect();
        let moving: Vec<Offset> = part.moving.range(..to).map(|(offset, _)| *offset).collect();
        moving.into_iter().for_each(|offset| part.end_move(offset));
        for offset in leased {
            let lease = self
                .part_mut(partition)
                .and_then(|part| part.give_back(offset, None));
            if let Some(lease) = lease {
                self.end_lease(partition, offset, &lease, site);
            }
        }
        self.refresh(partition);
    }

    /// What becomes too old by `now`.
    pub(crate) fn expire(
        &self,
        log: LogId,
        partition: PartitionIndex,
        now: Timestamp,
    ) -> Option<Record> {
        let times = &self.part(partition)?.times;
        let to = times.expired_before(now, self.config.expiry_ms?)?;
        let record = LedgerRecord::Expired { partition, to };
        Some(ledger_record(log, self.id, record))
    }

    /// Takes over another time at which the next records of a partition become too old.
    pub(super) fn move_expiry(
        &self,
        partition: PartitionIndex,
        before: Option<Timestamp>,
        site: &mut Site<'_>,
    ) {
        if before != self.next_expiry(partition) {
            if let Some(at) = before {
                let deadline = Deadline::Expiry(self.id, partition);
                site.indexes.deadlines.remove(&(at, site.log, deadline));
            }
            self.note_expiry(partition, site);
        }
    }

    /// Enters when the next records of a partition become too old.
    pub(super) fn note_expiry(&self, partition: PartitionIndex, site: &mut Site<'_>) {
        if let Some(at) = self.next_expiry(partition) {
            let deadline = Deadline::Expiry(self.id, partition);
            site.indexes.deadlines.insert((at, site.log, deadline));
        }
    }

    pub(super) fn unnote_expiry(&self, partition: PartitionIndex, site: &mut Site<'_>) {
        if let Some(at) = self.next_expiry(partition) {
            let deadline = Deadline::Expiry(self.id, partition);
            site.indexes.deadlines.remove(&(at, site.log, deadline));
        }
    }

    /// Takes over another expiry.
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
        self.part(partition)?.times.next_expiry(expiry_ms)
    }

    /// Takes what was purged out of the indexes; where that is much, it is left to be swept.
    fn leave(&self, partition: PartitionIndex, purged: Purged, site: &mut Site<'_>) {
        let first = self.place(partition, Offset::ZERO);
        site.indexes.leave(site.log, first, purged);
    }
}
