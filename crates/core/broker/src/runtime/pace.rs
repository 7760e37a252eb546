//! How fast a shard's disk is. What waits for it is kept to what it takes in a short time, since
//! all that comes behind waits as long: the journal has one order.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use crate::limits::{DISK_WAIT_BYTES_MIN, DISK_WAIT_MS, PACE_BYTES_MIN};

/// What may wait for a shard's disk, by what it took lately.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_max: AtomicUsize,
}

impl Default for Pace {
    /// A disk that isn't known to be slow.
    fn default() -> Self {
        Self {
            bytes_max: AtomicUsize::new(usize::MAX),
        }
    }
}

impl Pace {
    /// How many bytes may wait.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max.load(Relaxed)
    }

    /// So many bytes were written and synced. Gives how many may wait now, if that tells.
    pub(super) fn note(&self, bytes: usize, took: Duration) -> Option<usize> {
        if bytes < PACE_BYTES_MIN {
            return None;
        }
        let took_us = usize::try_from(took.as_micros()).unwrap_or(usize::MAX);
        let allowed = bytes.saturating_mul(DISK_WAIT_MS * 1_000) / took_us.max(1);
        // Half of what was thought before: one slow write doesn't say much.
        let before = self.bytes_max().min(allowed.saturating_mul(4));
        let allowed = (before / 2 + allowed / 2).max(DISK_WAIT_BYTES_MIN);
        self.bytes_max.store(allowed, Relaxed);
        Some(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn no_more_waits_for_a_slow_disk_than_it_takes_in_half_a_second() {
        let pace = Pace::default();
        assert_eq!(pace.note(MIB / 2, Duration::from_secs(1)), None);
        assert_eq!(pace.bytes_max(), usize::MAX);
        for _ in 0..20 {
            pace.note(4 * MIB, Duration::from_millis(200));
        }
        assert!((9 * MIB..11 * MIB).contains(&pace.bytes_max()));
        for _ in 0..20 {
            pace.note(4 * MIB, Duration::from_secs(10));
        }
        assert_eq!(pace.bytes_max(), 4 * MIB);
        // It is fast again.
        for _ in 0..20 {
            pace.note(4 * MIB, Duration::from_millis(4));
        }
        assert!(pace.bytes_max() > 400 * MIB);
    }
}
