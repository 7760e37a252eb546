//! Moving the deadlines of leases.

use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp};

use super::{Ledger, Run, Site, ledger_record};
use crate::{
    Decision, Error, Reply,
    command::Extend,
    log::{Logs, record::LedgerRecord},
};

impl Logs {
    pub(in crate::log) fn extend(
        &self,
        log: LogId,
        extend: &Extend,
        now: Timestamp,
    ) -> Result<Decision, Error> {
        let ledger = self.known(log)?.known_ledger(extend.ledger)?;
        let mut decision = Decision::nothing();
        let mut missing = SmallVec::new();
        for (place, (item, term_ms)) in extend.items.iter().enumerate() {
            if !ledger.is_leased(item) {
                missing.push(place);
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
            decision.records.push(ledger_record(log, ledger.id, record));
        }
        decision.reply = Some(Ok(Reply::Settled { missing }));
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
