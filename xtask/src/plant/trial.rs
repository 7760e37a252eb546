//! The trial of one bug: it is built into the simulator, whose seeds find it or don't.

use std::{
    env, fmt,
    io::Read as _,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{bug::Bug, copy::Copy};

/// The cargo command to build the copy.
const BUILD: &str = "build --quiet --profile plant --package stele-test-sim";

/// The simulator's options: the same runs as in `./test`, judged by one law.
const RUNS: &str = "--seeds 1000 --operations 2000 --show 0 --law";

/// Time limit for the seeds of one bug: some bugs make the simulator run for ever.
const LIMIT: Duration = Duration::from_secs(300);

/// Starts the program that follows with at most 4 GiB of memory, if the system can limit that: some
/// bugs make the simulator use all memory.
const BOUNDED: &str = "ulimit -v 4194304 2>/dev/null; exec \"$0\" \"$@\"";

/// The outcome for a bug.
#[derive(Debug)]
pub(crate) struct Outcome {
    verdict: Verdict,
    took: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Found by the law, with this seed.
    Found { seed: u64 },
    /// Not found, for this reason.
    Missed(String),
}

impl Outcome {
    pub(crate) fn is_found(&self) -> bool {
        matches!(self.verdict, Verdict::Found { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs();
        match &self.verdict {
            Verdict::Found { seed } => write!(f, "found by seed {seed:3} in {seconds:2} s"),
            Verdict::Missed(why) => write!(f, "FAILED after {seconds} s: {why}"),
        }
    }
}

/// Tries a bug, and restores the copy. An error means that it couldn't be tried.
pub(crate) fn run(copy: &Copy, bug: &Bug) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let original = copy.plant(bug)?;
    let verdict = try_planted(copy, bug);
    original.restore()?;
    Ok(Outcome {
        verdict: verdict?,
        took: begun.elapsed(),
    })
}

fn try_planted(copy: &Copy, bug: &Bug) -> anyhow::Result<Verdict> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(&copy.tree)
        .args(BUILD.split(' '))
        .arg("--target-dir")
        .arg(&copy.build)
        .output()
        .context("running cargo build")?;
    if !built.status.success() {
        let errors = String::from_utf8_lossy(&built.stderr).into_owned();
        return Ok(Verdict::Missed(format!("it doesn't build\n{errors}")));
    }
    let mut simulator = Command::new("sh");
    simulator.args(["-c", BOUNDED]);
    simulator.arg(copy.build.join("plant/stele-test-sim"));
    simulator.args(RUNS.split(' ')).arg(bug.law.to_string());
    Ok(match said(&mut simulator)? {
        Some(text) => judge(bug.law, &text),
        None => Verdict::Missed(format!("no end within {} s", LIMIT.as_secs())),
    })
}

/// The output of a command, and its exit status; `None` if it doesn't end in time.
fn said(command: &mut Command) -> anyhow::Result<Option<String>> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().context("its output is a pipe")?;
    let (sender, receiver) = mpsc::sync_channel(1);
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let read = output.read_to_string(&mut text).map(|_| text);
        drop(sender.send(read));
    });
    let read = receiver.recv_timeout(LIMIT);
    if read.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    drop(reader.join());
    let text = read.ok().transpose()?;
    Ok(text.map(|text| format!("{text}{status}")))
}

/// Interprets the simulator's output: `seed 7 breaks law 4: …` if it has found something.
fn judge(law: u32, text: &str) -> Verdict {
    let broken = format!(" breaks law {law}: ");
    let mut lines = text.lines();
    let told = lines.find_map(|line| line.strip_prefix("seed ")?.split_once(&broken));
    match told.and_then(|(seed, _)| seed.parse().ok()) {
        Some(seed) => Verdict::Found { seed },
        None => Verdict::Missed(format!("the law doesn't see it\n{}", text.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_found_by_the_seed_that_breaks_its_law() {
        let text = "seed 12 breaks law 4: one holder\n  0 at 3 was Done\nrepeat it: …\n";
        assert_eq!(judge(4, text), Verdict::Found { seed: 12 });
    }

    #[test]
    fn a_bug_that_nothing_or_something_else_finds_is_missed() {
        let texts = [
            "10 events judged, 2 crashes survived\n",
            "",
            "seed 12 breaks law 10: no input crashes the process\n  overflow\n",
            "seed 12 breaks law a seed runs the same way twice\n  …\n",
        ];
        for text in texts {
            assert!(matches!(judge(1, text), Verdict::Missed(_)), "{text}");
        }
    }
}
