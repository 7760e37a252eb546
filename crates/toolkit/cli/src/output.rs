//! How things are printed: a plain table for people, JSON for programs.

use std::io::Write;

use clap::Args;
use serde::Serialize;
use stele_toolkit_envelope::Timestamp;

use crate::Failure;

/// How to print.
#[derive(Clone, Copy, Debug, Args)]
pub struct Format {
    /// Prints JSON: one object on a line for each thing.
    #[arg(long)]
    pub json: bool,
}

/// The largest width of a column but the last.
const WIDTH_MAX: usize = 60;

/// Prints things: each as a row of these columns, or as JSON.
pub(crate) fn print<T: Serialize>(
    out: &mut (dyn Write + Send),
    format: Format,
    columns: &[&str],
    things: &[T],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), Failure> {
    if format.json {
        for thing in things {
            writeln!(out, "{}", serde_json::to_string(thing)?)?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = things.iter().map(row).collect();
    table(out, columns, &rows)
}

/// Columns side by side, with two spaces between them.
pub(crate) fn table(
    out: &mut (dyn Write + Send),
    columns: &[&str],
    rows: &[Vec<String>],
) -> Result<(), Failure> {
    let header: Vec<String> = columns.iter().map(|name| name.to_uppercase()).collect();
    let all = || std::iter::once(&header).chain(rows);
    let width = |column: usize| {
        let cells = all().filter_map(|row| row.get(column));
        let width = cells.map(|cell| cell.chars().count()).max();
        width.unwrap_or(0).min(WIDTH_MAX)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for row in all() {
        let padded = row.iter().zip(&widths).map(|(cell, width)| {
            let cell = one_line(cell);
            format!("{cell:<width$}")
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A cell without line breaks and other controls, which could change what a terminal shows.
fn one_line(cell: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    cell.chars().map(plain).collect()
}

/// Names and values, one on a line.
pub(crate) fn fields(
    out: &mut (dyn Write + Send),
    fields: &[(&str, String)],
) -> Result<(), Failure> {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields {
        writeln!(out, "{name:<width$}  {}", one_line(value))?;
    }
    Ok(())
}

/// A time, or a dash.
pub(crate) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}
