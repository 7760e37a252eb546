//! Moving the deadlines of leases.

use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp};

use super::{Ledger, Missing, Run, SettleItem, Site, ledger_record};
use crate::{Command, Decision, LedgerId, LogError, State, log::record::LedgerRecord};

/// Moves the deadlines of leases; answered with those that weren't leased so.
#[derive(Clone, Debug)]
pub struct Extend {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// Which, each with its own new term from now, in milliseconds; 0 returns it at once.
    pub items: SmallVec<[(SettleItem, u64); 2]>,
}

impl Command for Extend {
    type Reply = Missing;
    type Error = LogError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Missing>, LogError> {
        let ledger = state.logs.known(self.log)?.known_ledger(self.ledger)?;
        let mut decision = Decision::reply(Missing::new());
        for (position, (item, term_ms)) in self.items.iter().enumerate() {
            if !ledger.is_leased(item) {
                decision.reply.push(position);
                continue;
            }
            let run = Run {
                partition: item.partition,
                first: item.offset,
                count: 1,
            };
            let record = match term_ms {
                0 => LedgerRecord::Returned { run, until: None },
                _ => LedgerRecord::Extended {
                    run,
                    until: now.plus_ms(*term_ms),
                },
            };
            decision
                .records
                .push(ledger_record(self.log, ledger.id, record));
        }
        Ok(decision)
    }
}

impl Ledger {
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
}
