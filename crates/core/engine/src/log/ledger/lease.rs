//! Leasing records: now, or by a wait.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{ConsumerRef, Ledger, Run, Site, demand::ReadyParts, ledger_record, part::Term};
use crate::{
    Decision, Durability, LeaseId, LedgerId, LogError, Record, State, Token,
    limits::{RUN_BYTES_MAX, RUN_RECORDS_MAX},
    log::{Logs, record::LedgerRecord},
};

/// Leases records now, or waits for some.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// The log.
    pub log: LogId,
    /// What is asked for.
    pub request: LeaseRequest,
}

/// What leases are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// The ledger.
    pub ledger: LedgerId,
    /// Who will hold them.
    pub holder: ConsumerRef,
    /// At most this many records, from 1.
    pub records_max: u32,
    /// They return after this long, in milliseconds; `None` when their session ends.
    pub lease_ms: Option<u64>,
    /// Settle at once instead of leasing (AMQP `no-ack`).
    pub settle: bool,
    /// Wait for a first record for this long, in milliseconds; `None` answers at once.
    pub wait_ms: Option<u64>,
    /// Repeats within the deduplication window give the same leases (SQS
    /// `ReceiveRequestAttemptId`), a stable hash.
    pub attempt: Option<u128>,
    /// As many records of the ledger may be leased, by whomever; `None` is any number. A request
    /// that waits already gets what it waits for.
    pub leased_max: Option<u64>,
}

/// Records leased together: consecutive in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedRun {
    /// The partition.
    pub partition: PartitionIndex,
    /// In order, without holes.
    pub records: SmallVec<[LeasedRecord; 1]>,
}

/// A leased record. For records settled on delivery, `lease` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasedRecord {
    /// Where.
    pub offset: Offset,
    /// The lease.
    pub lease: LeaseId,
    /// How often it has been delivered, this time included.
    pub deliveries: u32,
    /// When it was first delivered.
    pub delivered_first: Timestamp,
    /// It has been delivered before; or it may have been, by a process that crashed.
    pub redelivered: bool,
    /// There was a time at which it was ready and nobody wanted it. One without has been offered as
    /// soon as it could be, so that no time to live is over.
    pub waited: bool,
}

/// On what terms records are handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) holder: ConsumerRef,
    pub(super) lease_ms: Option<u64>,
    /// Settled by handing them out.
    pub(super) settle: bool,
    pub(super) attempt: Option<u128>,
}

impl From<&LeaseRequest> for Terms {
    fn from(request: &LeaseRequest) -> Self {
        Self {
            holder: request.holder,
            lease_ms: request.lease_ms,
            settle: request.settle,
            attempt: request.attempt,
        }
    }
}

impl Lease {
    /// What it changes and is answered with: runs, empty where nothing was found; `None` where it
    /// waits, which ends in [`crate::Effect::Leased`] with this token. A refusal changes nothing.
    pub fn decide(
        self,
        token: Token,
        state: &State,
        now: Timestamp,
    ) -> Result<Decision<Option<Vec<LeasedRun>>>, LogError> {
        let Self { log, request } = self;
        let mut decision = state.logs.lease(log, &request, token, now)?;
        // A request for records is a use, for as long as it waits for some.
        let waits_ms = request.wait_ms.filter(|_| decision.reply.is_none());
        let until = now.plus_ms(waits_ms.unwrap_or(0));
        let used = state.logs.used(log, until);
        decision.records.extend(used);
        Ok(decision)
    }
}

impl Logs {
    fn lease(
        &self,
        log: LogId,
        request: &LeaseRequest,
        token: Token,
        now: Timestamp,
    ) -> Result<Decision<Option<Vec<LeasedRun>>>, LogError> {
        let known = self.known(log)?;
        let ledger = known.known_ledger(request.ledger)?;
        let lease_next = self.lease_next();
        if let Some(repeated) = ledger.repeat(log, request, now) {
            return Ok(repeated);
        }
        let records_max = ledger.room_for(request)?;
        let runs = known.within(ledger.pick(records_max), RUN_BYTES_MAX);
        if !runs.is_empty() {
            let handed_out = ledger.hand_out(log, &runs, request.into(), lease_next, now);
            return Ok(Decision {
                records: handed_out.records,
                ..Decision::reply(Some(handed_out.runs))
            });
        }
        match request.wait_ms {
            Some(wait_ms) if wait_ms > 0 && request.records_max > 0 => {
                let record = LedgerRecord::Waiting {
                    request: Box::new(*request),
                    until: now.plus_ms(wait_ms),
                    token,
                };
                let record = ledger_record(log, ledger.id, record);
                Ok(Decision::change(record, None, Durability::Volatile))
            }
            _ => Ok(Decision::reply(Some(Vec::new()))),
        }
    }

    /// The lease that the next one to be given may have: from 1. It carries the process's epoch, so
    /// that one that was given and then lost in a crash, with its record, isn't given again.
    pub(in crate::log) fn lease_next(&self) -> LeaseId {
        let first = self.epoch.first_number().max(1);
        self.lease_last.max(LeaseId(first))
    }
}

/// What is handed out: what happens by that, and what the asker is told.
#[derive(Debug, Default)]
pub(super) struct HandedOut {
    pub(super) records: SmallVec<[Record; 1]>,
    pub(super) runs: Vec<LeasedRun>,
}

impl Ledger {
    /// How many records a request may get.
    fn room_for(&self, request: &LeaseRequest) -> Result<u32, LogError> {
        let Some(leased_max) = request.leased_max else {
            return Ok(request.records_max);
        };
        match leased_max.saturating_sub(self.leased()) {
            0 => Err(LogError::TooManyLeased),
            room => Ok(u32::try_from(room)
                .map_or(request.records_max, |room| room.min(request.records_max))),
        }
    }

    /// Up to `max` ready records, from one partition after another.
    pub(super) fn pick(&self, max: u32) -> SmallVec<[Run; 2]> {
        let mut left = max.min(RUN_RECORDS_MAX);
        let mut runs = SmallVec::new();
        for partition in self.ready.from(self.rotation) {
            if left == 0 {
                break;
            }
            if let Some(part) = self.part(partition) {
                left -= part.runs(partition, left, &mut runs);
            }
        }
        runs
    }

    pub(super) fn hand_out(
        &self,
        log: LogId,
        runs: &[Run],
        terms: Terms,
        lease_next: LeaseId,
        now: Timestamp,
    ) -> HandedOut {
        let mut handed_out = HandedOut::default();
        let mut lease = lease_next;
        for run in runs {
            let (record, leased) = self.hand_out_run(*run, terms, lease, now);
            handed_out.records.push(ledger_record(log, self.id, record));
            handed_out.runs.push(leased);
            lease.0 += u64::from(run.count);
        }
        handed_out
    }

    pub(super) fn hand_out_run(
        &self,
        run: Run,
        terms: Terms,
        lease: LeaseId,
        now: Timestamp,
    ) -> (LedgerRecord, LeasedRun) {
        let first = if terms.settle { LeaseId(0) } else { lease };
        let leased = self.leased_run(run, first, now);
        let holder = terms.holder;
        let record = if terms.settle {
            LedgerRecord::Taken { run, holder }
        } else {
            LedgerRecord::Leased {
                run,
                lease,
                holder,
                until: terms.lease_ms.map(|term_ms| now.plus_ms(term_ms)),
                at: now,
                attempt: terms.attempt,
            }
        };
        (record, leased)
    }

    /// The asker's view of ready records that it is about to get. Lease 0 is none.
    fn leased_run(&self, run: Run, first: LeaseId, now: Timestamp) -> LeasedRun {
        let part = self.part(run.partition);
        let doubted = part.map_or(Offset::ZERO, |part| part.doubted());
        let offered = part.map_or(Offset::ZERO, |part| part.offered());
        let records = run.offsets().zip(0..).map(|(offset, nth): (_, u64)| {
            let before = part.map(|part| part.seen(offset)).unwrap_or_default();
            let seen = before.again(now);
            LeasedRecord {
                offset,
                lease: LeaseId(if first.0 == 0 { 0 } else { first.0 + nth }),
                deliveries: seen.deliveries,
                delivered_first: seen.first,
                redelivered: seen.deliveries > 1 || offset < doubted,
                waited: seen.deliveries > 1 || offset < offered,
            }
        });
        LeasedRun {
            partition: run.partition,
            records: records.collect(),
        }
    }

    pub(super) fn apply_leased(&mut self, record: &LedgerRecord, bytes: u64, site: &mut Site<'_>) {
        let LedgerRecord::Leased {
            run,
            lease,
            holder,
            until,
            at,
            attempt,
        } = *record
        else {
            return;
        };
        let ledger = self.id;
        self.begin_turn();
        let Some(part) = self.part_mut(run.partition) else {
            return;
        };
        let mut term = Term {
            lease,
            holder,
            until,
            at,
        };
        for offset in run.offsets() {
            part.lease(offset, &term);
            term.lease.0 += 1;
            let place = super::Place {
                ledger,
                partition: run.partition,
                offset,
            };
            site.indexes.lease(site.log, place, holder.session, until);
        }
        let is_more_ready = part.is_ready();
        if let Some(attempt) = attempt {
            self.attempts.note(attempt, run, lease, at);
        }
        self.demand.charge(holder, run.count, bytes, site.indexes);
        self.demand.pass_turn(holder, run.count, is_more_ready);
        self.rotate(run.partition);
    }

    pub(super) fn apply_taken(
        &mut self,
        run: Run,
        holder: ConsumerRef,
        bytes: u64,
        site: &mut Site<'_>,
    ) {
        self.begin_turn();
        let Some(part) = self.part_mut(run.partition) else {
            return;
        };
        for offset in run.offsets() {
            part.settle(offset);
        }
        let is_more_ready = part.is_ready();
        self.demand.charge(holder, 0, bytes, site.indexes);
        self.demand.pass_turn(holder, run.count, is_more_ready);
        self.rotate(run.partition);
    }

    /// The next to be leased comes from another partition.
    fn rotate(&mut self, partition: PartitionIndex) {
        self.rotation = PartitionIndex(partition.0 + 1);
        if self.rotation.0 as usize >= self.parts.len() {
            self.rotation = PartitionIndex(0);
        }
        self.refresh(partition);
    }
}

impl LedgerRecord {
    /// The lease after the last one that it gives.
    pub(in crate::log) fn lease_after(&self) -> Option<LeaseId> {
        match self {
            Self::Leased { lease, run, .. } => Some(LeaseId(lease.0 + u64::from(run.count))),
            _ => None,
        }
    }

    /// What it hands out.
    pub(in crate::log) fn handed_out(&self) -> Option<&Run> {
        match self {
            Self::Leased { run, .. } | Self::Taken { run, .. } => Some(run),
            _ => None,
        }
    }

    /// When an attempt was made that is to be remembered.
    pub(in crate::log) fn attempted_at(&self) -> Option<Timestamp> {
        match self {
            Self::Leased { attempt, at, .. } => attempt.map(|_| *at),
            _ => None,
        }
    }
}

impl ReadyParts {
    /// The one to lease from next.
    pub(super) fn next(&self, rotation: PartitionIndex) -> Option<PartitionIndex> {
        self.from(rotation).next()
    }
}
