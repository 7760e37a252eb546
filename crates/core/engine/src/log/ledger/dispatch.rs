//! Handing out ready records to waiting consumers and requests, one run at a time.

use stele_base_types::{LogId, Timestamp};

use super::{
    ConsumerRef, Ledger, Run,
    demand::{Consumer, Turn},
    lease::Terms,
    ledger_record,
};
use crate::{
    Decision, Effect, LeaseId, LeasedRun, LedgerId, Token,
    limits::{RUN_BYTES_MAX, RUN_RECORDS_MAX},
    log::{Log, Logs, index::Indexes, record::LedgerRecord},
};

/// Records delivered to a subscribed consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// The consumer.
    pub consumer: ConsumerRef,
    /// The records.
    pub run: LeasedRun,
    /// Bytes taken from the consumer's credit. The caller grants them back when the transport has
    /// taken the records.
    pub charged_bytes: u64,
}

impl Logs {
    pub(crate) fn dispatch(&self, log: LogId, now: Timestamp) -> Decision {
        let Some(known) = self.log(log) else {
            return Decision::nothing();
        };
        if self.is_cleared(log) {
            return self.clear_some(log);
        }
        if let Some(left) = self.left_in(log) {
            return self.give_back(log, left, now);
        }
        let lease_next = self.lease_next();
        let mut ledgers = known.ledgers.iter();
        let Some(ledger) = ledgers.find(|ledger| ledger.is_hot()) else {
            return Decision::nothing();
        };
        if let Some(Turn::Consumer(consumer)) = ledger.demand.turn()
            && self.indexes.ended.contains(&consumer.session)
        {
            return self.drop_consumer(log, ledger.id, consumer, now);
        }
        ledger
            .dispatch(log, known, &self.indexes, lease_next, now)
            .unwrap_or_else(Decision::nothing)
    }

    /// A log for which [`crate::State::dispatch`] has work: the first one after `after`, or else
    /// the first one, so that going round serves every log. `None` while leases use all the memory
    /// that they may. Constant time.
    pub fn dispatchable(&self, after: Option<LogId>) -> Option<LogId> {
        if !self.may_lease() {
            return None;
        }
        let hot = &self.indexes.hot;
        let later = after.and_then(|after| hot.range(LogId(after.0.wrapping_add(1))..).next());
        later.or_else(|| hot.first()).copied()
    }

    /// Whether [`crate::State::dispatch`] has work for a log. Constant time.
    pub fn is_dispatchable(&self, log: LogId) -> bool {
        self.may_lease() && self.indexes.hot.contains(&log)
    }
}

impl Ledger {
    fn dispatch(
        &self,
        log: LogId,
        known: &Log,
        indexes: &Indexes,
        lease_next: LeaseId,
        now: Timestamp,
    ) -> Option<Decision> {
        match self.demand.turn()? {
            Turn::Wait(token) => self.answer(log, known, token, lease_next, now),
            Turn::Consumer(consumer) => {
                self.deliver(log, known, consumer, indexes, lease_next, now)
            }
        }
    }

    fn answer(
        &self,
        log: LogId,
        known: &Log,
        token: Token,
        lease_next: LeaseId,
        now: Timestamp,
    ) -> Option<Decision> {
        let request = &self.demand.wait_of(token)?.request;
        let runs = self.pick(request.records_max.min(self.fair_share()));
        let runs = known.within(runs, RUN_BYTES_MAX);
        let handed_out = self.hand_out(log, &runs, request.into(), lease_next, now);
        let mut records = handed_out.records;
        records.push(ledger_record(log, self.id, LedgerRecord::WaitEnded(token)));
        let decision = Decision {
            records,
            ..Decision::nothing()
        };
        Some(decision.with(Effect::Leased(token, Ok(handed_out.runs))))
    }

    fn deliver(
        &self,
        log: LogId,
        known: &Log,
        reference: ConsumerRef,
        indexes: &Indexes,
        lease_next: LeaseId,
        now: Timestamp,
    ) -> Option<Decision> {
        let consumer = self.demand.consumer(reference)?;
        let partition = self.next_ready()?;
        let max = self.fair_share().min(room(consumer, indexes));
        let run = self.part(partition)?.run(partition, max)?;
        let credit_bytes = u64::try_from(consumer.credit_bytes).unwrap_or(0);
        let run = *known
            .within([run].into_iter().collect(), credit_bytes)
            .first()?;
        let terms = Terms {
            holder: reference,
            lease_ms: None,
            settle: consumer.terms.settle,
            attempt: None,
        };
        let (record, leased) = self.hand_out_run(run, terms, lease_next, now);
        let delivery = Delivery {
            log,
            ledger: self.id,
            consumer: reference,
            charged_bytes: known.bytes_of(run),
            run: leased,
        };
        let decision = Decision::record(ledger_record(log, self.id, record));
        Some(decision.with(Effect::Deliver(delivery)))
    }

    /// What the first in the queue may take, so that ready records are shared by all.
    fn fair_share(&self) -> u32 {
        if !self.demand.is_shared() {
            return RUN_RECORDS_MAX;
        }
        self.demand.share(self.ready_next()).min(RUN_RECORDS_MAX)
    }

    /// Begins a turn of the first in the queue.
    pub(super) fn begin_turn(&mut self) {
        if self.demand.is_shared() {
            self.demand.begin_turn(self.ready_next());
        }
    }

    /// How many records are ready in the next partition.
    fn ready_next(&self) -> u64 {
        let part = self.next_ready().and_then(|next| self.part(next));
        part.map_or(0, |part| part.ready())
    }
}

/// How many records a consumer may take by its limits.
fn room(consumer: &Consumer, indexes: &Indexes) -> u32 {
    let pool = indexes.pool(consumer.pool());
    // Records settled on delivery take no room in the pool, but still wait until there is some.
    let pool = pool.filter(|_| !consumer.terms.settle);
    pool.map_or(u32::MAX, |pool| pool.room())
        .min(consumer.room())
}

impl super::part::Part {
    /// The first run that may be leased.
    fn run(&self, partition: stele_base_types::PartitionIndex, max: u32) -> Option<Run> {
        let mut runs = smallvec::SmallVec::new();
        self.runs(partition, max.max(1), &mut runs);
        runs.first().copied()
    }
}
