//! Settling leases: done, returned, rejected.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{Ledger, Run, Site, ledger_record, part::Was};
use crate::{
    Command, DeathReason, Decision, Durability, LeaseId, LedgerId, LogError, Record, State,
    log::{index::Deadline, record::LedgerRecord},
};

/// What happens to a leased record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Processed: never delivered again.
    Done,
    /// Returned to its place, after a delay in milliseconds (0: at once).
    Return(u64),
    /// Can't be processed: never delivered again from here, and dead-lettered if that is
    /// configured.
    Reject,
    /// Too old for the holder: likewise.
    Expire,
}

impl Outcome {
    /// Why the record leaves without having been processed.
    fn death(self) -> Option<DeathReason> {
        match self {
            Self::Reject => Some(DeathReason::Rejected),
            Self::Expire => Some(DeathReason::Expired),
            Self::Done | Self::Return(_) => None,
        }
    }
}

/// A lease as its holder knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleItem {
    /// The partition.
    pub partition: PartitionIndex,
    /// The record.
    pub offset: Offset,
    /// The lease, which must be the current one. `None` settles the record in any state except done
    /// (SQS standard queues accept old receipt handles).
    pub lease: Option<LeaseId>,
}

/// Settles leases. Returns the items whose lease didn't match; with [`Outcome::Done`] and a lease,
/// a record that is already settled counts as a match.
#[derive(Clone, Debug)]
pub struct Settle {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// The leases.
    pub items: SmallVec<[SettleItem; 2]>,
    /// The outcome.
    pub outcome: Outcome,
    /// Whether the reply waits until this is durable in the log's class.
    pub durable: bool,
}

/// The positions, in the request, of items whose lease didn't match.
pub type Missing = SmallVec<[usize; 2]>;

impl Command for Settle {
    type Reply = Missing;
    type Error = LogError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Missing>, LogError> {
        let known = state.logs.known(self.log)?;
        let ledger = known.known_ledger(self.ledger)?;
        let mut missing = Missing::new();
        let mut runs = RunsOfItems::default();
        for (position, item) in self.items.iter().enumerate() {
            if ledger.matches(item, self.outcome) {
                runs.push(item);
            } else if !ledger.is_repeated(item, self.outcome) {
                missing.push(position);
            }
        }
        let dead_letters = ledger.config().dead_letters;
        let death = self.outcome.death();
        let death = death.filter(|reason| dead_letters.contains(*reason));
        let record = |run| match self.outcome {
            Outcome::Done | Outcome::Reject | Outcome::Expire => match death {
                Some(reason) => LedgerRecord::Left { run, reason },
                None => LedgerRecord::Settled(run),
            },
            Outcome::Return(delay_ms) => LedgerRecord::Returned {
                run,
                until: (delay_ms > 0).then(|| now.plus_ms(delay_ms)),
            },
        };
        // Even if nothing matches, the reply waits: this may repeat a request whose change isn't on
        // disk yet.
        let durability = if self.durable {
            known.config.durability
        } else {
            Durability::Volatile
        };
        Ok(Decision {
            records: runs.records(self.log, ledger, record),
            durability,
            ..Decision::reply(missing)
        })
    }
}

/// Items, merged into runs where they are adjacent.
#[derive(Debug, Default)]
pub(super) struct RunsOfItems(SmallVec<[Run; 2]>);

impl RunsOfItems {
    pub(super) fn push(&mut self, item: &SettleItem) {
        Run::push(&mut self.0, item.partition, item.offset);
    }

    pub(super) fn records(
        self,
        log: LogId,
        ledger: &Ledger,
        record: impl Fn(Run) -> LedgerRecord,
    ) -> SmallVec<[Record; 1]> {
        let runs = self.0.into_iter();
        runs.map(|run| ledger_record(log, ledger.id, record(run)))
            .collect()
    }
}

impl Ledger {
    /// Whether an item names a current lease or, without a lease, a record for which this outcome
    /// is possible.
    fn matches(&self, item: &SettleItem, outcome: Outcome) -> bool {
        match (item.lease, outcome) {
            (None, Outcome::Done | Outcome::Reject | Outcome::Expire) => self
                .part(item.partition)
                .is_some_and(|part| part.may_be_settled(item.offset)),
            _ => self.is_leased(item),
        }
    }

    /// Whether an item, by a lease, marks a record as done that is already settled. A request that
    /// is repeated because its answer was lost is answered like the first one.
    fn is_repeated(&self, item: &SettleItem, outcome: Outcome) -> bool {
        let part = self.part(item.partition);
        let is_settled = part.is_some_and(|part| part.is_settled(item.offset));
        is_settled && item.lease.is_some() && outcome == Outcome::Done
    }

    /// Whether an item's record is leased, by the lease that it names, if any.
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
            let was = part.settle(offset);
            self.forget_listed(run.partition, offset, was, site);
        }
        self.refresh(run.partition);
    }

    /// Removes the index entries of a record's former state.
    pub(super) fn forget_listed(
        &mut self,
        partition: PartitionIndex,
        offset: Offset,
        was: Was,
        site: &mut Site<'_>,
    ) {
        match was {
            Was::Leased(lease) => self.end_lease(partition, offset, &lease, site),
            Was::Delayed(until) => {
                let deadline = Deadline::Delay(self.place(partition, offset));
                site.indexes.deadlines.remove(&(until, site.log, deadline));
            }
            Was::Moving | Was::Dead | Was::Ready | Was::Settled => {}
        }
    }

    pub(super) fn apply_returned(
        &mut self,
        run: Run,
        until: Option<Timestamp>,
        site: &mut Site<'_>,
    ) {
        let config = self.config;
        for offset in run.offsets() {
            let Some(part) = self.part_mut(run.partition) else {
                return;
            };
            let Some(lease) = part.give_back(offset, until, &config) else {
                part.end_move(offset, &config);
                continue;
            };
            let is_delayed = part.delayed.contains_key(&offset);
            if let Some(until) = until.filter(|_| is_delayed) {
                let deadline = Deadline::Delay(self.place(run.partition, offset));
                site.indexes.deadlines.insert((until, site.log, deadline));
            }
            self.end_lease(run.partition, offset, &lease, site);
        }
        self.refresh(run.partition);
    }

    pub(super) fn apply_delay_ended(&mut self, run: Run, site: &mut Site<'_>) {
        for offset in run.offsets() {
            let Some(part) = self.part_mut(run.partition) else {
                return;
            };
            if let Some(until) = part.end_delay(offset) {
                let deadline = Deadline::Delay(self.place(run.partition, offset));
                site.indexes.deadlines.remove(&(until, site.log, deadline));
            }
        }
        self.refresh(run.partition);
    }
}
