//! Where new messages get their times and ids from.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

use crate::Timestamp;

/// A clock and a source of randomness. Everything here that needs one of them takes it from here,
/// so that tests can replace both.
pub trait Ids: Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// 64 random bits.
    fn random(&self) -> u64;

    /// A new message id for a message of this time: a UUID of version 7 (RFC 9562, section 5.7),
    /// so that ids of later messages are greater, to the microsecond (section 6.2, method 3).
    fn message_id(&self, at: Timestamp) -> String {
        let micros = u64::try_from(at.as_micros()).unwrap_or(0);
        let (millis, rest) = (micros / 1000, micros % 1000);
        let fraction = u16::try_from(rest * 4096 / 1000).unwrap_or(0);
        let mut bytes = [0; 10];
        bytes[..2].copy_from_slice(&fraction.to_be_bytes());
        bytes[2..].copy_from_slice(&self.random().to_be_bytes());
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid();
        id.to_string()
    }
}

/// The operating system's clock and randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one default; everything else is given its time"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp::UNIX_EPOCH + since.unwrap_or_default()
    }

    fn random(&self) -> u64 {
        // A UUID of version 4 has 122 random bits; those of one half cover the others' fixed ones.
        let (high, low) = Uuid::new_v4().as_u64_pair();
        high ^ low
    }
}

/// A clock that stands still until it is moved, and random numbers that follow from a seed. For
/// tests.
///
/// ```
/// use std::time::Duration;
/// use stele_toolkit_envelope::{Ids, SeededIds, Timestamp};
///
/// let ids = SeededIds::new(7, "2024-01-15T10:30:00Z".parse()?);
/// let first = ids.message_id(ids.now());
/// ids.advance(Duration::from_micros(1));
/// assert!(first < ids.message_id(ids.now()));
/// assert_eq!(SeededIds::new(7, ids.now()).random(), SeededIds::new(7, ids.now()).random());
/// # Ok::<(), stele_toolkit_envelope::TimestampError>(())
/// ```
#[derive(Debug)]
pub struct SeededIds {
    now_micros: AtomicI64,
    state: AtomicU64,
}

impl SeededIds {
    /// A clock that shows `now`, and the random numbers of a seed.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            now_micros: AtomicI64::new(now.as_micros()),
            state: AtomicU64::new(seed),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        self.now_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Sets the clock, also back.
    pub fn set(&self, now: Timestamp) {
        self.now_micros.store(now.as_micros(), Ordering::Relaxed);
    }
}

impl Ids for SeededIds {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now_micros.load(Ordering::Relaxed))
    }

    /// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    fn random(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.state.fetch_add(GAMMA, Ordering::Relaxed);
        let mut z = state.wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> SeededIds {
        let now = "2024-01-15T10:30:00.000250Z".parse().expect("a time");
        SeededIds::new(1, now)
    }

    #[test]
    fn an_id_has_its_messages_time() {
        let id = Uuid::parse_str(&ids().message_id(ids().now())).expect("a UUID");
        assert_eq!(id.get_version_num(), 7);
        let (seconds, nanos) = id.get_timestamp().expect("a time").to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_705_314_600, 0));
    }

    #[test]
    fn ids_of_one_millisecond_are_ordered_by_the_microsecond() {
        let ids = ids();
        let made: Vec<String> = (0..900)
            .map(|_| {
                ids.advance(Duration::from_micros(1));
                ids.message_id(ids.now())
            })
            .collect();
        assert!(made.is_sorted());
    }

    #[test]
    fn a_time_before_1970_gives_an_id_too() {
        let id = ids().message_id(Timestamp::MIN);
        assert!(id.starts_with("00000000-0000-7000-"), "{id}");
    }

    #[test]
    fn all_random_bits_change() {
        for ids in [&ids() as &dyn Ids, &SystemIds] {
            let (any, all) = (0..200)
                .map(|_| ids.random())
                .fold((0, u64::MAX), |(any, all), it| (any | it, all & it));
            assert_eq!((any, all), (u64::MAX, 0), "{ids:?}");
        }
    }
}
