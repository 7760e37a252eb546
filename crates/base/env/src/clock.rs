//! Time: the calendar for what is stored and shown, a monotonic count for what is measured.

use std::{
    fmt::Debug,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use stele_base_types::Timestamp;

/// Where time comes from.
pub trait Clock: Debug + Send + Sync {
    /// The calendar's time. May jump in either direction when the system's clock is set.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic count starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is what the ban's replacement stands on"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is what the ban's replacement stands on"
    )]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        let millis = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, i64::wrapping_neg)
            }
        };
        Timestamp(millis)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is what the ban's replacement stands on"
    )]
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_lies_in_this_century() {
        let now = SystemClock::new().now();
        assert!(now > Timestamp(1_700_000_000_000), "{now}");
        assert!(now < Timestamp(4_102_444_800_000), "{now}");
    }

    #[test]
    fn the_monotonic_count_never_goes_back() {
        let clock = SystemClock::new();
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
    }
}
