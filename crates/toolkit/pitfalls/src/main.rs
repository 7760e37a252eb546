//! What goes wrong with messages, shown on a real broker, and what helps.
//!
//! ```text
//! pitfalls order | duplicates | poison | lag
//! ```
//!
//! Each run starts a Stele of its own, has a program fail, and then the same program with its cure.
//! What differs between the two is in the value `Cure` or in the branches on it. `docs/pitfalls.md`
//! explains the runs and shows what they print.
//!
//! Nothing here waits for a time to pass: the programs wait for each other, so that what they show
//! happens each time.

mod duplicates;
mod lag;
mod order;
mod poison;
mod world;

use std::{error::Error, process::ExitCode, time::Duration};

use world::Pitfall;

/// What has any program of this crate fail: it is shown, and ends the run.
type Failure = Box<dyn Error + Send + Sync>;

/// Longer than any run takes, on a busy machine too.
const TIMEOUT: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let shown = match tokio::time::timeout(TIMEOUT, show(&name)).await {
        Ok(shown) => shown,
        Err(_) => Err(format!("{name} didn't end within {TIMEOUT:?}").into()),
    };
    match shown {
        Ok(pitfalls) => {
            print(&pitfalls);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            complain(&*failure);
            ExitCode::FAILURE
        }
    }
}

async fn show(name: &str) -> Result<Vec<Pitfall>, Failure> {
    match name {
        "order" => order::show().await,
        "duplicates" => duplicates::show().await,
        "poison" => poison::show().await,
        "lag" => lag::show().await,
        _ => Err("usage: pitfalls order|duplicates|poison|lag".into()),
    }
}

#[expect(clippy::print_stdout, reason = "what the program is for")]
fn print(pitfalls: &[Pitfall]) {
    for pitfall in pitfalls {
        println!("{}", pitfall.title);
        println!("  failure: {}", pitfall.failure);
        println!("  cure:    {}", pitfall.cure);
    }
}

#[expect(clippy::print_stderr, reason = "the program's own failures")]
fn complain(failure: &(dyn Error + Send + Sync)) {
    eprintln!("pitfalls: {failure}");
}
