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

/// The milliseconds of an age such as `7D`, at least one: years, months, days, hours, minutes or
/// seconds. `None` if it is none.
pub(crate) fn age_ms(text: &str) -> Option<u64> {
    const HOUR_MS: u64 = 60 * 60 * 1000;
    let digit_count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(digit_count);
    let unit_ms = match unit {
        "Y" => 365 * 24 * HOUR_MS,
        "M" => 30 * 24 * HOUR_MS,
        "D" => 24 * HOUR_MS,
        "h" => HOUR_MS,
        "m" => 60 * 1000,
        "s" => 1000,
        _ => return None,
    };
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return None;
    }
    // More than anybody has is as good as the most that Kafka's clients can be told.
    let count = digits.parse().unwrap_or(u64::MAX);
    Some(count.saturating_mul(unit_ms).min(i64::MAX.unsigned_abs()))
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

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        let taken = [
            ("7D", 604_800_000),
            ("1h", 3_600_000),
            ("05m", 300_000),
            ("5s", 5_000),
            ("1M", 2_592_000_000),
            ("1Y", 31_536_000_000),
            ("99999999999999999999Y", i64::MAX.unsigned_abs()),
        ];
        for (text, age_ms_expected) in taken {
            assert_eq!(age_ms(text), Some(age_ms_expected), "{text}");
        }
        for refused in [
            "", "D", "-1D", " 1D", "0D", "00h", "1d", "1x", "1.5h", "10", "1D2h",
        ] {
            assert_eq!(age_ms(refused), None, "{refused}");
        }
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
