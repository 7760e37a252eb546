//! The verbs, one file each.

pub(crate) mod completions;
pub(crate) mod config;
mod man;

use crate::{exit::Failure, options::Verb};

/// Does what was asked.
pub(crate) fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Config(verb) => config::run(verb),
        Verb::Completions(options) => completions::run(&options),
        Verb::Man => man::run(),
    }
}
