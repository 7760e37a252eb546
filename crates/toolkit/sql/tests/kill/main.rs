//! `kill -9` at two processes that handle the same messages and relay what they cause, on one SQLite
//! database.
//!
//! The parent is the broker: it hands out every message, by number, on the standard input of both
//! children, and takes acknowledgements and sent messages from their standard outputs. After each
//! kill it starts others, and hands out again what wasn't acknowledged, and some that were. At
//! every second kill, one of the two goes on for a while without the other.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test with a main function"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Begun, Caps, Claim, Clock, Deliveries, Depth, Destination, Extensions, FanOut, KeyOrder,
    Ordering, Outgoing, Release, Store, Subscription, SystemClock, Topology, Transport,
    TransportError,
};
use stele_toolkit_sql::{Db, Options, Relay, Tx, sqlx};

const MESSAGES: usize = 1500;
const KILLS: usize = 6;
/// How many more are acknowledged by one process while the other is dead.
const ALONE: usize = 50;
/// How many acknowledged messages are delivered again after a kill.
const AGAIN: usize = 5;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(url) = std::env::var_os("STELE_TEST_KILL_DB") {
        return runtime.block_on(child(url.to_str().unwrap()));
    }
    a_kill_at_any_time_loses_and_doubles_nothing(&runtime);
}

fn a_kill_at_any_time_loses_and_doubles_nothing(runtime: &tokio::runtime::Runtime) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("kill.db").display());
    let mut broker = Broker::default();
    for kill in 0..=KILLS {
        // At odd numbers of acknowledgements, so that kills fall into different states.
        let last = if kill == KILLS {
            MESSAGES
        } else {
            (kill + 1) * 211 + kill
        };
        let end = match kill {
            KILLS => End::InGoodOrder,
            kill if kill % 2 == 1 => End::OneAfterTheOther,
            _ => End::Together,
        };
        broker.run(&url, last, end);
    }
    let copies = broker.sent.values().sum::<usize>() - broker.sent.len();
    assert_eq!(broker.sent.len(), MESSAGES, "each message's event was sent");
    runtime.block_on(check(&url));
    println!(
        "kill -9: {MESSAGES} messages, {KILLS} kills, {} deliveries, {copies} events doubled; ok",
        broker.deliveries
    );
}

/// The broker's view.
#[derive(Debug, Default)]
struct Broker {
    acked: usize,
    deliveries: usize,
    sent: BTreeMap<String, usize>,
}

impl Broker {
    /// Runs two children until so many messages are acknowledged, and ends them.
    fn run(&mut self, url: &str, last: usize, end: End) {
        let (told, lines) = channel();
        // A few more than are awaited, so that there is work left for those that come later.
        let handed_out = match end {
            End::InGoodOrder => MESSAGES,
            End::Together | End::OneAfterTheOther => MESSAGES.min(last + 4 * ALONE),
        };
        let numbers = self.acked.saturating_sub(AGAIN)..handed_out;
        let mut children = [(); 2].map(|()| Process::start(url, &told));
        drop(told);
        for child in &mut children {
            for number in numbers.clone() {
                self.deliveries += 1;
                writeln!(child.input, "{number}").unwrap();
            }
        }
        let [first, second] = children;
        self.until(&lines, last);
        match end {
            End::Together => {
                first.kill();
                second.kill();
            }
            End::OneAfterTheOther => {
                first.kill();
                self.until(&lines, last + ALONE);
                second.kill();
            }
            End::InGoodOrder => {
                while self.sent.len() < MESSAGES {
                    self.note(&lines.recv().expect("a child runs"));
                }
                first.finish();
                second.finish();
            }
        }
        // What they wrote before they died has reached the broker.
        lines.into_iter().for_each(|line| self.note(&line));
    }

    fn until(&mut self, lines: &Receiver<String>, acked: usize) {
        while self.acked < acked {
            self.note(&lines.recv().expect("a child runs"));
        }
    }

    fn note(&mut self, line: &str) {
        match line.split_once(' ') {
            // Each child takes its messages in order, and either may have handled one.
            Some(("ack", number)) => {
                let number: usize = number.parse().unwrap();
                self.acked = self.acked.max(number + 1);
            }
            Some(("sent", id)) => *self.sent.entry(id.to_owned()).or_default() += 1,
            _ => panic!("{line}"),
        }
    }
}

/// How two children end.
#[derive(Clone, Copy, Debug)]
enum End {
    Together,
    OneAfterTheOther,
    InGoodOrder,
}

/// A child. Its lines are told to the broker until it is dead.
struct Process {
    child: Child,
    input: ChildStdin,
}

impl Process {
    fn start(url: &str, told: &Sender<String>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env("STELE_TEST_KILL_DB", url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let told = told.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                told.send(line).unwrap();
            }
        });
        Self { child, input }
    }

    /// With SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        assert!(!self.child.wait().unwrap().success());
    }

    fn finish(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

async fn check(url: &str) {
    let db = Db::open(url).await.unwrap();
    let mut reader = db.reader().await.unwrap();
    let count = "SELECT COUNT(*), COUNT(DISTINCT number) FROM handled";
    let row: (i64, i64) = sqlx::query_as(count).fetch_one(&mut *reader).await.unwrap();
    let expected = i64::try_from(MESSAGES).unwrap();
    assert_eq!(row, (expected, expected), "each message was handled once");
    let check: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    assert_eq!(check, "ok");
}

async fn child(url: &str) {
    // Two processes take turns at writing, and SQLite has no queue for them.
    let options = Options::new().wait_max(Duration::from_secs(60));
    let db = options.open(url).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let table = sqlx::query("CREATE TABLE IF NOT EXISTS handled (number BIGINT NOT NULL)");
    table.execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let relay = tokio::spawn(Relay::new(db.clone(), Arc::new(Lines)).run());
    let (numbers, mut next) = tokio::sync::mpsc::channel::<i64>(4096);
    tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lines() {
            numbers
                .blocking_send(line.unwrap().parse().unwrap())
                .unwrap();
        }
    });
    while let Some(number) = next.recv().await {
        handle(&db, number).await;
        println!("ack {number}");
    }
    relay.abort();
}

async fn handle(db: &Db, number: i64) {
    let (id, now) = (number.to_string(), SystemClock.now());
    let claim = Claim {
        service: "s",
        handler: "s.h",
        message_id: &id,
        timestamp: now,
        key: "",
        order: KeyOrder::Relaxed,
        is_parked: false,
        now,
    };
    let Begun::Work(mut work) = Store::begin(db, &claim).await.unwrap() else {
        return;
    };
    let mut lent = Extensions::new();
    work.lend(&mut lent);
    let mut tx = Tx::take(&lent).unwrap();
    let insert = sqlx::query("INSERT INTO handled (number) VALUES ($1)").bind(number);
    insert.execute(&mut *tx).await.unwrap();
    drop(tx);
    work.take_back(&mut lent).unwrap();
    let to = Destination::Topic("events".to_owned());
    let event = Outgoing::json(to, format!("event-{number}"), "{}");
    work.send(vec![event.with_key(format!("{}", number % 7))])
        .await
        .unwrap();
    work.commit().await.unwrap();
}

/// Sends to standard output, which the broker reads.
#[derive(Debug)]
struct Lines;

#[async_trait]
impl Transport for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn caps(&self) -> Caps {
        Caps {
            ordering: Ordering::ByKey,
            fan_out: FanOut::Broker,
            replay: false,
            delay_max: Duration::ZERO,
            counts_deliveries: false,
            release: Release::Message,
            release_max: Duration::ZERO,
            deduplicates_for: Duration::ZERO,
            batch_max: usize::MAX,
            body_bytes_max: usize::MAX,
            single_active: false,
        }
    }

    async fn declare(&self, _topology: &Topology) -> Result<(), TransportError> {
        Ok(())
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let send = |message: &Outgoing| {
            println!("sent {}", message.message_id);
            Ok(())
        };
        batch.iter().map(send).collect()
    }

    async fn subscribe(
        &self,
        _subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        Err(TransportError::Closed)
    }

    async fn depth(&self, _subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        Ok(Vec::new())
    }
}
