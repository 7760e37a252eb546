//! Records with a deadline that has passed: ends of leases and delays. Adjacent records are handled
//! together.

use stele_base_types::{Offset, SessionId, Timestamp};

use super::{Ledger, Place, Run};
use crate::{limits::RUN_RECORDS_MAX, log::record::LedgerRecord};

impl Ledger {
    /// Ends the expired leases, starting at a record.
    pub(crate) fn ended_leases(&self, place: Place, now: Timestamp) -> LedgerRecord {
        let part = self.part(place.partition);
        let run = run_of(place, |offset| {
            let lease = part.and_then(|part| part.leased.get(&offset));
            let until = lease.and_then(|lease| lease.until);
            until.is_some_and(|until| until <= now)
        });
        LedgerRecord::Returned { run, until: None }
    }

    /// Ends the delays that are over, starting at a record.
    pub(crate) fn ended_delays(&self, place: Place, now: Timestamp) -> LedgerRecord {
        let part = self.part(place.partition);
        let run = run_of(place, |offset| {
            let delayed = part.and_then(|part| part.delayed.get(&offset));
            delayed.is_some_and(|delayed| delayed.until <= now)
        });
        LedgerRecord::DelayEnded(run)
    }

    /// Ends the leases of a session, starting at a record.
    pub(crate) fn leases_of(&self, place: Place, session: SessionId) -> LedgerRecord {
        let part = self.part(place.partition);
        let run = run_of(place, |offset| {
            let lease = part.and_then(|part| part.leased.get(&offset));
            lease.is_some_and(|lease| lease.until.is_none() && lease.holder.session == session)
        });
        LedgerRecord::Returned { run, until: None }
    }
}

/// The record at a place and the adjacent ones after it for which the condition holds too.
fn run_of(place: Place, holds: impl Fn(Offset) -> bool) -> Run {
    let mut run = Run {
        partition: place.partition,
        first: place.offset,
        count: 1,
    };
    while run.count < RUN_RECORDS_MAX && holds(run.end()) {
        run.count += 1;
    }
    run
}
