//! Runs seeds: `--seeds N` starting at `--from S`, `--seed S` for a single seed, run twice, or
//! `--soak` until stopped. `--operations N` sets the number of client requests in each, `--law N`
//! uses only that law, `--show N` sets how many of the last events a failure shows. `--journals
//! DIR` instead writes the journals of the seeds' shards to a directory: the initial corpus of the
//! fuzz target for journals.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use stele_base_env::{Disk, LocalDisk};
use stele_test_sim::{Failure, Outcome, journals, run};

/// The command-line options.
#[derive(Clone, Debug)]
struct Asked {
    from: u64,
    /// The seed to stop before; `None`: never stop.
    until: Option<u64>,
    operations: u64,
    /// The only law to judge by; `None` for all.
    law: Option<u32>,
    /// How many of the last events a failure shows.
    shown: usize,
    /// Each seed is run twice, and must give the same result.
    twice: bool,
    /// The directory for the journals.
    journals: Option<PathBuf>,
}

/// One seed in this many is run twice by default.
const TWICE_EVERY: u64 = 25;

fn main() -> ExitCode {
    let Some(asked) = parse(std::env::args().skip(1)) else {
        say("usage: sim [--seeds N] [--from S] [--seed S] [--soak] [--operations N] [--show N]");
        say("           [--law N] [--journals DIR]");
        return ExitCode::from(2);
    };
    // A panic is a broken law, reported with the seed.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(directory) = &asked.journals {
        return write_journals(&asked, directory);
    }
    match run_all(&asked) {
        Ok(total) => {
            say(&format!(
                "{} events judged, {} crashes survived, {} journal files used again",
                total.events, total.crashes, total.files_used_again
            ));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            tell(&failure, asked.operations);
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let mut asked = Asked {
        from: 0,
        until: None,
        operations: 2_000,
        law: None,
        shown: 20,
        twice: false,
        journals: None,
    };
    let (mut count, mut soak) = (1_000, false);
    let mut arguments = arguments;
    while let Some(flag) = arguments.next() {
        if flag == "--journals" {
            asked.journals = Some(arguments.next()?.into());
            continue;
        }
        let mut number = || arguments.next()?.parse::<u64>().ok();
        match flag.as_str() {
            "--soak" => soak = true,
            "--seeds" => count = number()?,
            "--from" => asked.from = number()?,
            "--show" => asked.shown = number()? as usize,
            "--operations" => asked.operations = number()?,
            "--law" => asked.law = Some(u32::try_from(number()?).ok()?),
            "--seed" => {
                asked.from = number()?;
                (count, asked.twice) = (1, true);
            }
            _ => return None,
        }
    }
    asked.until = (!soak).then_some(asked.from.saturating_add(count));
    Some(asked)
}

/// Runs the seeds on all cores until one fails. Reports the lowest failing seed, regardless of the
/// number of cores: lower seeds were started earlier, and are finished.
fn run_all(asked: &Asked) -> Result<Outcome, Box<Failure>> {
    let next = AtomicU64::new(asked.from);
    let failed = AtomicBool::new(false);
    let total = Mutex::new(Ok(Outcome::default()));
    let worker = || {
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if asked.until.is_some_and(|until| seed >= until) {
                return;
            }
            let outcome = run_checked(seed, asked);
            failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
            let mut total = total.lock().expect("nobody panics while holding it");
            match (&mut *total, outcome) {
                (Ok(total), Ok(outcome)) => {
                    total.events += outcome.events;
                    total.crashes += outcome.crashes;
                    total.files_used_again += outcome.files_used_again;
                }
                (total @ Ok(_), Err(failure)) => *total = Err(failure),
                (Err(known), Err(failure)) if failure.seed < known.seed => *known = failure,
                (Err(_), _) => {}
            }
        }
    };
    let cores = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(worker);
        }
    });
    total.into_inner().expect("nobody panics while holding it")
}

fn run_checked(seed: u64, asked: &Asked) -> Result<Outcome, Box<Failure>> {
    let outcome = run(seed, asked.operations, asked.law, asked.shown)?;
    if asked.twice || seed.is_multiple_of(TWICE_EVERY) {
        let again = run(seed, asked.operations, asked.law, asked.shown)?;
        if again != outcome {
            return Err(Box::new(Failure {
                seed,
                law: "a seed runs the same way twice",
                what: format!("{outcome:?}, then {again:?}"),
                last: Vec::new(),
            }));
        }
    }
    Ok(outcome)
}

/// Writes the journals of all seeds into one directory.
fn write_journals(asked: &Asked, directory: &Path) -> ExitCode {
    let disk = LocalDisk;
    for seed in asked.from..asked.until.unwrap_or(u64::MAX) {
        let found = match journals(seed, asked.operations) {
            Ok(found) => found,
            Err(failure) => {
                tell(&failure, asked.operations);
                return ExitCode::FAILURE;
            }
        };
        for (number, bytes) in found.iter().enumerate() {
            let path = directory.join(format!("{seed}-{number}.journal"));
            if let Err(error) = disk.write_whole(&path, bytes) {
                say(&format!("{}: {error}", path.display()));
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn tell(failure: &Failure, operations: u64) {
    for event in &failure.last {
        say(&format!("  {event}"));
    }
    let Failure {
        seed, law, what, ..
    } = failure;
    say(&format!("seed {seed} breaks law {law}\n  {what}"));
    say(&format!(
        "repeat it: cargo run -rp stele-test-sim -- --seed {seed} --operations {operations}"
    ));
}

fn say(line: &str) {
    // The reader may have gone.
    drop(writeln!(io::stdout(), "{line}"));
}
