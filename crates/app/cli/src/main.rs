//! The stele command: the broker, and what one asks of it.
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
                // The code tells it too, where nobody can read this.
                drop(writeln!(io::stderr(), "error: {failure}"));
            }
            failure.code()
        }
    }
}
