//! The program `stele-toolkit`: looks after services that use the toolkit.

use std::process::ExitCode;

use clap::Parser;
use stele_toolkit_cli::Command;

/// Looks after services: their dead letters, sagas and outboxes.
#[derive(Debug, Parser)]
#[command(name = "stele-toolkit", version, after_help = stele_toolkit_cli::EXIT_CODES)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    Program::parse().command.run_as_program().await
}
