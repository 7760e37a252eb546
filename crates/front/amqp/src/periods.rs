//! Periods in milliseconds, given to queues and messages, with RabbitMQ's errors for invalid ones.

use crate::limits::PERIOD_MS_MAX;

/// Checks a number. Returns why it is invalid.
pub(crate) fn check(period_ms: i64) -> Result<(), String> {
    match period_ms {
        ..0 => Err(format!("{{value_negative,{period_ms}}}")),
        0..=PERIOD_MS_MAX => Ok(()),
        _ => Err(too_large(&period_ms.to_string())),
    }
}

/// Checks a text, which must be a decimal number and nothing else. Returns why it is invalid.
pub(crate) fn check_text(text: &str) -> Result<(), String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digit_count = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = unsigned.split_at(digit_count);
    match (digits, rest) {
        ("", _) => Err("no_integer".to_owned()),
        (_, "") => text.parse().map_or_else(|_| Err(too_large(digits)), check),
        _ => Err(format!("{{leftover_string,\"{rest}\"}}")),
    }
}

fn too_large(digits: &str) -> String {
    format!("{{value_too_large,{digits}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_years_are_the_longest() {
        assert_eq!(check(0), Ok(()));
        assert_eq!(check(315_360_000_000), Ok(()));
        assert_eq!(
            check(315_360_000_001),
            Err("{value_too_large,315360000001}".to_owned())
        );
        assert_eq!(check(-1), Err("{value_negative,-1}".to_owned()));
    }

    /// RabbitMQ's responses.
    #[test]
    fn a_text_is_a_number_and_nothing_else() {
        for taken in ["0", "10", "+5", "01", "315360000000"] {
            assert_eq!(check_text(taken), Ok(()), "{taken}");
        }
        let refused = [
            ("", "no_integer"),
            ("abc", "no_integer"),
            ("-1", "{value_negative,-1}"),
            ("10.5", "{leftover_string,\".5\"}"),
            ("1 ", "{leftover_string,\" \"}"),
            ("-5x", "{leftover_string,\"x\"}"),
            ("99999999999999", "{value_too_large,99999999999999}"),
            (
                "99999999999999999999999999",
                "{value_too_large,99999999999999999999999999}",
            ),
        ];
        for (text, what) in refused {
            assert_eq!(check_text(text), Err(what.to_owned()), "{text}");
        }
    }
}
