//! Points in time, and their form in messages.

use std::{
    fmt,
    ops::{Add, AddAssign, Sub, SubAssign},
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time: microseconds since the beginning of 1970, UTC.
///
/// It lies in the years 0000 to 9999, but for the last 26 hours of 9999: RFC 3339 can write these
/// times with any offset. What would lie outside becomes the nearer end. As text and in JSON it is
/// RFC 3339 with `Z`, and with three or six digits behind the second if they aren't all zero.
///
/// ```
/// use std::time::Duration;
/// use stele_toolkit_envelope::Timestamp;
///
/// let ordered: Timestamp = "2024-01-15T12:30:00.250+02:00".parse()?;
/// assert_eq!(ordered.to_string(), "2024-01-15T10:30:00.250Z");
/// assert_eq!((ordered + Duration::from_millis(750)).to_string(), "2024-01-15T10:30:01Z");
/// # Ok::<(), stele_toolkit_envelope::TimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const MICROS_PER_SECOND: i64 = 1_000_000;

impl Timestamp {
    /// The beginning of 1970.
    pub const UNIX_EPOCH: Self = Self(0);

    /// 0000-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_167_219_200 * MICROS_PER_SECOND);

    /// 9999-12-30T22:00:00Z.
    pub const MAX: Self = Self(253_402_207_200 * MICROS_PER_SECOND);

    /// A time by its microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// A time by its milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1000))
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long ago `earlier` was; nothing if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(micros(duration)))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self::from_micros(self.0.saturating_sub(micros(duration)))
    }
}

impl SubAssign<Duration> for Timestamp {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        let digits = match self.0.rem_euclid(MICROS_PER_SECOND) {
            0 => 0,
            micros if micros % 1000 == 0 => 3,
            _ => 6,
        };
        write!(f, "{time:.digits$}")
    }
}

/// A text isn't a time in the form of RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} isn't a time as in RFC 3339, for example 2024-01-15T10:30:00Z")]
pub struct TimestampError {
    /// The text, or its beginning.
    pub text: String,
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads RFC 3339 with any offset. What is smaller than a microsecond is cut off; the second
    /// 60, a leap second, counts as 59.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let refused = || TimestampError {
            text: text.chars().take(64).collect(),
        };
        if !has_form(text.as_bytes()) {
            return Err(refused());
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| refused())?;
        let micros = time.as_nanosecond().div_euclid(1000);
        let micros = i64::try_from(micros).map_err(|_| refused())?;
        let time = Self::from_micros(micros);
        if time.0 == micros {
            Ok(time)
        } else {
            Err(refused())
        }
    }
}

/// Whether a text has the form of RFC 3339, section 5.6. The parser takes more than that, such as
/// week dates and names of time zones; it checks the ranges of the numbers.
fn has_form(text: &[u8]) -> bool {
    const DATE_AND_TIME: &[u8] = b"0000-00-00T00:00:00";
    let Some((start, rest)) = text.split_at_checked(DATE_AND_TIME.len()) else {
        return false;
    };
    let matches = |pattern: &[u8], text: &[u8]| {
        pattern.len() == text.len()
            && pattern.iter().zip(text).all(|(form, byte)| match form {
                b'0' => byte.is_ascii_digit(),
                form => byte.eq_ignore_ascii_case(form),
            })
    };
    let offset = match rest.split_first() {
        Some((b'.', rest)) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            match digits {
                // The parser takes at most nine.
                1..=9 => &rest[digits..],
                _ => return false,
            }
        }
        _ => rest,
    };
    let is_hours = || matches(b"+00:00", offset) || matches(b"-00:00", offset);
    let is_offset = matches(b"Z", offset) || is_hours() && &offset[1..3] <= b"23".as_slice();
    matches(DATE_AND_TIME, start) && is_offset
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
