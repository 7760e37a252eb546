//! Load: customers who place orders of several kinds, at a rate.
//!
//! What they have sent and been answered goes to the file `load.jsonl` of the shop's directory, an
//! order on a line, for the audit. A customer who gets no answer sends the same order again, under
//! the same `Idempotency-Key`; some go away without an answer instead.

mod customers;
mod kinds;
mod times;

use std::{path::PathBuf, time::Duration};

use tokio::{
    fs::OpenOptions,
    io::AsyncWriteExt as _,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use crate::{dice::Dice, http::HttpClient, process::Failed, run::Addresses};

use customers::{Customers, Placed};
use times::Times;

/// How often to look whether orders are still open.
const POLL: Duration = Duration::from_millis(100);

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What `shop load` is told.
#[derive(clap::Args, Clone, Debug)]
pub struct LoadSettings {
    /// The directory of the shop, `--dir` of `shop run`
    #[arg(long)]
    pub dir: PathBuf,

    /// How many orders are placed
    #[arg(long, default_value_t = 300)]
    pub orders: u64,

    /// How many are placed in a second
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,

    /// Places orders of this kind alone: good, scarce, out-of-stock, declined, hanging,
    /// failing-twice, answered-twice, slow or abandoned
    #[arg(long)]
    pub only: Option<String>,

    /// What the random numbers begin with
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// For how many seconds to wait until all orders have come to an end
    #[arg(long, default_value_t = 120)]
    pub patience_s: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    placed: usize,
    /// How long it took to place them.
    placing: Duration,
    /// How long it took until all had come to an end.
    all: Duration,
    times: Times,
    /// How many haven't come to an end.
    open: i64,
}

/// Places the orders, waits for their ends, and tells how long it took.
pub async fn run(settings: LoadSettings) -> Result<(), Failed> {
    let report = carry_out(&settings).await?;
    say(&report);
    match report.open {
        0 => Ok(()),
        open => Err(format!("{open} orders are still open").into()),
    }
}

/// The same, for others who tell it.
pub async fn carry_out(settings: &LoadSettings) -> Result<Report, Failed> {
    let addresses = Addresses::of_shop(&settings.dir).await?;
    let customers = Customers {
        http: HttpClient::new(ANSWER_TIMEOUT),
        url: format!("http://{}", addresses.order),
        dice: Dice::new(settings.seed),
        seed: settings.seed,
        kinds: kinds::named(settings.only.as_deref())?,
    };
    let begun = Instant::now();
    let placed = place(settings, &customers).await?;
    let placing = begun.elapsed();
    let deadline = Instant::now() + Duration::from_secs(settings.patience_s);
    let accepted = placed.iter().filter(|order| order.order_id.is_some());
    let accepted = accepted.count();
    let mut open = customers.open(accepted).await;
    while !matches!(open, Ok(0)) && Instant::now() < deadline {
        sleep(POLL).await;
        open = customers.open(accepted).await;
    }
    Ok(Report {
        placed: placed.len(),
        placing,
        all: begun.elapsed(),
        times: Times::of(&customers, &placed).await?,
        open: open?,
    })
}

impl Report {
    /// How many orders were placed.
    pub fn placed(&self) -> usize {
        self.placed
    }

    /// How many of those that were accepted were confirmed, and how many cancelled.
    pub fn ends(&self) -> (usize, usize) {
        (self.times.confirmed.len(), self.times.cancelled)
    }

    /// How many have neither come to an end.
    pub fn open(&self) -> i64 {
        self.open
    }

    /// Orders in a second, from the first to the end of the last.
    pub fn rate(&self) -> f64 {
        rate(self.placed, self.all)
    }

    /// The time until this many of a hundred good orders were confirmed.
    pub fn good(&self, percent: usize) -> Duration {
        times::share(&self.times.good, percent)
    }
}

fn rate(count: usize, time: Duration) -> f64 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    f64::from(count) / time.as_secs_f64()
}

async fn place(settings: &LoadSettings, customers: &Customers) -> Result<Vec<Placed>, Failed> {
    let file = settings.dir.join("load.jsonl");
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).open(file).await?;
    let mut ticks = interval(Duration::from_secs_f64(1.0 / settings.rate.max(0.001)));
    // Those that are late are sent at once: the rate holds on the whole.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut placing = JoinSet::new();
    for number in 0..settings.orders {
        ticks.tick().await;
        let order = customers.order(number);
        let customers = customers.clone();
        placing.spawn(async move { customers.place(order).await });
    }
    let mut placed = Vec::new();
    while let Some(order) = placing.join_next().await {
        let order = order??;
        let mut line = serde_json::to_vec(&order)?;
        line.push(b'\n');
        file.write_all(&line).await?;
        placed.push(order);
    }
    file.flush().await?;
    Ok(placed)
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn say(report: &Report) {
    let ms = |time: Duration| time.as_millis();
    let (count, times) = (report.placed, &report.times);
    println!(
        "{count} orders placed at {:.1}/s, all ended at {:.1}/s",
        rate(count, report.placing),
        report.rate()
    );
    println!(
        "confirmed {}, cancelled {}, without an answer {}",
        times.confirmed.len(),
        times.cancelled,
        times.unanswered
    );
    for (name, times) in [
        ("accepted", &times.accepted),
        ("confirmed, good cards", &times.good),
        ("confirmed, all", &times.confirmed),
    ] {
        let (half, most) = (times::share(times, 50), times::share(times, 99));
        println!("{name}: p50 {} ms, p99 {} ms", ms(half), ms(most));
    }
}
