//! The system's clock, shifted by the time that a test lets pass.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use stele_base_env::{Clock, SystemClock};
use stele_base_types::Timestamp;

#[derive(Debug)]
pub(crate) struct ShiftedClock {
    system: SystemClock,
    ahead_ms: AtomicU64,
}

impl ShiftedClock {
    pub(crate) fn new() -> Self {
        Self {
            system: SystemClock::new(),
            ahead_ms: AtomicU64::new(0),
        }
    }

    pub(crate) fn pass(&self, duration_ms: u64) {
        self.ahead_ms.fetch_add(duration_ms, Ordering::Relaxed);
    }

    fn ahead_ms(&self) -> u64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        self.system.now().plus_ms(self.ahead_ms())
    }

    fn calendar(&self) -> Timestamp {
        self.system.calendar().plus_ms(self.ahead_ms())
    }

    fn not_before(&self, at: Timestamp) {
        self.system.not_before(at);
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic() + Duration::from_millis(self.ahead_ms())
    }
}
