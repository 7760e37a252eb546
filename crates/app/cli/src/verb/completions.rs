//! `stele completions SHELL`: prints the completion script, generated from the definitions of the
//! command line.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::{exit::Failure, options::Arguments};

/// Which shell.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The shell to print the script for
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(
        options.shell,
        &mut Arguments::command(),
        "stele",
        &mut script,
    );
    Ok(io::stdout().write_all(&script)?)
}
