//! Time: timestamps for waiting, storing and display, and a monotonic clock for measurements.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use stele_base_types::Timestamp;

/// A source of time.
pub trait Clock: Debug + Send + Sync {
    /// The current time. Follows the system's calendar when that is ahead; never goes back. While
    /// the calendar is behind, after the system clock was set back, it advances with the monotonic
    /// clock. So waits have their intended length, and later events never get earlier timestamps.
    fn now(&self) -> Timestamp;

    /// The system's calendar, which jumps in either direction when it is set. Only for comparison
    /// with the calendars of other machines.
    fn calendar(&self) -> Timestamp;

    /// Makes [`Clock::now`] return at least `at` from now on: a time that an earlier process has
    /// stored.
    fn not_before(&self, at: Timestamp);

    /// Time since an arbitrary start. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    ahead: Ahead,
}

/// How far [`Clock::now`] is ahead of the monotonic clock, in milliseconds. Only grows.
#[derive(Debug)]
struct Ahead(AtomicI64);

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is what the ban's replacement stands on"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            ahead: Ahead::new(),
        }
    }

    fn monotonic_ms(&self) -> i64 {
        i64::try_from(self.monotonic().as_millis()).unwrap_or(i64::MAX)
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.ahead.now(calendar(), self.monotonic_ms())
    }

    fn calendar(&self) -> Timestamp {
        calendar()
    }

    fn not_before(&self, at: Timestamp) {
        self.ahead.now(at, self.monotonic_ms());
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is what the ban's replacement stands on"
    )]
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Ahead {
    fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// The current time, which is at least `least`.
    fn now(&self, least: Timestamp, monotonic_ms: i64) -> Timestamp {
        let least = least.0.saturating_sub(monotonic_ms);
        let before = self.0.fetch_max(least, Ordering::Relaxed);
        Timestamp(before.max(least).saturating_add(monotonic_ms))
    }
}

/// Milliseconds since 1970 by the system's calendar, which may be set to any time.
#[expect(
    clippy::disallowed_methods,
    reason = "this is what the ban's replacement stands on"
)]
fn calendar() -> Timestamp {
    let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_millis()).map_or(i64::MIN, i64::wrapping_neg)
        }
    };
    Timestamp(millis)
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
    fn now_goes_on_while_the_calendar_is_set_back() {
        let ahead = Ahead::new();
        assert_eq!(ahead.now(Timestamp(1_000_000), 10), Timestamp(1_000_000));
        // Set back by half an hour: time still advances by three seconds.
        assert_eq!(ahead.now(Timestamp(1_000), 3_010), Timestamp(1_003_000));
        // Set ahead, it follows, and stays there.
        assert_eq!(ahead.now(Timestamp(2_000_000), 3_020), Timestamp(2_000_000));
        assert_eq!(ahead.now(Timestamp(1_003_100), 3_120), Timestamp(2_000_100));
    }

    #[test]
    fn now_is_not_before_what_was_stamped_earlier() {
        let clock = SystemClock::new();
        let later = clock.now().plus_ms(3_600_000);
        clock.not_before(later);
        assert!(clock.now() >= later);
        clock.not_before(Timestamp(0));
        assert!(clock.now() >= later);
    }

    #[test]
    fn the_monotonic_count_never_goes_back() {
        let clock = SystemClock::new();
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
    }
}
