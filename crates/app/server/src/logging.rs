//! Log output: to stderr, as text for people or as JSON for log collectors.
//!
//! Log lines contain text from clients: their names, queue names, and messages about their errors.
//! Every field is escaped, whoever logs it, so that client text can't start a new line, move a
//! terminal's cursor or change the text direction.

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
    // Fails only if the caller has already installed a logger, which then stays.
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
        // A line that can't be written is lost: reporting the error on stderr would panic.
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
        // As above.
        .log_internal_errors(false)
        .json()
        .flatten_event(true)
        .with_writer(EscapedJson(writer))
        .finish()
}

#[cfg(test)]
mod tests;
