//! The `stele` command: the broker and its tools.
//!
//! Data goes to stdout, everything else to stderr. Each verb is one file in `verb/`; each exit
//! code is a variant of [`exit::Failure`].

mod admin_client;
mod exit;
mod options;
mod verb;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = options::Arguments::parse();
    match verb::run(arguments.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_silent() {
                // If stderr can't be written either, the exit code still reports the failure.
                drop(writeln!(io::stderr(), "error: {failure}"));
            }
            failure.code()
        }
    }
}
