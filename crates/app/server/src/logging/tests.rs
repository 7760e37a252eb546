//! Escaping of fields that contain client text.

use std::sync::{Arc, Mutex};

use tracing::{info, subscriber::with_default};

use super::*;

/// A name that starts a new line, sets colours, clears the screen, reorders text and hides some of
/// it.
const NAME: &str = "a\n2026-01-01 INFO forged\r\u{1b}[31m\u{9b}2J\u{7f}\u{202e}b\u{2066}\u{200b}\
                    \u{2028}\u{e0041}\u{feff}é日\\";

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log_a_name() {
    info!(queue = %NAME, client = NAME, debug = ?NAME, "{NAME}");
}

fn is_plain(line: &str) -> bool {
    line.chars()
        .all(|character| matches!(character, ' '..='~' | 'é' | '日'))
}

#[test]
fn nothing_in_a_text_log_acts() {
    let lines = Lines::default();
    let writer = lines.clone();
    with_default(
        text(LevelFilter::INFO, false, move || writer.clone()),
        log_a_name,
    );
    let text = lines.text();
    let line = text.strip_suffix('\n').unwrap();
    assert!(is_plain(line), "{line:?}");
    let shown = "a\\n2026-01-01 INFO forged\\r\\u{1b}[31m\\u{9b}2J\\u{7f}\\u{202e}b\\u{2066}\
                 \\u{200b}\\u{2028}\\u{e0041}\\u{feff}é日\\";
    let ends = format!(" INFO {shown} queue={shown} client=\"a\\n");
    assert!(line.contains(&ends), "{line}");
}

#[test]
fn nothing_in_a_json_log_acts_and_all_of_it_is_there() {
    let lines = Lines::default();
    let writer = lines.clone();
    with_default(json(LevelFilter::INFO, move || writer.clone()), log_a_name);
    let text = lines.text();
    let line = text.strip_suffix('\n').unwrap();
    assert!(is_plain(line), "{line:?}");
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(value["message"], NAME);
    assert_eq!(value["queue"], NAME);
    assert_eq!(value["client"], NAME);
}

/// On a terminal, the logger's own colours are kept.
#[test]
fn a_terminal_gets_no_colours_but_the_logs() {
    let lines = Lines::default();
    let writer = lines.clone();
    with_default(
        text(LevelFilter::INFO, true, move || writer.clone()),
        log_a_name,
    );
    let text = lines.text();
    assert!(text.contains("\u{1b}[3mqueue\u{1b}[0m"), "{text:?}");
    assert!(!text.contains("\u{1b}[31m"), "{text:?}");
    assert_eq!(text.lines().count(), 1);
}
