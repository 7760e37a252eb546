//! Repeated requests: a receive that repeats an attempt id gets the same records, as long as all of
//! them are still leased by it (SQS `ReceiveRequestAttemptId`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp};

use super::{Ledger, Run, ledger_record};
use crate::{
    Decision, LeaseId, LeaseRequest, LeasedRecord, LeasedRun,
    limits::{ATTEMPTS_MAX, DEDUPLICATION_MS},
    log::{
        forget::{drop_oldest, look_through},
        record::LedgerRecord,
        sweep::shed,
    },
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempts {
    attempts: BTreeMap<u128, Attempt>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    at: Timestamp,
    /// The runs, each with the lease of its first record.
    runs: SmallVec<[(Run, LeaseId); 1]>,
}

impl Attempts {
    pub(super) fn note(&mut self, attempt: u128, run: Run, lease: LeaseId, at: Timestamp) {
        let known = self.attempts.entry(attempt).or_default();
        if known.at != at {
            known.runs.clear();
        }
        known.at = at;
        known.runs.push((run, lease));
        drop_oldest(&mut self.attempts, ATTEMPTS_MAX, |attempt| attempt.at);
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        self.attempts.retain(|_, attempt| attempt.is_current(now));
    }

    /// The same for up to `left` attempts, starting at `first`. Returns where to continue, if there
    /// are more.
    pub(crate) fn forget_some(
        &mut self,
        now: Timestamp,
        first: u128,
        left: &mut usize,
    ) -> Option<u128> {
        let is_old = |attempt: &Attempt| !attempt.is_current(now);
        look_through(&mut self.attempts, first, left, is_old)
    }

    /// Removes up to `left` attempts, because the log is gone.
    pub(super) fn shed(&mut self, left: &mut usize) {
        shed(&mut self.attempts, left);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    fn runs(&self, attempt: u128, now: Timestamp) -> Option<&[(Run, LeaseId)]> {
        let known = self.attempts.get(&attempt)?;
        known.is_current(now).then_some(&known.runs)
    }
}

impl Attempt {
    fn is_current(&self, now: Timestamp) -> bool {
        now.since_ms(self.at) < DEDUPLICATION_MS
    }
}

impl Ledger {
    /// Answers a repeated request with the leases of the first one, whose time starts again.
    pub(super) fn repeat(
        &self,
        log: LogId,
        request: &LeaseRequest,
        now: Timestamp,
    ) -> Option<Decision<Option<Vec<LeasedRun>>>> {
        let runs = self.attempts.runs(request.attempt?, now)?;
        let leased = runs
            .iter()
            .map(|(run, lease)| self.still_leased(*run, *lease));
        let leased: Vec<LeasedRun> = leased.collect::<Option<_>>()?;
        let mut decision = Decision::reply(Some(leased));
        if let Some(lease_ms) = request.lease_ms {
            let until = now.plus_ms(lease_ms);
            let extended = runs.iter().map(|(run, _)| {
                ledger_record(log, self.id, LedgerRecord::Extended { run: *run, until })
            });
            decision.records.extend(extended);
        }
        Some(decision)
    }

    /// The records of a run, if all of them still have their original leases.
    fn still_leased(&self, run: Run, first: LeaseId) -> Option<LeasedRun> {
        let part = self.part(run.partition)?;
        let records = run.offsets().zip(0..).map(|(offset, nth): (_, u64)| {
            let lease = part.leased.get(&offset)?;
            (lease.id == LeaseId(first.0 + nth)).then_some(LeasedRecord {
                offset,
                lease: lease.id,
                deliveries: lease.seen.deliveries,
                delivered_first: lease.seen.first,
                redelivered: lease.seen.deliveries > 1 || offset < part.doubted(),
                waited: lease.seen.deliveries > 1 || offset < part.offered(),
            })
        });
        Some(LeasedRun {
            partition: run.partition,
            records: records.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use stele_base_types::{Offset, PartitionIndex};

    use super::*;

    #[test]
    fn of_very_many_attempts_the_oldest_are_forgotten() {
        let mut attempts = Attempts::default();
        let run = Run {
            partition: PartitionIndex(0),
            first: Offset(0),
            count: 1,
        };
        let last = 3 * ATTEMPTS_MAX as u128;
        for attempt in 0..=last {
            let at = Timestamp(i64::try_from(attempt).expect("small"));
            attempts.note(attempt, run, LeaseId(1), at);
            assert!(attempts.attempts.len() <= ATTEMPTS_MAX);
        }
        assert!(attempts.attempts.contains_key(&last));
        assert!(!attempts.attempts.contains_key(&0));
    }
}
