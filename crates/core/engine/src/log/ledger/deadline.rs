//! Records whose time has come: leases that end, delays that end. Neighbours go together.

use stele_base_types::{Offset, SessionId, Timestamp};

use super::{Ledger, Place, Run};
use crate::{limits::RUN_RECORDS_MAX, log::record::LedgerRecord};

impl Ledger {
    /// Leases from a place on that have ended.
    pub(crate) fn ended_leases(&self, place: Place, now: Timestamp) -> LedgerRecord {
        let part = self.part(place.partition);
        let run = run_of(place, |offset| {
            let lease = part.and_then(|part| part.leased.get(&offset));
            let until = lease.and_then(|lease| lease.until);
            until.is_some_and(|until| until <= now)
        });
        LedgerRecord::Returned { run, until: None }
    }

    /// Delays from a place on that have ended.
    pub(crate) fn ended_delays(&self, place: Place, now: Timestamp) -> LedgerRecord {
        let part = self.part(place.partition);
        let run = run_of(place, |offset| {
            let delayed = part.and_then(|part| part.delayed.get(&offset));
            delayed.is_some_and(|delayed| delayed.until <= now)
        });
        LedgerRecord::DelayEnded(run)
    }

    /// Leases from a place on that end with this session.
    pub(crate) fn leases_of(&self, place: Place, session: SessionId) -> LedgerRecord {
        let part = self.part(place.partition);
        let run = run_of(place, |offset| {
            let lease = part.and_then(|part| part.leased.get(&offset));
            lease.is_some_and(|lease| lease.until.is_none() && lease.holder.session == session)
        });
        LedgerRecord::Returned { run, until: None }
    }
}

/// The record at a place and those right after it for which the same holds.
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
