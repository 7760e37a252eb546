//! Changing the deadlines of leases, and renewing ended leases.

use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp};

use super::{ConsumerRef, Ledger, Missing, Run, SettleItem, Site, ledger_record, part::Lease};
use crate::{Command, Decision, LeaseId, LedgerId, LogError, State, log::record::LedgerRecord};

/// Changes the deadlines of leases. Returns the items whose lease didn't match.
#[derive(Clone, Debug)]
pub struct Extend {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// The leases with their new terms.
    pub items: SmallVec<[Extension; 2]>,
}

/// A lease with its new term.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// The lease.
    pub item: SettleItem,
    /// The term from now, in milliseconds; 0 returns the record at once.
    pub term_ms: u64,
    /// Data to renew the lease if it has ended; with `None` it isn't renewed.
    pub renewal: Option<Renewal>,
}

/// An ended lease can be renewed if its record hasn't been handed out to anyone since.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    /// The delivery count when the lease was given, including that delivery.
    pub deliveries: u32,
    /// The new holder.
    pub holder: ConsumerRef,
}

impl Command for Extend {
    type Reply = Missing;
    type Error = LogError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Missing>, LogError> {
        let ledger = state.logs.known(self.log)?.known_ledger(self.ledger)?;
        let mut decision = Decision::reply(Missing::new());
        for (position, extension) in self.items.iter().enumerate() {
            let until = now.plus_ms(extension.term_ms);
            let record = match (ledger.lease_to_extend(extension), extension.term_ms) {
                (None, _) => {
                    decision.reply.push(position);
                    continue;
                }
                (Some(InForce::Leased), 0) => LedgerRecord::Returned {
                    run: extension.item.run(),
                    until: None,
                },
                (Some(InForce::Leased), _) => LedgerRecord::Extended {
                    run: extension.item.run(),
                    until,
                },
                (Some(InForce::Renewable(..)), 0) => continue,
                (Some(InForce::Renewable(lease, holder)), _) => LedgerRecord::Renewed {
                    run: extension.item.run(),
                    lease,
                    holder,
                    until,
                },
            };
            let record = ledger_record(self.log, ledger.id, record);
            decision.records.push(record);
        }
        Ok(decision)
    }
}

/// The state of a lease that is to be extended.
enum InForce {
    Leased,
    /// It has ended, and can be renewed.
    Renewable(LeaseId, ConsumerRef),
}

impl SettleItem {
    fn run(&self) -> Run {
        Run {
            partition: self.partition,
            first: self.offset,
            count: 1,
        }
    }
}

impl Ledger {
    fn lease_to_extend(&self, extension: &Extension) -> Option<InForce> {
        let item = &extension.item;
        if self.is_leased(item) {
            return Some(InForce::Leased);
        }
        let (lease, renewal) = (item.lease?, extension.renewal?);
        let returned = self.part(item.partition)?.returned(item.offset)?;
        (returned.deliveries == renewal.deliveries)
            .then_some(InForce::Renewable(lease, renewal.holder))
    }

    pub(super) fn apply_extended(&mut self, run: Run, until: Timestamp, site: &mut Site<'_>) {
        for offset in run.offsets() {
            let place = self.place(run.partition, offset);
            let lease = self
                .part_mut(run.partition)
                .and_then(|part| part.leased.get_mut(&offset));
            let Some(lease) = lease else {
                continue;
            };
            let before = lease.until.replace(until);
            let session = lease.holder.session;
            site.indexes.unlease(site.log, place, session, before);
            site.indexes.lease(site.log, place, session, Some(until));
        }
    }

    /// Leases returned records again. This doesn't count as a delivery.
    pub(super) fn apply_renewed(
        &mut self,
        run: Run,
        first: LeaseId,
        holder: ConsumerRef,
        until: Timestamp,
        site: &mut Site<'_>,
    ) {
        for (offset, nth) in run.offsets().zip(0..) {
            let place = self.place(run.partition, offset);
            let Some(part) = self.part_mut(run.partition) else {
                return;
            };
            let Some(seen) = part.returned(offset) else {
                continue;
            };
            part.hold(
                offset,
                Lease {
                    id: LeaseId(first.0 + nth),
                    holder,
                    until: Some(until),
                    seen,
                },
            );
            site.indexes
                .lease(site.log, place, holder.session, Some(until));
            self.demand.charge(holder, 1, 0, site.indexes);
        }
        self.refresh(run.partition);
    }
}
