//! What the command line can do.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Subcommand;

use crate::{Failure, dead, graph, outbox, saga};

/// A command for operators.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Lists, shows, retries, edits and drops dead letters.
    #[command(subcommand)]
    Dead(dead::Verb),
    /// Lists and shows sagas, processes and correlations, and intervenes in them.
    #[command(subcommand)]
    Saga(saga::Verb),
    /// Tells what waits to be sent.
    #[command(subcommand)]
    Outbox(outbox::Verb),
    /// Prints the plans that services have, as mermaid charts.
    Graph(graph::Arguments),
}

impl Command {
    /// Runs it, with its data written to `out` and its remarks to `err`.
    pub async fn run(
        self,
        out: &mut (dyn Write + Send),
        err: &mut (dyn Write + Send),
    ) -> Result<(), Failure> {
        match self {
            Self::Dead(verb) => dead::run(verb, out, err).await,
            Self::Saga(verb) => saga::run(verb, out, err).await,
            Self::Outbox(verb) => outbox::run(verb, out).await,
            Self::Graph(arguments) => graph::run(arguments, out).await,
        }
    }

    /// Runs it with the program's own outputs. The code says what came of it: see
    /// [`crate::EXIT_CODES`].
    pub async fn run_as_program(self) -> ExitCode {
        let (mut out, mut err) = (io::stdout(), io::stderr());
        match self.run(&mut out, &mut err).await {
            Ok(()) => ExitCode::SUCCESS,
            // Whoever read the output has seen enough, as `head` does.
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Err(failure) => {
                // If stderr can't be written either, the code still reports the failure.
                drop(writeln!(err, "error: {failure}"));
                ExitCode::from(failure.code())
            }
        }
    }
}
