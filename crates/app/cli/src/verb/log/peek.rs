//! `stele log peek NAME`: shows messages of a queue or topic without taking them.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{body_of, escaped};
use crate::{admin_client::Target, exit::Failure};

/// How much of a body is shown in a line.
const BODY_CHARS_MAX: usize = 60;

/// The log, which messages, and the broker to ask.
#[derive(Args, Debug)]
pub(crate) struct Peek {
    /// Name of the queue or topic
    name: String,
    /// Only messages in this state [default: all that aren't settled]
    #[arg(long)]
    state: Option<State>,
    /// Continue after the messages of another page
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    /// How many messages to show
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print JSON, with headers, properties and up to 64 KiB of each body
    #[arg(long)]
    json: bool,
    /// Virtual host
    #[arg(long, default_value = "/")]
    vhost: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// Messages for the next consumer
    Ready,
    /// Messages that a consumer has and hasn't acknowledged
    Leased,
    /// Messages for a later time
    Delayed,
    /// Messages on their way to another queue
    Moving,
    /// Messages that were rejected, too old or too many, and wait to be moved to their dead-letter
    /// queues
    Dead,
}

impl Peek {
    /// Asks the broker and prints the answer.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let answer = self.target.get(&self.path())?;
        let body = body_of(&self.target, answer)?;
        let mut out = io::stdout().lock();
        if self.json {
            return Ok(write!(out, "{body}")?);
        }
        let page: Value = serde_json::from_str(&body).context("the response is not JSON")?;
        for message in page["messages"].as_array().into_iter().flatten() {
            writeln!(out, "{}", line(message))?;
        }
        if let Some(next) = page["next"].as_str() {
            writeln!(out, "… and more: --after {next}")?;
        }
        Ok(())
    }

    fn path(&self) -> String {
        let (name, vhost, limit) = (escaped(&self.name), escaped(&self.vhost), self.limit);
        let mut path = format!("/v1/logs/{name}/messages?vhost={vhost}&limit={limit}");
        if let Some(state) = self.state.and_then(|state| state.to_possible_value()) {
            path += &format!("&state={}", state.get_name());
        }
        if let Some(after) = &self.after {
            path += &format!("&after={}", escaped(after));
        }
        path
    }
}

/// Partition and offset, state, deliveries, and the beginning of the body.
fn line(message: &Value) -> String {
    let number = |name: &str| message[name].as_u64().unwrap_or(0);
    let state = message["state"].as_str().unwrap_or("?");
    let deliveries = match number("deliveries") {
        0 => String::new(),
        count => format!("  delivered {count}×"),
    };
    format!(
        "{}:{:<10} {state:<8} {:>8} B{deliveries}  {}",
        number("partition"),
        number("offset"),
        number("body_bytes"),
        body(&message["body"]),
    )
}

/// The beginning of the body, in one line without control characters.
fn body(body: &Value) -> String {
    let (text, prefix) = match (&body["text"], &body["base64"]) {
        (Value::String(text), _) => (text, ""),
        (_, Value::String(base64)) => (base64, "base64 "),
        _ => return "-".to_owned(),
    };
    let shown = text.chars().take(BODY_CHARS_MAX);
    let shown = shown.map(|it| if it.is_control() { '␣' } else { it });
    let rest = if text.chars().nth(BODY_CHARS_MAX).is_some() {
        "…"
    } else {
        ""
    };
    prefix.chars().chain(shown).chain(rest.chars()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_its_body() {
        let message = json!({
            "partition": 0, "offset": 7, "state": "leased", "deliveries": 2, "body_bytes": 5,
            "body": { "text": "a\n\u{1b}[1mb" },
        });
        assert_eq!(
            line(&message),
            "0:7          leased          5 B  delivered 2×  a␣␣[1mb"
        );
        let long = json!({ "text": "x".repeat(100) });
        assert_eq!(body(&long).chars().count(), BODY_CHARS_MAX + 1);
        assert_eq!(body(&json!({ "base64": "/w==" })), "base64 /w==");
        assert_eq!(body(&Value::Null), "-");
    }
}
