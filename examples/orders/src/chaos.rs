//! Chaos: ends and pauses processes of a shop, fills their disks, takes the printer's paper out,
//! and sends messages that nobody can read.
//!
//! Doubled, late and overtaking messages are faults of the services' own transports: `--doubles`
//! and `--delays` of `shop run`. What is done here goes to the file `chaos.jsonl` of the shop's
//! directory, for the audit.

mod jam;
mod poison;
mod processes;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    fs::{File, OpenOptions},
    io::AsyncWriteExt as _,
    time::sleep,
};

use crate::{dice::Dice, process::Failed, run::Addresses};

use poison::Poisoner;
use processes::Processes;

/// The points at which services are ended.
const POINTS: [&str; 6] = [
    "before_commit",
    "after_commit",
    "before_ack",
    "before_send",
    "after_send",
    "before_delete",
];

/// The processes that are hit.
const TARGETS: [&str; 7] = [
    "order",
    "inventory",
    "payment",
    "shipping",
    "notification",
    "analytics",
    BROKER,
];

/// For how long a process is paused, in milliseconds.
const PAUSE_MS: u64 = 11_000;

/// For how long a disk is full.
const FULL_FOR: Duration = Duration::from_secs(3);

const BROKER: &str = "broker";

/// What `shop chaos` is told.
#[derive(clap::Args, Clone, Debug)]
pub struct ChaosSettings {
    /// The directory of the shop, `--dir` of `shop run`
    #[arg(long)]
    pub dir: PathBuf,

    /// How often `kill -9` hits a service or the broker
    #[arg(long, default_value_t = 3)]
    pub kills: usize,

    /// How often a service ends at a named point; the shop has to run with `--mortal`
    #[arg(long, default_value_t = 0)]
    pub deaths: usize,

    /// The points at which services end
    #[arg(long, value_delimiter = ',', default_values = POINTS)]
    pub points: Vec<String>,

    /// The processes that are hit; the broker has no points, and isn't paused
    #[arg(long, value_delimiter = ',', default_values = TARGETS)]
    pub processes: Vec<String>,

    /// How often a service is paused (SIGSTOP)
    #[arg(long, default_value_t = 0)]
    pub pauses: usize,

    /// For how long, in milliseconds: longer than leases, which last 5 s, and 10 s for calls
    #[arg(long, default_value_t = PAUSE_MS)]
    pub pause_ms: u64,

    /// How many messages are sent that nobody can read, or that make a handler of the order service
    /// panic if the shop runs with `--mortal`
    #[arg(long, default_value_t = 0)]
    pub poison: usize,

    /// How many messages are sent that end the order service's process, each time that it tries;
    /// the shop has to run with `--mortal`
    #[arg(long, default_value_t = 0)]
    pub aborts: usize,

    /// How often the label printer is out of paper until shipping has made a dead letter; then
    /// there is paper, and dead letters are retried
    #[arg(long, default_value_t = 0)]
    pub jams: usize,

    /// How often a service's disk is full, for three seconds; the shop has to run with `--mortal`,
    /// and with SQLite
    #[arg(long, default_value_t = 0)]
    pub full_disks: usize,

    /// The mean time between two of these, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pub every_ms: u64,

    /// What the random numbers begin with
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl ChaosSettings {
    /// Nothing, to every process of the shop that keeps its files in a directory.
    pub fn of(dir: &Path) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            dir: dir.to_owned(),
            kills: 0,
            deaths: 0,
            points: owned(&POINTS),
            processes: owned(&TARGETS),
            pauses: 0,
            pause_ms: PAUSE_MS,
            poison: 0,
            aborts: 0,
            jams: 0,
            full_disks: 0,
            every_ms: 1000,
            seed: 1,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Kill,
    Death,
    Pause,
    Poison,
    Abort,
    Jam,
    FullDisk,
}

/// Does all of it, in an order by chance.
pub async fn run(settings: ChaosSettings) -> Result<(), Failed> {
    let addresses = Addresses::of_shop(&settings.dir).await?;
    let processes = Processes::new(&settings.dir, addresses.clone());
    let dice = Dice::new(settings.seed);
    let file = settings.dir.join("chaos.jsonl");
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).open(file).await?;
    let mut poisoner = Poisoner::open(&addresses, settings.seed).await?;
    let is_service = |name: &&String| *name != BROKER;
    let services: Vec<_> = settings.processes.iter().filter(is_service).collect();
    if services.is_empty() && settings.deaths + settings.pauses + settings.full_disks > 0 {
        return Err("there is no service to end at a point, to pause or to fill".into());
    }
    let mut acts = acts(&settings);
    while !acts.is_empty() {
        let pause = settings.every_ms / 2 + dice.below(settings.every_ms.max(1));
        sleep(Duration::from_millis(pause)).await;
        let next = acts.swap_remove(usize::try_from(dice.below(acts.len() as u64))?);
        let done = match next {
            Act::Kill => {
                let target = dice.pick(&settings.processes);
                processes.kill(target).await?;
                json!({"what": "kill", "process": target})
            }
            Act::Death => {
                let (target, point) = (dice.pick(&services), dice.pick(&settings.points));
                let is_dead = processes.die_at(target, point).await?;
                json!({"what": "death", "process": target, "point": point, "isReached": is_dead})
            }
            Act::Pause => {
                let target = dice.pick(&services);
                let time = Duration::from_millis(settings.pause_ms);
                processes.pause(target, time).await?;
                json!({"what": "pause", "process": target, "ms": settings.pause_ms})
            }
            Act::Poison => poisoner.send_any(&dice).await?,
            Act::Abort => poisoner.send(poison::ABORT, &dice).await?,
            Act::Jam => jam::jam(&addresses).await?,
            Act::FullDisk => {
                let target = dice.pick(&services);
                let is_full = processes.fill(target, FULL_FOR).await?;
                json!({"what": "full disk", "process": target, "isReached": is_full})
            }
        };
        note(&mut file, &done).await?;
    }
    Ok(file.flush().await?)
}

fn acts(settings: &ChaosSettings) -> Vec<Act> {
    let of = |act, count| std::iter::repeat_n(act, count);
    let kills = of(Act::Kill, settings.kills).chain(of(Act::Death, settings.deaths));
    let others = of(Act::Pause, settings.pauses).chain(of(Act::Poison, settings.poison));
    let others = others.chain(of(Act::Abort, settings.aborts));
    let mended = of(Act::Jam, settings.jams).chain(of(Act::FullDisk, settings.full_disks));
    kills.chain(others).chain(mended).collect()
}

async fn note(file: &mut File, done: &Value) -> Result<(), Failed> {
    tracing::info!("{done}");
    let line = format!("{done}\n");
    Ok(file.write_all(line.as_bytes()).await?)
}
