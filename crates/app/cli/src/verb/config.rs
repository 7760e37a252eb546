//! `stele config show|check|docs`: shows and checks the configuration.

use std::io::{self, Write as _};

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use serde_json::json;
use stele_app_config::Loaded;

use crate::{exit::Failure, options::ConfigOptions};

/// What to do with it.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print every value and where it came from
    Show(Show),
    /// Check the configuration as `serve` does, without starting the broker
    Check(Check),
    /// Print the reference of all keys in Markdown
    Docs,
}

/// `show`
#[derive(Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    config: ConfigOptions,
    /// Output format
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// `check`
#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    config: ConfigOptions,
}

/// An output format.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For machines
    Json,
}

/// Runs the command.
pub(crate) fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Show(show) => {
            let loaded = show.config.load()?;
            let text = match show.output {
                Output::Table => table(&loaded),
                Output::Json => as_json(&loaded),
            };
            Ok(writeln!(io::stdout(), "{text}")?)
        }
        Verb::Check(check) => {
            stele_app_config::check(&check.config.load()?)?;
            Ok(writeln!(io::stdout(), "the configuration is valid")?)
        }
        Verb::Docs => Ok(write!(io::stdout(), "{}", stele_app_config::reference())?),
    }
}

fn table(loaded: &Loaded) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_header(["KEY", "VALUE", "FROM"]);
    for (path, placed) in &loaded.values {
        table.add_row([path.clone(), placed.shown(), placed.from.to_string()]);
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn as_json(loaded: &Loaded) -> String {
    let values = loaded.values.iter().map(|(path, placed)| {
        let value = json!({ "value": placed.shown(), "from": placed.from.to_string() });
        (path.clone(), value)
    });
    serde_json::Value::Object(values.collect()).to_string()
}
