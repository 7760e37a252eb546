//! Settling leases: done, returned, rejected.

use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp};

use super::{Ledger, Run, Site, ledger_record, part::Was};
use crate::{
    Decision, Durability, Error, Record, Reply,
    command::{Outcome, Settle, SettleItem},
    log::{Logs, index::Due, record::LedgerRecord},
};

impl Logs {
    pub(in crate::log) fn settle(
        &self,
        log: LogId,
        settle: &Settle,
        now: Timestamp,
    ) -> Result<Decision, Error> {
        let known = self.known(log)?;
        let ledger = known.known_ledger(settle.ledger)?;
        let mut missing = SmallVec::new();
        let mut runs = RunsOfItems::default();
        for (place, item) in settle.items.iter().enumerate() {
            if ledger.matches(item, settle.outcome) {
                runs.push(item);
            } else if !ledger.is_repeated(item, settle.outcome) {
                missing.push(place);
            }
        }
        let record = |run| match settle.outcome {
            // A rejected record is through: there is nowhere else for it to go yet.
            Outcome::Done | Outcome::Reject => LedgerRecord::Settled(run),
            Outcome::Return(delay_ms) => LedgerRecord::Returned {
                run,
                until: (delay_ms > 0).then(|| now.plus_ms(delay_ms)),
            },
        };
        // Where nothing matches, the first of two equal requests may still be on its way to the
        // disk: the second one's answer waits for it likewise.
        let durability = if settle.durable {
            known.config.durability
        } else {
            Durability::Volatile
        };
        Ok(Decision {
            records: runs.records(log, ledger, record),
            reply: Some(Ok(Reply::Settled { missing })),
            durability,
            ..Decision::nothing()
        })
    }
}

/// Items, gathered into runs where they follow each other.
#[derive(Debug, Default)]
pub(super) struct RunsOfItems(SmallVec<[Run; 2]>);

impl RunsOfItems {
    pub(super) fn push(&mut self, item: &SettleItem) {
        let (partition, first) = (item.partition, item.offset);
        let last = self.0.last_mut();
        if last.is_none_or(|run| !run.extend(partition, first)) {
            self.0.push(Run {
                partition,
                first,
                count: 1,
            });
        }
    }

    pub(super) fn records(
        self,
        log: LogId,
        ledger: &Ledger,
        record: impl Fn(Run) -> LedgerRecord,
    ) -> SmallVec<[Record; 2]> {
        let runs = self.0.into_iter();
        runs.map(|run| ledger_record(log, ledger.id, record(run)))
            .collect()
    }
}

impl Ledger {
    /// Whether an item names a lease that is in force, or, where it names none, a record that may
    /// come to the outcome as it is.
    fn matches(&self, item: &SettleItem, outcome: Outcome) -> bool {
        match (item.lease, outcome) {
            (None, Outcome::Done | Outcome::Reject) => self
                .part(item.partition)
                .is_some_and(|part| part.is_unsettled(item.offset)),
            _ => self.is_leased(item),
        }
    }

    /// Whether an item asks, by a lease, for a record to be done that is settled already: a request
    /// that is repeated because its first answer was lost is answered like the first one.
    fn is_repeated(&self, item: &SettleItem, outcome: Outcome) -> bool {
        let part = self.part(item.partition);
        let is_settled = part.is_some_and(|part| part.is_settled(item.offset));
        is_settled && item.lease.is_some() && outcome == Outcome::Done
    }

    /// Whether an item's record is leased, by the lease that it names.
    pub(super) fn is_leased(&self, item: &SettleItem) -> bool {
        let part = self.part(item.partition);
        let lease = part.and_then(|part| part.leased.get(&item.offset));
        lease.is_some_and(|lease| item.lease.is_none_or(|named| named == lease.id))
    }

    pub(super) fn apply_settled(&mut self, run: Run, site: &mut Site<'_>) {
        for offset in run.offsets() {
            let Some(part) = self.part_mut(run.partition) else {
                return;
            };
            match part.settle(offset) {
                Was::Leased(lease) => self.end_lease(run.partition, offset, &lease, site),
                Was::Delayed(until) => {
                    let due = Due::Delay(self.place(run.partition, offset));
                    site.indexes.deadlines.remove(&(until, site.log, due));
                }
                Was::Ready | Was::Settled => {}
            }
        }
        self.refresh(run.partition);
    }

    pub(super) fn apply_returned(
        &mut self,
        run: Run,
        until: Option<Timestamp>,
        site: &mut Site<'_>,
    ) {
        for offset in run.offsets() {
            let Some(part) = self.part_mut(run.partition) else {
                return;
            };
            let Some(lease) = part.give_back(offset, until) else {
                continue;
            };
            let is_delayed = part.delayed.contains_key(&offset);
            if let Some(until) = until.filter(|_| is_delayed) {
                let due = Due::Delay(self.place(run.partition, offset));
                site.indexes.deadlines.insert((until, site.log, due));
            }
            self.end_lease(run.partition, offset, &lease, site);
        }
        self.refresh(run.partition);
    }

    pub(super) fn apply_due(&mut self, run: Run, site: &mut Site<'_>) {
        for offset in run.offsets() {
            let Some(part) = self.part_mut(run.partition) else {
                return;
            };
            if let Some(until) = part.due(offset) {
                let due = Due::Delay(self.place(run.partition, offset));
                site.indexes.deadlines.remove(&(until, site.log, due));
            }
        }
        self.refresh(run.partition);
    }
}
