//! Where the log goes: to stderr, as text for a person and as JSON for a collector.
//!
//! What clients call themselves and their queues, and what is told of their mistakes, stands in it.
//! None of that can begin a line, move a terminal's cursor or turn the direction of the text: each
//! field is escaped, whoever logs it.

mod escaped;

use std::io::{self, IsTerminal as _};

use stele_app_config::{LogFormat, Logging};
use tracing::{Subscriber, level_filters::LevelFilter, subscriber::set_global_default};
use tracing_subscriber::{
    field::MakeExt as _,
    fmt::{MakeWriter, format},
};

use self::escaped::EscapedJson;

/// Starts logging. Returns whether it is text.
pub(crate) fn start(logging: &Logging) -> bool {
    let level: LevelFilter = logging.level.parse().unwrap_or(LevelFilter::INFO);
    let is_terminal = io::stderr().is_terminal();
    let is_text = match logging.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    // Fails only where a caller logs already, whose choice then stands.
    drop(if is_text {
        set_global_default(text(level, is_terminal, io::stderr))
    } else {
        set_global_default(json(level, io::stderr))
    });
    is_text
}

fn text<W>(level: LevelFilter, is_terminal: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(is_terminal)
        // A line that can't be written is lost: to say so there would end the process.
        .log_internal_errors(false)
        .fmt_fields(format::debug_fn(escaped::field).delimited(" "))
        .with_writer(writer)
        .finish()
}

fn json<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        // As for text.
        .log_internal_errors(false)
        .json()
        .flatten_event(true)
        .with_writer(EscapedJson(writer))
        .finish()
}

#[cfg(test)]
mod tests;
