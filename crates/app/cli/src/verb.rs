//! The commands, one file each.

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod dev;
pub(crate) mod health;
pub(crate) mod log;
mod man;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod storage;
pub(crate) mod trace;

use crate::{exit::Failure, options::Verb};

/// Runs a command.
pub(crate) fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Serve(options) => serve::run(&options),
        Verb::Dev(options) => dev::run(&options),
        Verb::Status(options) => status::run(&options),
        Verb::Health(options) => health::run(&options),
        Verb::Log(verb) => log::run(&verb),
        Verb::Trace(options) => trace::run(&options),
        Verb::Config(verb) => config::run(verb),
        Verb::Bench(verb) => bench::run(&verb),
        Verb::Storage(verb) => storage::run(verb),
        Verb::Completions(options) => completions::run(&options),
        Verb::Man => man::run(),
    }
}
