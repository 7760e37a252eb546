//! Checks and tools of the repository: `cargo xtask tidy`, `cargo xtask plant`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool prints to both"
)]

mod plant;
mod tidy;

use std::{env, path::Path, process::ExitCode};

const USAGE: &str = "\
usage: cargo xtask tidy
       cargo xtask plant [WORD]...

  tidy   checks layers, sizes, names, headers, dependency reasons, links and planted bugs
  plant  puts each planted bug into a copy of the sources, or those with a WORD in their
         names, and demands that the simulator finds it by the law that it breaks";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository's root");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => report(tidy::run(root)),
        ["plant", ref words @ ..] => conclude(plant::run(root, words)),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Prints what tidy found, one finding a line.
fn report(outcome: anyhow::Result<tidy::Summary>) -> ExitCode {
    match outcome {
        Ok(summary) if summary.findings.is_empty() => {
            println!(
                "tidy: {} files, {} checks, clean",
                summary.files, summary.checks
            );
            ExitCode::SUCCESS
        }
        Ok(summary) => {
            for finding in &summary.findings {
                println!("{finding}");
            }
            eprintln!("tidy: {} findings", summary.findings.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tidy could not run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all planted bugs were found.
fn conclude(outcome: anyhow::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("plant could not run: {error:#}");
            ExitCode::FAILURE
        }
    }
}
