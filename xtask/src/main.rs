//! Checks and chores of the repository: `cargo xtask tidy`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on both"
)]

mod tidy;

use std::{env, path::Path, process::ExitCode};

const USAGE: &str = "usage: cargo xtask tidy\n\n  tidy   checks layers, sizes, names, \
                     headers, dependency reasons and links";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository's root");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => report(tidy::run(root)),
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
