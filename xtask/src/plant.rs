//! Planted bugs: realistic mistakes, each put into a copy of the sources. The simulator's first
//! seeds, as many as `./test` runs, must find each bug by the law that it breaks. Only that law
//! judges: most bugs break other laws as well, and which one would be first changes with the code.
//! A bug that isn't found shows a gap in the law, or in what the simulator does.
//!
//! ```text
//!  crates/test/sim/plants/l04_one_holder.toml     the bugs that break law 4
//!  target/plant/tree                              the copy, with one bug at a time
//!  target/plant/build                             what is built of it
//! ```

pub(crate) mod bug;
mod copy;
mod trial;

use std::{io::Write as _, path::Path};

use anyhow::ensure;

use self::{bug::Bug, copy::Copy};
use crate::tidy::Repository;

/// Plants the bugs, or those whose names contain one of `words`; prints a line for each, and how
/// many were found. Returns whether all were.
pub(crate) fn run(root: &Path, words: &[&str]) -> anyhow::Result<bool> {
    let repository = Repository::load(root)?;
    let chosen = choose(bug::all(&repository)?, words)?;
    let copy = Copy::make(root, &repository)?;
    let mut passed = 0;
    for bug in &chosen {
        print!("law {:2}  {:57}", bug.law, bug.name);
        std::io::stdout().flush()?;
        let outcome = trial::run(&copy, bug)?;
        println!("  {outcome}");
        passed += usize::from(outcome.is_found());
    }
    let failed = chosen.len() - passed;
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn choose(bugs: Vec<Bug>, words: &[&str]) -> anyhow::Result<Vec<Bug>> {
    for word in words {
        let is_known = bugs.iter().any(|bug| bug.name.contains(word));
        ensure!(is_known, "no bug is called anything like `{word}`");
    }
    let is_chosen =
        |bug: &Bug| words.is_empty() || words.iter().any(|word| bug.name.contains(word));
    Ok(bugs.into_iter().filter(is_chosen).collect())
}
