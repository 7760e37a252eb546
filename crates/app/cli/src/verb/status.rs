//! `stele status`: prints a summary line, the ports with their main metrics, and the queues and
//! topics.

use std::io::{self, Write as _};

use anyhow::{Context as _, anyhow};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

use crate::{admin_client::Target, exit::Failure};

/// Which broker to ask, and the output format.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// How many queues and topics to list
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    logs: u16,
}

/// Asks the broker and prints the answer.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let status = get(options, "/v1/status")?;
    let logs = get(options, &format!("/v1/logs?limit={}", options.logs))?;
    if options.json {
        let whole = serde_json::json!({ "status": status, "logs": logs["logs"] });
        return Ok(writeln!(io::stdout(), "{whole}")?);
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}", verdict(&status))?;
    writeln!(out, "\n{}", fronts(&status))?;
    writeln!(out, "\n{}", table_of(&logs))?;
    if !logs["next"].is_null() {
        writeln!(out, "… and more: --logs {}", u32::from(options.logs) * 2)?;
    }
    Ok(())
}

fn get(options: &Options, path: &str) -> Result<Value, Failure> {
    let answer = options.target.get(path)?;
    match answer.status {
        200 => Ok(serde_json::from_str(&answer.body).context("the response is not JSON")?),
        401 => Err(Failure::Failed(anyhow!(
            "{}",
            options.target.login_advice()
        ))),
        503 => Err(Failure::Unavailable(anyhow!("{}", message(&answer.body)))),
        _ => Err(Failure::Failed(anyhow!("{}", message(&answer.body)))),
    }
}

/// The message of an error response.
pub(super) fn message(body: &str) -> String {
    serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|value| value["error"]["message"].as_str().map(str::to_owned))
        .unwrap_or_else(|| body.trim().to_owned())
}

fn verdict(status: &Value) -> String {
    let text = |name: &str| status[name].as_str().unwrap_or("?").to_owned();
    let number = |name: &str| status[name].as_u64().unwrap_or(0);
    let blocked = if status["is_blocked"] == true {
        ", and refuses publishing: less than storage.reserve is free on the disk"
    } else {
        ""
    };
    format!(
        "stele {} is {}{blocked}: {} queues and topics, {} MiB resident, up {} s",
        text("version"),
        text("phase"),
        number("logs"),
        number("resident_bytes") >> 20,
        number("uptime_ms") / 1000,
    )
}

fn fronts(status: &Value) -> Table {
    let columns = [
        "front",
        "address",
        "connections",
        "requests",
        "errors",
        "received_bytes",
        "sent_bytes",
    ];
    table(
        &columns,
        2,
        status["fronts"].as_array().into_iter().flatten(),
    )
}

fn table_of(logs: &Value) -> Table {
    let columns = [
        "name",
        "kind",
        "held_by",
        "durability",
        "records",
        "size_bytes",
        "ready",
        "leased",
        "delayed",
        "consumers",
        "active_consumer",
    ];
    table(&columns, 4, logs["logs"].as_array().into_iter().flatten())
}

/// The words joined, or a dash if there are none.
fn listed(words: &[Value]) -> String {
    let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
    match words[..] {
        [] => "-".to_owned(),
        _ => words.join(", "),
    }
}

/// A table with one column for each name in `columns`. Columns from index `numbers` on are aligned
/// as numbers.
fn table<'a>(columns: &[&str], numbers: usize, rows: impl Iterator<Item = &'a Value>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(
        columns
            .iter()
            .map(|column| column.replace('_', " ").to_uppercase()),
    );
    for row in rows {
        table.add_row(columns.iter().map(|column| match &row[*column] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            Value::Array(values) => listed(values),
            value => value.to_string(),
        }));
    }
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
