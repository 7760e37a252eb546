//! The headers exchange: compares a binding's arguments with a message's headers (AMQP 0-9-1,
//! section 3.1.3.4, with RabbitMQ's `x-match` values).
//!
//! | `x-match` | arguments that count | matches |
//! |---|---|---|
//! | `all`, or none given | all but those whose names begin with `x-` | if each matches |
//! | `any` | the same | if at least one matches |
//! | `all-with-x`, `any-with-x` | all but `x-match` itself | likewise |
//!
//! An argument without a value matches any value, if the message has that header. Numbers are
//! compared by value, whatever their types: 5 equals 5.0 and the timestamp 5. Decimals only match
//! decimals with the same digits and scale.

use crate::{Argument, Arguments, catalogue::Headers};

const MATCH: &str = "x-match";

/// Whether a message with these headers matches a binding with these arguments.
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

/// Whether one match is enough, and whether arguments named `x-` count. Fronts refuse other modes.
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
    header.is_some_and(|value| {
        *wanted == Argument::Void || *wanted == value || is_same_number(wanted, &value)
    })
}

fn is_same_number(wanted: &Argument, value: &Argument) -> bool {
    match (wanted, value) {
        (Argument::Float(float), other) | (other, Argument::Float(float)) => {
            integer(other).is_some_and(|integer| is_integer(*float, integer))
        }
        _ => integer(wanted).is_some_and(|wanted| Some(wanted) == integer(value)),
    }
}

fn integer(argument: &Argument) -> Option<i128> {
    match argument {
        Argument::Integer(integer) => Some(i128::from(*integer)),
        Argument::Timestamp(seconds) => Some(i128::from(*seconds)),
        _ => None,
    }
}

/// Exact: an integer that a float can't represent equals no float.
fn is_integer(float: f64, integer: i128) -> bool {
    // `integer` has 64 bits at most, so a saturating cast never makes them equal.
    float.fract() == 0.0 && float as i128 == integer
}

#[cfg(test)]
mod tests;
