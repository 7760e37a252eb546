//! A soak: each combination of protocol and style takes many orders while chaos does its worst, and
//! is audited. What came of it is a table.

use std::{path::Path, time::Duration};

use tempfile::TempDir;

use crate::{
    audit::{self, AuditSettings},
    chaos::{self, ChaosSettings},
    load::{self, LoadSettings, Report},
    process::Failed,
    settings::{Protocol, Style},
    trial::{Trial, TrialSettings},
};

/// What `shop soak` is told.
#[derive(clap::Args, Clone, Debug)]
pub struct SoakSettings {
    #[command(flatten)]
    pub trial: TrialSettings,

    /// How many orders each shop takes
    #[arg(long, default_value_t = 10_000)]
    pub orders: u64,

    /// How many are placed in a second
    #[arg(long, default_value_t = 25.0)]
    pub rate: f64,

    /// How often `kill -9` hits a service or the broker
    #[arg(long, default_value_t = 30)]
    pub kills: usize,

    /// What the random numbers begin with
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// The share of messages that are doubled, and that of those that are held back.
const FAULTS: [&str; 2] = ["--doubles=0.05", "--delays=0.05"];

/// Enough of everything but lamps, and no kettles.
const STOCK: &str = "--stock=teapot=1000000,cup=1000000,lamp=500,kettle=0";

/// Runs all of them, one after the other, and fails if an audit does.
pub async fn run(settings: SoakSettings) -> Result<(), Failed> {
    let temporary = tempfile::tempdir()?;
    let dir = settings.trial.dir.as_deref();
    let dir = dir.unwrap_or(TempDir::path(&temporary));
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for (number, combination) in (0..).zip(settings.trial.combinations()) {
        let (protocol, style) = combination;
        let dir = dir.join(format!("{protocol}-{style}"));
        let soaked = soak(&settings, combination, &dir, settings.seed + number).await;
        let (row, verdict) = match soaked {
            Ok(row) => (row, "agrees".to_owned()),
            Err((row, why)) => {
                failed.push(format!("{protocol}, {style}: {why}"));
                (row, why.to_string())
            }
        };
        rows.push(format!("| {protocol}, {style} {row}| {verdict} |"));
    }
    say(&rows);
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.join("; ").into()),
    }
}

/// Runs one. Its row as far as it came, and why it failed if it did.
async fn soak(
    settings: &SoakSettings,
    combination: (Protocol, Style),
    dir: &Path,
    seed: u64,
) -> Result<String, (String, Failed)> {
    let nothing = |error| (String::new(), error);
    let mut options = FAULTS.map(str::to_owned).to_vec();
    options.extend(["--mortal".to_owned(), STOCK.to_owned()]);
    options.push(format!("--seed={seed}"));
    let opened = Trial::open(&settings.trial, combination, dir, &options).await;
    let trial = opened.map_err(nothing)?;
    let soaked = within(settings, &trial, seed).await;
    match (soaked, trial.close().await) {
        (Ok(row), Err(error)) => Err((row, error)),
        (soaked, _) => soaked,
    }
}

/// Places the orders, does what chaos does, and audits.
async fn within(
    settings: &SoakSettings,
    trial: &Trial,
    seed: u64,
) -> Result<String, (String, Failed)> {
    let (dir, nothing) = (trial.dir(), |error| (String::new(), error));
    let (load, chaos) = (load_of(settings, dir, seed), chaos_of(settings, dir, seed));
    let kills = format!("{} + {}", chaos.kills, chaos.deaths);
    let others = chaos.pauses + chaos.poison + chaos.jams + chaos.full_disks;
    let (report, wreaked) = tokio::join!(load::carry_out(&load), chaos::run(chaos));
    let report = report.map_err(nothing)?;
    let row = format!("{}| {kills} | {others} ", row(&report));
    let failed = |error| (row.clone(), error);
    wreaked.map_err(failed)?;
    if report.open() > 0 {
        return Err(failed(format!("{} are open", report.open()).into()));
    }
    let audit = AuditSettings {
        dir: dir.to_owned(),
        patience_s: 300,
    };
    audit::run(audit).await.map_err(failed)?;
    Ok(row)
}

fn load_of(settings: &SoakSettings, dir: &Path, seed: u64) -> LoadSettings {
    LoadSettings {
        dir: dir.to_owned(),
        orders: settings.orders,
        rate: settings.rate,
        only: None,
        seed,
        patience_s: 600,
    }
}

/// All kinds of it, spread over the time that the load takes.
fn chaos_of(settings: &SoakSettings, dir: &Path, seed: u64) -> ChaosSettings {
    let mut chaos = ChaosSettings {
        kills: settings.kills,
        deaths: settings.kills.div_ceil(3),
        pauses: settings.kills.div_ceil(15),
        poison: settings.kills.div_ceil(3),
        jams: settings.kills.div_ceil(15),
        full_disks: settings.kills.div_ceil(15),
        seed,
        ..ChaosSettings::of(dir)
    };
    let acts = chaos.kills + chaos.deaths + chaos.pauses + chaos.poison + chaos.jams;
    let acts = u32::try_from(acts + chaos.full_disks).unwrap_or(u32::MAX);
    #[expect(clippy::cast_precision_loss, reason = "no soak takes 2^52 orders")]
    let time = Duration::from_secs_f64(settings.orders as f64 / settings.rate.max(0.001));
    let every = (time * 3 / 4 / acts.max(1)).as_millis();
    chaos.every_ms = u64::try_from(every).unwrap_or(u64::MAX);
    chaos
}

fn row(report: &Report) -> String {
    let ((confirmed, cancelled), good) =
        (report.ends(), |percent| report.good(percent).as_millis());
    format!(
        "| {} | {confirmed} | {cancelled} | {:.1} | {} | {} ",
        report.placed(),
        report.rate(),
        good(50),
        good(99),
    )
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn say(rows: &[String]) {
    println!(
        "| | orders | confirmed | cancelled | orders/s | p50 ms | p99 ms | kills + deaths \
         | other acts | audit |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!("{row}");
    }
}
