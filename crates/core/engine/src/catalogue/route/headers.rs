//! The headers exchange: a binding's arguments against a message's headers (AMQP 0-9-1, section
//! 3.1.3.4, with the `x-match` values of RabbitMQ).
//!
//! | `x-match` | arguments that count | matches |
//! |---|---|---|
//! | `all`, or none given | all but those whose names begin with `x-` | if each matches |
//! | `any` | the same | if at least one matches |
//! | `all-with-x`, `any-with-x` | all but `x-match` itself | likewise |
//!
//! An argument without a value matches whatever value the header has, if the message has it.

use crate::{Argument, Arguments, catalogue::Headers};

const MATCH: &str = "x-match";

/// Whether a message with these headers goes to a binding with these arguments.
pub(in crate::catalogue) fn matches(arguments: &Arguments, headers: &dyn Headers) -> bool {
    let (any, with_x) = match arguments.get(MATCH) {
        Some(Argument::Text(mode)) => mode_of(mode),
        _ => (false, false),
    };
    let mut counting = arguments
        .iter()
        .filter(|(name, _)| counts(name, with_x))
        .map(|(name, wanted)| is_met(wanted, headers.header(name)));
    if any {
        counting.any(|met| met)
    } else {
        counting.all(|met| met)
    }
}

/// Whether one is enough, and whether `x-` names count. Fronts refuse other words.
fn mode_of(mode: &[u8]) -> (bool, bool) {
    match mode {
        b"any" => (true, false),
        b"any-with-x" => (true, true),
        b"all-with-x" => (false, true),
        _ => (false, false),
    }
}

fn counts(name: &str, with_x: bool) -> bool {
    name != MATCH && (with_x || !name.starts_with("x-"))
}

fn is_met(wanted: &Argument, header: Option<Argument>) -> bool {
    header.is_some_and(|value| *wanted == Argument::Void || *wanted == value)
}

#[cfg(test)]
mod tests;
