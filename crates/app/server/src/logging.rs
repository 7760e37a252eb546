//! Where the log goes: to stderr, as text for a person and as JSON for a collector.

use std::io::{self, IsTerminal as _};

use stele_app_config::{Log, LogFormat};
use tracing::level_filters::LevelFilter;

/// Starts logging. Returns whether it is text.
pub(crate) fn start(log: &Log) -> bool {
    let level: LevelFilter = log.level.parse().unwrap_or(LevelFilter::INFO);
    let is_terminal = io::stderr().is_terminal();
    let is_text = match log.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        // A line that can't be written is lost: to say so there would end the process.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    // Fails only where a caller logs already, whose choice then stands.
    drop(if is_text {
        builder.with_ansi(is_terminal).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    });
    is_text
}
