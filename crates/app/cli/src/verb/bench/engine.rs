//! `stele bench engine`: runs only decide and apply, on one core, without I/O. Shows how many
//! commands a shard's CPU time allows.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::json;
use smallvec::SmallVec;
use stele_base_env::{Clock as _, SystemClock};
use stele_base_types::{
    ConsumerId, LogId, Offset, PartitionId, PartitionIndex, SessionId, Timestamp,
};
use stele_core_engine::{
    Append, AppendTarget, Columns, Command, ConsumerRef, Decision, Durability, Lease, LeaseRequest,
    LedgerConfig, LedgerId, Lifetime, LogConfig, OpenLog, Outcome, Retention, Settle, SettleItem,
    State, Token,
};

use crate::exit::Failure;

const LOG: LogId = LogId(1);
const PARTITION: PartitionIndex = PartitionIndex(0);

/// Appends per advance of the durable end, as with a group commit.
const APPENDS_PER_COMMIT: u64 = 256;

/// How much to do.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Records to append, lease and settle
    #[arg(long, default_value_t = 2_000_000, value_name = "N")]
    records: u64,
    /// Records per appended batch
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Records leased and settled at a time
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=256))]
    lease: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the benchmark and prints the result.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let mut bench = Bench::new(clock.now())?;
    let begun = clock.monotonic();
    bench.append(options)?;
    let appended = clock.monotonic();
    let pairs = bench.lease_and_settle(options)?;
    let settled = clock.monotonic();
    let rate = |count: u64, elapsed: Duration| count as f64 / elapsed.as_secs_f64().max(1e-9);
    let appends = rate(options.records, appended - begun);
    let pairs = rate(pairs, settled - appended);
    let text = if options.json {
        json!({ "appended_per_second": appends, "leased_and_settled_per_second": pairs })
            .to_string()
    } else {
        format!(
            "append          {appends:>12.0} records/s, batches of {}\n\
             lease + settle  {pairs:>12.0} records/s, {} at a time",
            options.batch, options.lease
        )
    };
    Ok(writeln!(io::stdout(), "{text}")?)
}

struct Bench {
    state: State,
    now: Timestamp,
}

impl Bench {
    fn new(now: Timestamp) -> Result<Self> {
        let mut bench = Self {
            state: State::default(),
            now,
        };
        let config = LogConfig {
            partitions: 1,
            durability: Durability::Synced,
            retention: Retention::QUEUE,
            lifetime: Lifetime::default(),
            queue: Some(LedgerConfig::default()),
        };
        bench.command(OpenLog { log: LOG, config })?;
        Ok(bench)
    }

    /// Decides and applies a command. Returns the reply.
    fn command<C: Command>(&mut self, command: C) -> Result<C::Reply> {
        let decision = command.decide(&self.state, self.now)?;
        Ok(self.carry_out(decision))
    }

    fn carry_out<R>(&mut self, decision: Decision<R>) -> R {
        for record in &decision.records {
            self.state.apply(record);
        }
        decision.reply
    }

    fn append(&mut self, options: &Options) -> Result<()> {
        let mut end = 0;
        let mut appends = 0;
        while end < options.records {
            let count = u64::from(options.batch).min(options.records - end);
            let append = Append {
                targets: SmallVec::from_iter([AppendTarget {
                    log: LOG,
                    partition: Some(PARTITION),
                }]),
                count: u32::try_from(count)?,
                size_bytes: 1024,
                timestamp: self.now,
                producer: None,
                columns: Columns::default(),
            };
            self.command(append)?;
            end += count;
            appends += 1;
            if appends % APPENDS_PER_COMMIT == 0 || end == options.records {
                let ends = [(PartitionId::new(LOG, PARTITION), Offset(end))];
                let decision = self.state.committed(&ends);
                self.carry_out(decision);
            }
        }
        Ok(())
    }

    /// Leases and settles all records. Returns how many there were.
    fn lease_and_settle(&mut self, options: &Options) -> Result<u64> {
        let mut total = 0;
        while total < options.records {
            let request = LeaseRequest {
                ledger: LedgerId::DEFAULT,
                holder: ConsumerRef {
                    session: SessionId(1),
                    consumer: ConsumerId(1),
                },
                records_max: options.lease,
                lease_ms: Some(30_000),
                settle: false,
                wait_ms: None,
                attempt: None,
                leased_max: None,
            };
            let lease = Lease { log: LOG, request };
            let decision = lease.decide(Token(0), &self.state, self.now)?;
            let Some(runs) = self.carry_out(decision) else {
                bail!("the lease waits although records are ready");
            };
            let items: SmallVec<[SettleItem; 2]> = runs
                .iter()
                .flat_map(|run| &run.records)
                .map(|record| SettleItem {
                    partition: PARTITION,
                    offset: record.offset,
                    lease: Some(record.lease),
                })
                .collect();
            if items.is_empty() {
                return Err(anyhow!("no record is ready after {total} records"));
            }
            total += items.len() as u64;
            let settle = Settle {
                log: LOG,
                ledger: LedgerId::DEFAULT,
                items,
                outcome: Outcome::Done,
                durable: false,
            };
            self.command(settle)?;
        }
        Ok(total)
    }
}
