//! Publishes and then consumes with many concurrent clients.

use std::{
    io::{self, Write as _},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use hdrhistogram::Histogram;
use stele_base_env::{Clock, SystemClock};
use tokio::{runtime, task::JoinSet, time::sleep};

use super::{
    Load, check,
    client::{Client, Protocol},
    message::{self, Identity},
    report::{Phase, Report},
};
use crate::exit::Failure;

/// How long consumers wait without receiving a message before they count the rest as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// Latencies up to a minute, with three significant digits.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Runs the benchmark and prints the result.
pub(super) fn run(protocol: Protocol, load: &Load) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(measure(protocol, load))?;
    let text = if load.json {
        report.json()
    } else {
        report.text()
    };
    writeln!(io::stdout(), "{text}")?;
    match report.faults {
        Some(faults) if faults.any() => Err(Failure::Critical(anyhow!(
            "the messages received differ from those sent: {faults:?}"
        ))),
        _ => Ok(()),
    }
}

/// The state shared by all clients.
struct Run {
    protocol: Protocol,
    load: Load,
    name: String,
    clock: SystemClock,
    received: AtomicU64,
    /// When the last message was received, in milliseconds of the monotonic clock.
    latest_ms: AtomicU64,
}

async fn measure(protocol: Protocol, load: &Load) -> anyhow::Result<Report> {
    let run = Arc::new(Run {
        protocol,
        load: load.clone(),
        name: format!("stele-bench-{}", process::id()),
        clock: SystemClock::new(),
        received: AtomicU64::new(0),
        latest_ms: AtomicU64::new(0),
    });
    let address = load
        .address
        .as_deref()
        .unwrap_or(protocol.address_default());
    let connected = Client::connect(protocol, load, &run.name, 0).await;
    let mut admin = connected.with_context(|| format!("cannot connect to {address}"))?;
    admin
        .create(load.clients)
        .await
        .context("cannot create the queue or topic")?;
    let published = publish(&run).await;
    let consumed = match &published {
        Ok(_) => Some(consume(&run).await),
        Err(_) => None,
    };
    admin
        .delete()
        .await
        .context("cannot delete the queue or topic")?;
    let (publish, (consume, received)) = (published?, consumed.context("nothing published")??);
    let faults = load.verify.then(|| {
        let sent: Vec<u64> = (0..load.clients).map(|client| load.share(client)).collect();
        let mut faults = check::compare(&sent, &received);
        if !protocol.is_ordered() {
            faults.disordered = 0;
        }
        faults
    });
    Ok(Report {
        protocol: protocol.name(),
        load: load.clone(),
        publish,
        consume,
        faults,
    })
}

impl Load {
    /// The number of messages that a client sends.
    fn share(&self, client: u16) -> u64 {
        let clients = u64::from(self.clients);
        self.messages / clients + u64::from(u64::from(client) < self.messages % clients)
    }
}

async fn publish(run: &Arc<Run>) -> anyhow::Result<Phase> {
    let mut tasks = JoinSet::new();
    for index in 0..run.load.clients {
        let client = Client::connect(run.protocol, &run.load, &run.name, index).await?;
        tasks.spawn(publisher(Arc::clone(run), client, index));
    }
    let begun = run.clock.monotonic();
    let mut latencies = histogram();
    while let Some(ended) = tasks.join_next().await {
        latencies.add(ended??)?;
    }
    let elapsed = run.clock.monotonic() - begun;
    Ok(Phase {
        messages: run.load.messages,
        elapsed,
        latencies: Some(latencies),
    })
}

/// Sends one client's share. Returns the latency of each request in microseconds.
async fn publisher(
    run: Arc<Run>,
    mut client: Client,
    index: u16,
) -> anyhow::Result<Histogram<u64>> {
    let share = run.load.share(index);
    let batch = u64::from(run.load.batch);
    let interval = run.load.rate.map(|rate| {
        Duration::from_secs_f64(f64::from(run.load.clients) * batch as f64 / rate.max(1e-6))
    });
    let mut latencies = histogram();
    let begun = run.clock.monotonic();
    let mut sequence = 0;
    let mut request = 0_u32;
    while sequence < share {
        let count = batch.min(share - sequence);
        let bodies: Vec<Bytes> = (sequence..sequence + count)
            .map(|sequence| Identity {
                client: index,
                sequence,
            })
            .map(|identity| message::body(identity, run.load.size.bytes()))
            .collect();
        let now = run.clock.monotonic();
        let due = interval.map_or(now, |interval| begun + interval * request);
        if due > now {
            sleep(due - now).await;
        }
        client.send(&bodies).await?;
        let latency = run.clock.monotonic().saturating_sub(due);
        latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        sequence += count;
        request += 1;
    }
    Ok(latencies)
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are in order")
}

type Received = Vec<Vec<Option<Identity>>>;

async fn consume(run: &Arc<Run>) -> anyhow::Result<(Phase, Received)> {
    let mut clients = Vec::new();
    for index in 0..run.load.clients {
        clients.push(Client::connect(run.protocol, &run.load, &run.name, index).await?);
    }
    let begun = run.clock.monotonic();
    run.latest_ms.store(ms(begun), Ordering::Relaxed);
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(consumer(Arc::clone(run), client));
    }
    let mut received = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        received.push(ended??);
    }
    let latest = Duration::from_millis(run.latest_ms.load(Ordering::Relaxed));
    let messages = run.received.load(Ordering::Relaxed);
    let elapsed = latest.saturating_sub(begun).max(Duration::from_millis(1));
    Ok((
        Phase {
            messages,
            elapsed,
            latencies: None,
        },
        received,
    ))
}

/// Receives until the consumers together have received all messages.
async fn consumer(run: Arc<Run>, mut client: Client) -> anyhow::Result<Vec<Option<Identity>>> {
    client.subscribe().await?;
    let mut identities = Vec::new();
    let mut bodies = Vec::new();
    while run.received.load(Ordering::Relaxed) < run.load.messages {
        client.receive(&mut bodies).await?;
        let now_ms = ms(run.clock.monotonic());
        if bodies.is_empty() {
            let silence_ms = now_ms.saturating_sub(run.latest_ms.load(Ordering::Relaxed));
            if silence_ms > ms(PATIENCE) {
                break;
            }
            continue;
        }
        run.latest_ms.fetch_max(now_ms, Ordering::Relaxed);
        run.received
            .fetch_add(bodies.len() as u64, Ordering::Relaxed);
        if run.load.verify {
            identities.extend(bodies.iter().map(|body| message::identity(body)));
        }
        bodies.clear();
    }
    Ok(identities)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
