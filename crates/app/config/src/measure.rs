//! Sizes and durations with units: `64MiB`, `30s`.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

const SIZE_UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

const SPAN_UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Size {
    /// Reads `64MiB`, `512KiB`, `1GiB` or `100B`.
    pub fn parse(text: &str) -> Option<Self> {
        scaled(text, SIZE_UNITS).map(Self)
    }

    /// The bytes, or the maximum of `usize` if they don't fit.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Span {
    /// Reads `30s`, `250ms`, `15m`, `12h` or `7d`.
    pub fn parse(text: &str) -> Option<Self> {
        scaled(text, SPAN_UNITS).map(|ms| Self(Duration::from_millis(ms)))
    }

    /// The milliseconds.
    pub fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, scale) = units
        .iter()
        .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    digits.trim_end().parse::<u64>().ok()?.checked_mul(*scale)
}

/// The largest unit that divides `amount`.
fn in_largest_unit(amount: u64, units: &[(&str, u64)]) -> String {
    let mut by_size: Vec<_> = units.iter().collect();
    by_size.sort_by_key(|(_, scale)| std::cmp::Reverse(*scale));
    let fits = by_size
        .iter()
        .find(|(_, scale)| amount.is_multiple_of(*scale) && amount >= *scale);
    let (unit, scale) = fits.or(by_size.last()).expect("there is a unit");
    format!("{}{unit}", amount / scale)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_largest_unit(self.0, SIZE_UNITS))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_largest_unit(self.ms(), SPAN_UNITS))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a size, such as 64MiB"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a duration, such as 30s"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_need_a_unit_and_stay_in_range() {
        assert_eq!(Size::parse("64MiB"), Some(Size(64 << 20)));
        assert_eq!(Size::parse("7 B"), Some(Size(7)));
        assert_eq!(Size::parse("64"), None);
        assert_eq!(Size::parse("-1B"), None);
        assert_eq!(Size::parse("99999999999999GiB"), None);
        assert_eq!(Span::parse("30s"), Some(Span(Duration::from_secs(30))));
        assert_eq!(Span::parse("250ms"), Some(Span(Duration::from_millis(250))));
        assert_eq!(Span::parse("7d").map(Span::ms), Some(604_800_000));
        assert_eq!(Span::parse("1w"), None);
    }

    #[test]
    fn measures_print_in_their_largest_whole_unit() {
        for text in ["64MiB", "1GiB", "1025B", "0B"] {
            assert_eq!(
                Size::parse(text).map(|size| size.to_string()).as_deref(),
                Some(text)
            );
        }
        for text in ["7d", "90m", "30s", "1ms"] {
            assert_eq!(
                Span::parse(text).map(|span| span.to_string()).as_deref(),
                Some(text)
            );
        }
    }
}
