//! Throughput of the engine alone on one core: decide and apply, no I/O.
//!
//! `cargo bench -p stele-core-engine --bench engine`

use std::time::Duration;

use smallvec::smallvec;
use stele_base_env::{Clock, SystemClock};
use stele_base_types::{
    ConsumerId, LogId, Offset, PartitionId, PartitionIndex, ProducerEpoch, ProducerId, Sequence,
    SessionId, Timestamp,
};
use stele_core_engine::{
    Append, AppendTarget, Columns, Command, ConsumerRef, Decision, Durability, Effect, Lease,
    LeaseId, LeaseRequest, LedgerConfig, LedgerId, Lifetime, LogConfig, OpenLog, Outcome,
    ProducerStamp, Retention, Schedule, Settle, SettleItem, State, Subscribe, Subscription, Token,
};

const ROUNDS: usize = 5;
const RECORDS: u64 = 500_000;
const NOW: Timestamp = Timestamp(1_750_000_000_000);

fn main() {
    report("append, one record at a time", RECORDS, append);
    report("append, idempotent producer", RECORDS, append_idempotent);
    report("append to a FIFO queue", RECORDS, || append_fifo(1));
    report("append ten to a FIFO queue, each", RECORDS, || {
        append_fifo(10)
    });
    report("lease one, settle it (no deadline)", RECORDS, || {
        lease_settle(None)
    });
    report("lease one, settle it (30 s deadline)", RECORDS, || {
        lease_settle(Some(30_000))
    });
    report("lease ten, settle ten", RECORDS, lease_settle_tens);
    report("append, commit, deliver, settle", RECORDS, || push(1));
    report("the same with ten priorities", RECORDS, || push(10));
    report("deliver and settle a backlog", RECORDS, backlog);
}

/// Runs a case several times and prints its best round.
#[expect(
    clippy::print_stdout,
    reason = "a benchmark reports on standard output"
)]
fn report(name: &str, operations: u64, run: impl Fn() -> Duration) {
    let best = (0..ROUNDS).map(|_| run()).min().unwrap_or_default();
    let nanoseconds = best.as_nanos() as f64 / operations as f64;
    let millions = 1_000.0 / nanoseconds;
    println!("{name:<40} {nanoseconds:>8.0} ns  {millions:>6.2} M/s");
}

fn timed(run: impl FnOnce()) -> Duration {
    let clock = SystemClock::new();
    let start = clock.monotonic();
    let start_on_core = on_core();
    run();
    match (start_on_core, on_core()) {
        (Some(start), Some(end)) => end - start,
        _ => clock.monotonic() - start,
    }
}

/// How long this thread has had a core, where the system reports it, so that results don't suffer
/// from other processes.
#[expect(
    clippy::disallowed_methods,
    reason = "reads the kernel's statistics, not the disk"
)]
fn on_core() -> Option<Duration> {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = figures.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn log(number: u64) -> LogId {
    LogId(number)
}

fn state(queue: LedgerConfig) -> State {
    state_of(1, queue)
}

/// A hundred logs, so that looking one up has a cost.
fn state_of(partitions: u32, queue: LedgerConfig) -> State {
    let mut state = State::default();
    for number in 0..100 {
        let config = LogConfig {
            partitions,
            durability: Durability::Synced,
            retention: Retention::QUEUE,
            lifetime: Lifetime::default(),
            queue: Some(queue),
        };
        let log = log(number);
        run(&mut state, OpenLog { log, config });
    }
    state
}

/// Decides and applies; nothing is refused here.
fn run<C: Command>(state: &mut State, command: C) -> Option<Decision<C::Reply>> {
    let decision = command.decide(state, NOW).ok()?;
    Some(carry_out(state, decision))
}

fn carry_out<R>(state: &mut State, decision: Decision<R>) -> Decision<R> {
    for record in &decision.records {
        state.apply(record);
    }
    decision
}

fn record(number: u64) -> Append {
    Append {
        targets: smallvec![AppendTarget {
            log: log(number % 100),
            partition: Some(PartitionIndex(0)),
        }],
        count: 1,
        size_bytes: 1_024,
        timestamp: NOW,
        producer: None,
        columns: Columns::default(),
    }
}

fn append() -> Duration {
    let mut state = state(LedgerConfig::default());
    timed(|| {
        for number in 0..RECORDS {
            run(&mut state, record(number));
        }
    })
}

fn append_idempotent() -> Duration {
    let mut state = state(LedgerConfig::default());
    timed(|| {
        for number in 0..RECORDS {
            let sequence = i32::try_from(number / 100).unwrap_or(0);
            let stamp = ProducerStamp {
                id: ProducerId(1),
                epoch: ProducerEpoch(0),
                sequence: Sequence(sequence),
            };
            let append = Append {
                producer: Some(stamp),
                ..record(number)
            };
            run(&mut state, append);
        }
    })
}

fn append_fifo(count: u32) -> Duration {
    let fifo = LedgerConfig {
        fifo: true,
        ..LedgerConfig::default()
    };
    let mut state = state(fifo);
    timed(|| {
        for number in 0..RECORDS / u64::from(count) {
            let schedules = (0..u64::from(count)).map(|place| {
                let number = number * u64::from(count) + place;
                Schedule {
                    group: Some(number % 1_000),
                    deduplication: Some(u128::from(number)),
                    ..Default::default()
                }
            });
            let append = Append {
                count,
                columns: Columns::of(schedules),
                ..record(number)
            };
            run(&mut state, append);
        }
    })
}

/// Queues filled with all records, which are durable.
fn filled() -> State {
    let mut state = state(LedgerConfig::default());
    for number in 0..RECORDS {
        run(&mut state, record(number));
    }
    for number in 0..100 {
        commit(&mut state, number);
    }
    state
}

fn commit(state: &mut State, number: u64) {
    commit_at(state, PartitionId::new(log(number), PartitionIndex(0)));
}

fn commit_at(state: &mut State, partition: PartitionId) {
    let end = state
        .logs
        .partition(partition)
        .map_or(Offset::ZERO, |known| known.end);
    let decision = state.committed(&[(partition, end)]);
    carry_out(state, decision);
}

fn lease(
    state: &mut State,
    number: u64,
    records_max: u32,
    lease_ms: Option<u64>,
) -> Vec<(Offset, LeaseId)> {
    let request = LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: consumer(number),
        records_max,
        lease_ms,
        settle: false,
        wait_ms: None,
        attempt: None,
        leased_max: None,
    };
    let lease = Lease {
        log: log(number % 100),
        request,
    };
    let Ok(decision) = lease.decide(Token(number), state, NOW) else {
        return Vec::new();
    };
    let Some(runs) = carry_out(state, decision).reply else {
        return Vec::new();
    };
    let records = runs.iter().flat_map(|run| &run.records);
    records
        .map(|record| (record.offset, record.lease))
        .collect()
}

fn settle(state: &mut State, number: u64, leases: &[(Offset, LeaseId)]) {
    settle_at(state, number, PartitionIndex(0), leases);
}

fn settle_at(
    state: &mut State,
    number: u64,
    partition: PartitionIndex,
    leases: &[(Offset, LeaseId)],
) {
    let items = leases.iter().map(|(offset, lease)| SettleItem {
        partition,
        offset: *offset,
        lease: Some(*lease),
    });
    let settle = Settle {
        log: log(number % 100),
        ledger: LedgerId::DEFAULT,
        items: items.collect(),
        outcome: Outcome::Done,
        durable: false,
    };
    run(state, settle);
}

fn lease_settle(lease_ms: Option<u64>) -> Duration {
    let mut state = filled();
    timed(|| {
        for number in 0..RECORDS {
            let leases = lease(&mut state, number, 1, lease_ms);
            settle(&mut state, number, &leases);
        }
    })
}

fn lease_settle_tens() -> Duration {
    let mut state = filled();
    timed(|| {
        for number in 0..RECORDS / 10 {
            let leases = lease(&mut state, number, 10, Some(30_000));
            settle(&mut state, number, &leases);
        }
    })
}

fn consumer(number: u64) -> ConsumerRef {
    ConsumerRef {
        session: SessionId(number % 100),
        consumer: ConsumerId(0),
    }
}

fn subscribe(state: &mut State) {
    for number in 0..100 {
        let terms = Subscription {
            ledger: LedgerId::DEFAULT,
            consumer: consumer(number),
            prefetch: Some(100),
            pool: 0,
            pool_prefetch: None,
            settle: false,
            exclusive: false,
            credit_bytes: u64::MAX / 4,
            priority: 0,
        };
        let log = log(number);
        run(state, Subscribe { log, terms });
    }
}

/// Hands out a log's records and settles them; returns how many.
fn deliver_and_settle(state: &mut State, number: u64) -> u64 {
    let decision = state.dispatch(log(number % 100), NOW);
    let decision = carry_out(state, decision);
    let Some(Effect::Deliver(delivery)) = decision.effects.first() else {
        return 0;
    };
    let records = delivery.run.records.iter();
    let leases: Vec<_> = records
        .map(|record| (record.offset, record.lease))
        .collect();
    settle_at(state, number, delivery.run.partition, &leases);
    leases.len() as u64
}

/// With several priorities, each record has the next one.
fn push(priorities: u8) -> Duration {
    let queue = LedgerConfig {
        by_priority: priorities > 1,
        ..LedgerConfig::default()
    };
    let mut state = state_of(priorities.into(), queue);
    subscribe(&mut state);
    timed(|| {
        for number in 0..RECORDS {
            let priority = (number / 100 % u64::from(priorities)) as u8;
            let mut append = record(number);
            if queue.by_priority {
                append.targets[0].partition = None;
                append.columns = Columns::of([Schedule {
                    priority: Some(priority),
                    ..Schedule::default()
                }]);
            }
            run(&mut state, append);
            let partition = PartitionIndex(priority.into());
            commit_at(&mut state, PartitionId::new(log(number % 100), partition));
            deliver_and_settle(&mut state, number);
        }
    })
}

fn backlog() -> Duration {
    let mut state = filled();
    subscribe(&mut state);
    timed(|| {
        let mut settled = 0;
        for number in 0.. {
            settled += deliver_and_settle(&mut state, number);
            if settled == RECORDS {
                break;
            }
        }
    })
}
