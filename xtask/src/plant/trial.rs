//! What becomes of one bug: it is built into the simulator, whose seeds find it or don't.

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

/// As `./test` has it.
const SEEDS: &str = "1000";
const OPERATIONS: &str = "2000";

/// How long the seeds of one bug may take: some bugs make the simulator go on for ever.
const LIMIT: Duration = Duration::from_secs(600);

/// What became of a bug.
#[derive(Debug)]
pub(crate) struct Outcome {
    verdict: Verdict,
    took: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A seed broke one of its laws.
    Found { seed: u64, law: u32 },
    /// Or didn't, for this reason.
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
            Verdict::Found { seed, law } => {
                write!(f, "breaks law {law:2} at seed {seed:3} ({seconds} s)")
            }
            Verdict::Missed(why) => write!(f, "FAILED ({seconds} s): {why}"),
        }
    }
}

/// Tries a bug, and leaves the copy without it. An error means that it couldn't be tried.
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
        .args([
            "build",
            "--quiet",
            "--profile",
            "plant",
            "--package",
            "stele-test-sim",
        ])
        .arg("--target-dir")
        .arg(&copy.build)
        .output()
        .context("running cargo build")?;
    if !built.status.success() {
        let errors = String::from_utf8_lossy(&built.stderr).into_owned();
        return Ok(Verdict::Missed(format!("it doesn't build\n{errors}")));
    }
    let mut simulator = Command::new(copy.build.join("plant/stele-test-sim"));
    simulator.args(["--seeds", SEEDS, "--operations", OPERATIONS, "--show", "0"]);
    Ok(match said(&mut simulator)? {
        Some(text) => judge(bug, &text),
        None => Verdict::Missed(format!("no end within {} s", LIMIT.as_secs())),
    })
}

/// What a command says until its end; `None` where that doesn't come in time.
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
    child.wait()?;
    drop(reader.join());
    Ok(read.ok().transpose()?)
}

/// What the simulator's text means: `seed 7 breaks law 4: one holder at a time …` in its last lines
/// where it has found something.
fn judge(bug: &Bug, text: &str) -> Verdict {
    let Some((seed, law)) = text.lines().find_map(failure) else {
        let last = text.lines().last().unwrap_or("nothing");
        return Verdict::Missed(format!("the first {SEEDS} seeds don't find it: {last}"));
    };
    match law.split(':').next().and_then(|law| law.parse().ok()) {
        Some(law) if bug.breaks(law) => Verdict::Found { seed, law },
        _ => Verdict::Missed(text.trim().to_owned()),
    }
}

/// The seed and the law of a line that tells of a failure.
fn failure(line: &str) -> Option<(u64, &str)> {
    let (seed, law) = line.strip_prefix("seed ")?.split_once(" breaks law ")?;
    Some((seed.parse().ok()?, law))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bug() -> Bug {
        Bug {
            name: "a_name".into(),
            file: "a/file.rs".into(),
            find: "right".into(),
            plant: "wrong".into(),
            also: vec![7],
            law: 4,
        }
    }

    #[test]
    fn a_bug_is_found_by_its_law_or_one_that_it_lists() {
        let found = |law| Verdict::Found { seed: 12, law };
        let text = "seed 12 breaks law 4: one holder\n  0 at 3 was Done\nrepeat it: …\n";
        assert_eq!(judge(&bug(), text), found(4));
        assert_eq!(
            judge(&bug(), "seed 12 breaks law 7: in turn\n  …\n"),
            found(7)
        );
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
            assert!(matches!(judge(&bug(), text), Verdict::Missed(_)), "{text}");
        }
    }
}
