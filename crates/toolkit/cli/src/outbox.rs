//! `outbox`: what waits to be sent.

use std::io::Write;

use clap::Subcommand;
use serde::Serialize;

use crate::{
    Failure,
    output::{self, Format},
    place::Database,
};

/// What to do with an outbox.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Tells how many messages wait, and for how long the oldest has.
    Status {
        #[command(flatten)]
        database: Database,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    waiting: u64,
    oldest_seconds: f64,
    refused: u64,
    oldest_transaction_seconds: f64,
}

pub(crate) async fn run(verb: Verb, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let Verb::Status { database, format } = verb;
    let status = database.open().await?.outbox_status().await?;
    let status = Status {
        waiting: status.waiting,
        oldest_seconds: status.oldest.as_secs_f64(),
        refused: status.refused,
        oldest_transaction_seconds: status.oldest_transaction.as_secs_f64(),
    };
    if format.json {
        writeln!(out, "{}", serde_json::to_string(&status)?)?;
        return Ok(());
    }
    let seconds = |value: f64| format!("{value:.1} s");
    let fields = [
        ("waiting", status.waiting.to_string()),
        ("oldest", seconds(status.oldest_seconds)),
        ("refused", status.refused.to_string()),
        (
            "oldest transaction",
            seconds(status.oldest_transaction_seconds),
        ),
    ];
    output::fields(out, &fields)
}
