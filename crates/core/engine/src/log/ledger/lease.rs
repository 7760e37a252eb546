//! Leasing records, at once or after a wait.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{ConsumerRef, Ledger, Run, Site, ledger_record, part::Term};
use crate::{
    Decision, Durability, LeaseId, LedgerId, LogError, Record, State, Token,
    limits::{RUN_BYTES_MAX, RUN_RECORDS_MAX},
    log::{Logs, record::LedgerRecord},
};

/// Leases records, or waits for some.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// The log.
    pub log: LogId,
    /// The request.
    pub request: LeaseRequest,
}

/// A request for leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// The ledger.
    pub ledger: LedgerId,
    /// The holder of the leases.
    pub holder: ConsumerRef,
    /// The maximum number of records, at least 1.
    pub records_max: u32,
    /// The lease time in milliseconds; `None` until the session ends.
    pub lease_ms: Option<u64>,
    /// Whether records are settled on delivery instead of leased (AMQP `no-ack`).
    pub settle: bool,
    /// How long to wait for a first record, in milliseconds; `None` answers at once.
    pub wait_ms: Option<u64>,
    /// The attempt id as a stable hash (SQS `ReceiveRequestAttemptId`). Repeating it within the
    /// deduplication window gives the same leases.
    pub attempt: Option<u128>,
    /// How many records of the ledger may be leased in all, by any holder; `None` for no limit.
    /// Doesn't apply to a request that already waits.
    pub leased_max: Option<u64>,
}

/// Records leased together: consecutive in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedRun {
    /// The partition.
    pub partition: PartitionIndex,
    /// In order, without gaps.
    pub records: SmallVec<[LeasedRecord; 1]>,
}

/// A leased record. `lease` is 0 for records settled on delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasedRecord {
    /// Its offset.
    pub offset: Offset,
    /// The lease.
    pub lease: LeaseId,
    /// How often it has been delivered, including this time.
    pub deliveries: u32,
    /// When it was first delivered.
    pub delivered_first: Timestamp,
    /// Whether it was delivered before, or may have been by a process that crashed.
    pub redelivered: bool,
    /// Whether it was ready at some time while nobody wanted it. If not, it was offered as soon as
    /// possible, so its time to live can't be over.
    pub waited: bool,
}

/// The terms on which records are handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) holder: ConsumerRef,
    pub(super) lease_ms: Option<u64>,
    /// Whether they are settled on delivery.
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
    /// The decision on it, with the runs, or none if nothing was found. Without a reply if it
    /// waits; then an [`crate::Effect::Leased`] with this token follows. A refused request changes
    /// nothing.
    pub fn decide(
        self,
        token: Token,
        state: &State,
        now: Timestamp,
    ) -> Result<Decision<Option<Vec<LeasedRun>>>, LogError> {
        let Self { log, request } = self;
        let mut decision = state.logs.lease(log, &request, token, now)?;
        // A request for records is a use of the log, and so is the time it waits.
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
        let room = ledger.room_for(request)?;
        // While there is no memory for leases, no record counts as ready.
        let records_max = if self.may_lease() { room } else { 0 };
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

    /// The next lease id, from 1. It contains the process's epoch, so that an id that was given out
    /// and then lost in a crash, with its record, isn't given out again.
    pub(in crate::log) fn lease_next(&self) -> LeaseId {
        let first = self.epoch.first_number().max(1);
        self.lease_last.max(LeaseId(first))
    }
}

/// What is handed out: the changes, and the answer.
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
        let mut pick = |partition| {
            if left > 0
                && let Some(part) = self.part(partition)
            {
                left -= part.runs(partition, left, &mut runs);
            }
            left > 0
        };
        if self.config.by_priority {
            self.ready.down().all(&mut pick);
        } else {
            self.ready.from(self.rotation).all(&mut pick);
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

    /// Ready records as seen by the one about to get them. Lease 0 means no lease.
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

    /// Continues with another partition for the next lease.
    fn rotate(&mut self, partition: PartitionIndex) {
        self.rotation = PartitionIndex(partition.0 + 1);
        if self.rotation.0 as usize >= self.parts.len() {
            self.rotation = PartitionIndex(0);
        }
        self.refresh(partition);
    }
}

impl LedgerRecord {
    /// The lease id after the last one it assigns.
    pub(in crate::log) fn lease_after(&self) -> Option<LeaseId> {
        match self {
            Self::Leased { lease, run, .. } => Some(LeaseId(lease.0 + u64::from(run.count))),
            _ => None,
        }
    }

    /// The records it hands out.
    pub(in crate::log) fn handed_out(&self) -> Option<&Run> {
        match self {
            Self::Leased { run, .. } | Self::Taken { run, .. } => Some(run),
            _ => None,
        }
    }

    /// The time of an attempt that has to be remembered.
    pub(in crate::log) fn attempted_at(&self) -> Option<Timestamp> {
        match self {
            Self::Leased { attempt, at, .. } => attempt.map(|_| *at),
            _ => None,
        }
    }
}
