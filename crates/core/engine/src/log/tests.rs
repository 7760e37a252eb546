//! A small shard for tests: decides, applies, journals, and records answers and deliveries.

mod appending;
mod bounds;
mod bytes;
mod clearing;
mod closing;
mod consuming;
mod dead;
mod expiry;
mod forgetting;
mod leasing;
mod ledgers;
mod memory;
mod model;
mod peeking;
mod priorities;
mod serving;
mod unused;

use smallvec::SmallVec;
use stele_base_types::{
    ConsumerId, LogId, Offset, PartitionId, PartitionIndex, SessionId, Timestamp,
};

use super::*;
use crate::{
    Command, Decision, Durability, Effect, LedgerConfig, Lifetime, Record, Retention, State, Token,
};

pub(super) const LOG: LogId = LogId(1);

/// The shard that a test drives.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) state: State,
    /// What a restart replays.
    pub(super) journal: Vec<Record>,
    pub(super) now: Timestamp,
    pub(super) effects: Vec<Effect>,
}

pub(super) fn queue_config() -> LogConfig {
    LogConfig {
        partitions: 1,
        durability: Durability::Synced,
        retention: Retention::QUEUE,
        lifetime: Lifetime::default(),
        queue: Some(LedgerConfig::default()),
    }
}

pub(super) fn fifo_config() -> LogConfig {
    LogConfig {
        queue: Some(LedgerConfig {
            fifo: true,
            ..LedgerConfig::default()
        }),
        ..queue_config()
    }
}

pub(super) fn consumer(session: u64, consumer: u64) -> ConsumerRef {
    ConsumerRef {
        session: SessionId(session),
        consumer: ConsumerId(consumer),
    }
}

pub(super) fn request(session: u64, records_max: u32) -> LeaseRequest {
    LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: consumer(session, 0),
        records_max,
        lease_ms: None,
        settle: false,
        wait_ms: None,
        attempt: None,
        leased_max: None,
    }
}

pub(super) fn subscribe(consumer: ConsumerRef) -> Subscription {
    Subscription {
        ledger: LedgerId::DEFAULT,
        consumer,
        prefetch: None,
        pool: 0,
        pool_prefetch: None,
        settle: false,
        exclusive: false,
        credit_bytes: 1_000_000,
        priority: 0,
    }
}

/// One record of 10 bytes to partition 0.
pub(super) fn record() -> Append {
    Append {
        targets: [AppendTarget {
            log: LOG,
            partition: None,
        }]
        .into_iter()
        .collect(),
        count: 1,
        size_bytes: 10,
        timestamp: Timestamp(0),
        producer: None,
        columns: Columns::default(),
    }
}

pub(super) fn scheduled(schedule: Schedule) -> Append {
    Append {
        columns: Columns::of([schedule]),
        ..record()
    }
}

pub(super) fn trim_reason(is_asked: bool) -> TrimReason {
    if is_asked {
        return TrimReason::Asked;
    }
    TrimReason::Retention {
        held_from: Offset::ZERO,
    }
}

/// The partition and offset of each record.
pub(super) fn places(runs: &[LeasedRun]) -> Vec<(u32, u64)> {
    let each = runs.iter().flat_map(|run| {
        let records = run.records.iter();
        records.map(|record| (run.partition.0, record.offset.0))
    });
    each.collect()
}

impl Shard {
    pub(super) fn with(config: LogConfig) -> Self {
        let mut shard = Self {
            now: Timestamp(1_000_000),
            ..Self::default()
        };
        shard.open(LOG, config).expect("it opens");
        shard
    }

    pub(super) fn carry_out<R>(&mut self, mut decision: Decision<R>) -> Decision<R> {
        for record in &decision.records {
            self.state.apply(record);
            if record.is_journalled() {
                self.journal.push(record.clone());
            }
        }
        self.effects
            .append(&mut decision.effects.drain(..).collect());
        decision
    }

    pub(super) fn decide<C: Command>(
        &mut self,
        command: C,
    ) -> Result<Decision<C::Reply>, C::Error> {
        let decision = command.decide(&self.state, self.now)?;
        Ok(self.carry_out(decision))
    }

    pub(super) fn run<C: Command>(&mut self, command: C) -> Result<C::Reply, C::Error> {
        Ok(self.decide(command)?.reply)
    }

    pub(super) fn open(&mut self, log: LogId, config: LogConfig) -> Result<(), OpenError> {
        self.run(OpenLog { log, config })
    }

    pub(super) fn delete(&mut self, delete: DeleteLog) -> Result<Option<u64>, LogError> {
        let decision = delete.decide(Token(0), &self.state, self.now)?;
        Ok(self.carry_out(decision).reply)
    }

    /// Where a batch was appended, which all targets must accept.
    pub(super) fn append_only(&mut self, append: Append) -> Result<Vec<Appended>, AppendError> {
        self.run(append)?.into_iter().collect()
    }

    /// Appends durably.
    pub(super) fn append(&mut self, append: Append) -> Vec<Appended> {
        let appended = self.append_only(append).expect("it is appended");
        self.commit();
        appended
    }

    pub(super) fn append_many(&mut self, count: usize) {
        for _ in 0..count {
            self.append(record());
        }
    }

    /// Makes everything appended durable.
    pub(super) fn commit(&mut self) {
        let logs = self.state.logs.iter();
        let ends: Vec<_> = logs
            .flat_map(|(id, log)| {
                let partitions = log.partitions.iter().enumerate();
                partitions.map(move |(index, partition)| {
                    let index = PartitionIndex(u32::try_from(index).expect("small"));
                    (PartitionId::new(id, index), partition.end)
                })
            })
            .collect();
        let decision = self.state.committed(&ends);
        self.carry_out(decision);
    }

    /// Requests leases; `None` if the request waits.
    pub(super) fn ask(
        &mut self,
        request: LeaseRequest,
        token: u64,
    ) -> Result<Option<Vec<LeasedRun>>, LogError> {
        let lease = Lease { log: LOG, request };
        let decision = lease.decide(Token(token), &self.state, self.now)?;
        Ok(self.carry_out(decision).reply)
    }

    /// The runs leased by a request that doesn't have to wait.
    pub(super) fn lease_runs(&mut self, request: LeaseRequest) -> Vec<LeasedRun> {
        let leased = self.ask(request, 0).expect("the log is a queue");
        leased.expect("it needn't wait")
    }

    /// Requests leases that aren't available yet.
    pub(super) fn wait(&mut self, request: LeaseRequest, token: u64) {
        assert_eq!(self.ask(request, token), Ok(None));
    }

    pub(super) fn lease(&mut self, request: LeaseRequest) -> Vec<(u32, u64)> {
        places(&self.lease_runs(request))
    }

    pub(super) fn peek(
        &self,
        state: Option<PeekState>,
        after: Option<(PartitionIndex, Offset)>,
        records_max: usize,
    ) -> Peeked {
        let peek = Peek {
            log: LOG,
            ledger: LedgerId::DEFAULT,
            state,
            after,
            records_max,
        };
        self.state.logs.peek(&peek).expect("the log is there")
    }

    /// The records of all pages.
    pub(super) fn peek_all(
        &self,
        state: Option<PeekState>,
        records_max: usize,
    ) -> Vec<PeekedRecord> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.peek(state, after, records_max);
            assert!(page.records.len() <= records_max);
            found.extend(page.records);
            match page.next {
                Some(next) => after = Some(next),
                None => return found,
            }
        }
    }

    /// Settles records by any lease. Returns the positions of those that don't match.
    pub(super) fn settle(&mut self, offsets: &[(u32, u64)], outcome: Outcome) -> Vec<usize> {
        let items = offsets.iter().map(|(partition, offset)| SettleItem {
            partition: PartitionIndex(*partition),
            offset: Offset(*offset),
            lease: None,
        });
        self.settle_items(items.collect(), outcome)
    }

    pub(super) fn settle_items(
        &mut self,
        items: SmallVec<[SettleItem; 2]>,
        outcome: Outcome,
    ) -> Vec<usize> {
        let settle = Settle {
            log: LOG,
            ledger: LedgerId::DEFAULT,
            items,
            outcome,
            durable: false,
        };
        self.run(settle).expect("it is a queue").into_vec()
    }

    fn dispatch_one(&mut self, log: LogId) -> Decision {
        let decision = self.state.dispatch(log, self.now);
        let is_nothing = decision.is_nothing();
        let carried_out = self.carry_out(decision);
        assert_eq!(carried_out.records.is_empty(), is_nothing);
        carried_out
    }

    /// Hands out everything possible; returns the deliveries.
    pub(super) fn dispatch(&mut self) -> Vec<Delivery> {
        while let Some(log) = self.state.logs.dispatchable(None) {
            let decision = self.dispatch_one(log);
            assert!(!decision.records.is_empty(), "listed without work to do");
        }
        let ids: Vec<LogId> = self.state.logs.iter().map(|(id, _)| id).collect();
        for log in ids {
            assert!(self.dispatch_one(log).is_nothing(), "not listed");
        }
        let (delivered, others) = std::mem::take(&mut self.effects)
            .into_iter()
            .partition::<Vec<_>, _>(|effect| matches!(effect, Effect::Deliver(_)));
        self.effects = others;
        let deliveries = delivered.into_iter().map(|effect| match effect {
            Effect::Deliver(delivery) => delivery,
            other => panic!("{other:?}"),
        });
        deliveries.collect()
    }

    /// The offsets delivered to each consumer by dispatching.
    pub(super) fn delivered(&mut self) -> Vec<(ConsumerRef, Vec<u64>)> {
        let deliveries = self.dispatch().into_iter();
        let each = deliveries.map(|delivery| {
            let offsets = delivery.run.records.iter().map(|record| record.offset.0);
            (delivery.consumer, offsets.collect())
        });
        each.collect()
    }

    /// The answers to waits so far.
    pub(super) fn answers(&mut self) -> Vec<(Token, Vec<(u32, u64)>)> {
        let effects = std::mem::take(&mut self.effects).into_iter();
        let answers = effects.filter_map(|effect| match effect {
            Effect::Leased(token, Ok(runs)) => Some((token, places(&runs))),
            _ => None,
        });
        answers.collect()
    }

    /// Lets time pass, and does everything that is due.
    pub(super) fn pass(&mut self, duration_ms: u64) {
        self.now = self.now.plus_ms(duration_ms);
        loop {
            let decision = self.state.tick(self.now);
            if decision.is_nothing() {
                break;
            }
            self.carry_out(decision);
        }
        let next = self.state.next_deadline();
        assert!(next.is_none_or(|next| next > self.now));
    }

    /// Restarts after a crash: replays the journal and begins a new process.
    pub(super) fn restart(&mut self) {
        self.replay();
        // Tests number the sessions of each process from the same start.
        self.state.logs.epoch = ProcessEpoch(0);
    }

    /// The same, but with sessions distinguished by their epoch.
    pub(super) fn replay(&mut self) {
        self.state = State::default();
        for record in &self.journal {
            self.state.apply(record);
        }
        let epoch = self.state.next_epoch();
        loop {
            let decision = self.state.recover(epoch, self.now);
            if decision.is_nothing() {
                break;
            }
            self.carry_out(decision);
        }
        self.clean_up();
    }

    /// Ends a session and cleans up after it.
    pub(super) fn close_session(&mut self, session: u64) {
        self.begin_to_close(session);
        self.clean_up();
    }

    /// Ends a session, without cleaning up.
    pub(super) fn begin_to_close(&mut self, session: u64) -> Decision {
        let decision = self.state.session_closed(SessionId(session));
        self.carry_out(decision)
    }

    /// Does all cleaning up and clearing. Returns the number of steps.
    pub(super) fn clean_up(&mut self) -> usize {
        let mut steps = 0;
        while self.state.logs.has_leavings() {
            self.clean_up_some();
            steps += 1;
        }
        steps
    }

    /// One such step.
    pub(super) fn clean_up_some(&mut self) -> Decision {
        let decision = self.state.clean_up(self.now);
        self.carry_out(decision)
    }

    /// Sweeps closed logs. Returns the number of steps.
    pub(super) fn sweep(&mut self) -> usize {
        let mut steps = 0;
        while self.state.logs.has_closing() {
            let decision = self.state.sweep();
            self.carry_out(decision);
            steps += 1;
        }
        steps
    }

    pub(super) fn ledger(&self) -> &Ledger {
        let log = self.state.logs.log(LOG).expect("it is open");
        log.ledger(LedgerId::DEFAULT).expect("it is a queue")
    }

    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let ledger = self.ledger();
        (ledger.ready(), ledger.leased(), ledger.delayed())
    }
}
