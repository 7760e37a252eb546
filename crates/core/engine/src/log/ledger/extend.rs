//! Moving the deadlines of leases, and giving one again that has ended.

use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp};

use super::{ConsumerRef, Ledger, Missing, Run, SettleItem, Site, ledger_record, part::Lease};
use crate::{Command, Decision, LeaseId, LedgerId, LogError, State, log::record::LedgerRecord};

/// Moves the deadlines of leases; answered with those that weren't leased so.
#[derive(Clone, Debug)]
pub struct Extend {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// Which, and until when.
    pub items: SmallVec<[Extension; 2]>,
}

/// A lease with its new term.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// The lease.
    pub item: SettleItem,
    /// From now, in milliseconds; 0 returns it at once.
    pub term_ms: u64,
    /// What gives it again where it has ended; `None` leaves it ended.
    pub renewal: Option<Renewal>,
}

/// A lease that has ended is given again, as long as its record has been handed out to nobody
/// since.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    /// How often the record had been delivered when the lease was given, that time included.
    pub deliveries: u32,
    /// Who holds it then.
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

/// How a lease that is to be extended stands.
enum InForce {
    Leased,
    /// It has ended, and may be given again.
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

    /// Leases returned records again, which is no further delivery.
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
